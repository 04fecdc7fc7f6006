#include <cstdio>

#include "shop.hpp"

int main() {
    const gru4rec::Dataset data = visits();
    gru4rec::Model model(data, {.layers = {16}, .batch_size = 2, .n_epochs = 20, .n_sample = 0});
    const gru4rec::FitReport report = gru4rec::Trainer(model).fit(data);
    std::printf("gru4rec %s: %td sessions, %td items, loss %.3f -> %.3f\n", GRU4REC_VERSION_STRING, data.n_sessions(),
                data.n_items(), report.epochs.front().loss, report.epochs.back().loss);
    return report.epochs.back().loss < report.epochs.front().loss ? 0 : 1;
}
