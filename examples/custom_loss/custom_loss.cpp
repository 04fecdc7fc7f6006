// A loss of one's own in the Trainer: the hinge loss sum_j max(0, 1 - (y_target - y_j)) over the negatives.
#include "gru4rec/data/synthetic.hpp"
#include "gru4rec/eval/evaluate.hpp"
#include "gru4rec/model/model.hpp"
#include "gru4rec/train/trainer.hpp"

#include <cstdio>
#include <utility>

using gru4rec::Index;

// Gets the raw scores of some lanes, (lanes, columns), writes the gradient with respect to them and returns the loss
// summed over the lanes. Called from several threads at once, hence const.
struct Hinge {
    float operator()(const gru4rec::ScoreBlock<float>& block) const {
        const auto scores = block.scores_map();
        auto d_scores = block.d_scores_map();
        float loss = 0;
        for (Index lane = 0; lane < block.n_lanes; ++lane) {
            const Index target = block.target_column[lane];
            float pull = 0;
            for (Index j = 0; j < block.n_columns; ++j) {
                // Equal candidates share a column: its weight says how many of them are negatives of this lane.
                const float margin = 1 - (scores(lane, target) - scores(lane, j));
                const float weight = margin > 0 ? block.negative_weight(lane, j) : 0;
                loss += weight * margin;
                d_scores(lane, j) = weight;
                pull += weight;
            }
            d_scores(lane, target) -= pull;
        }
        return loss;
    }
};

int main() {
    const gru4rec::SyntheticData shop = gru4rec::split_synthetic(gru4rec::SyntheticShop({.n_sessions = 4000}));
    const auto supports = shop.train.supports();
    gru4rec::Model<float> model({.layers = {32}, .n_epochs = 5, .learning_rate = 0.05, .n_sample = 128},
                                shop.train.items(), {supports.begin(), supports.end()});
    const auto recall = [&] {
        return gru4rec::evaluate(std::as_const(model), shop.test).recall_at(20, gru4rec::Ties::conservative);
    };
    std::printf("before training:   Recall@20 %.3f\n", recall());
    gru4rec::Trainer<float> trainer(model, Hinge{});
    trainer.fit(shop.train, [&](const gru4rec::EpochReport& epoch) {
        std::printf("epoch %d: loss %7.3f, Recall@20 %.3f\n", epoch.epoch, epoch.loss, recall());
        return true;  // false would stop training
    });
    return recall() > 0.2 ? 0 : 1;
}
