#include <gru4rec/io/model_file.hpp>
#include <gru4rec/serve.hpp>

#include <cstdint>
#include <cstdio>
#include <string_view>
#include <vector>

int main() {
    const std::vector<std::string_view> ids = {"tent", "mat", "stove"};
    gru4rec::ItemMap items;
    for (const std::string_view id : ids) {
        items.insert(id);
    }
    const std::vector<std::int64_t> supports = {1, 2, 3};
    const gru4rec::Model<float> model({.layers = {8}}, items, supports);
    gru4rec::save_model(model, "model.safetensors");
    const auto read = gru4rec::load_model<float>("model.safetensors");
    gru4rec::Recommender<float> recommender(read);
    gru4rec::SessionState<float> visitor(read);
    recommender.advance(visitor, read.items().find("mat").value());
    const auto list = recommender.recommend(visitor, 2);
    std::printf("%zu items\n", list.size());
    return list.size() == 2 ? 0 : 1;
}
