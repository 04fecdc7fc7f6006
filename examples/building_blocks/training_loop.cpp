// GRU4Rec's training loop from its building blocks, beside the library's Trainer: the same initial weights, batches and
// negatives, and the same loss.
#include "gru4rec/blocks.hpp"
#include "gru4rec/data/synthetic.hpp"
#include "gru4rec/model/model.hpp"
#include "gru4rec/train/trainer.hpp"

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <vector>

using namespace gru4rec;

// Trains like the model's hyper-parameters say and returns the loss of each epoch.
std::vector<double> train_with_blocks(const Model<double>& model, const Dataset& data, std::uint64_t seed) {
    const Hyperparameters& p = model.hyperparameters();
    GruLayer<double> layer(model.layer(0));
    const Index width = layer.units();  // the same item vectors are input and output
    RowMatrix<double> table(model.n_items(), width + 1);
    table << model.item_vectors(), model.item_biases();

    OrderedSessions sessions(data);
    SessionParallelBatcher batcher(sessions, p.batch_size);
    StepNegatives negatives(data.supports(), p.sample_alpha, p.n_sample, seed);
    CandidateList<double> candidates(p.batch_size, p.n_sample);
    const CrossEntropy<double> loss;
    Optimizer<double> optimizer(Adagrad<double>{}, {.learning_rate = p.effective_learning_rate()});
    auto table_state = optimizer.state_for(table);
    auto input_state = optimizer.state_for(layer.w_input());
    auto gates_state = optimizer.state_for(layer.w_gates());
    auto hidden_state = optimizer.state_for(layer.w_hidden());
    auto bias_state = optimizer.state_for(layer.bias());
    GruRecord<double> record;

    std::vector<double> losses;
    for (std::uint64_t epoch = 0; epoch < static_cast<std::uint64_t>(p.n_epochs); ++epoch) {
        batcher.start_epoch(epoch);
        Matrix<double> h(0, width);
        double weighted_loss = 0;
        for (std::uint64_t step = 0;; ++step) {
            const MiniBatch batch = batcher.next();
            if (batch.n_lanes() == 0) {
                break;
            }
            // Forward: items in, hidden states, loss of the candidates.
            const Matrix<double> x = gather(table.leftCols(width), batch.inputs);
            h = layer.forward(x, carry_states(h, batch.previous_lane), record);
            candidates.build(batch.targets, negatives.of_step(epoch, step));
            auto output = in_batch_loss(loss, h, table, candidates);
            // As Trainer reports it: of the steps' losses over batch_size, the mean weighted by lanes.
            weighted_loss += output.loss / p.batch_size * static_cast<double>(batch.n_lanes());

            // Backward, of the loss over batch_size.
            output.d_h /= p.batch_size;
            output.d_table.rows /= p.batch_size;
            const auto g = layer.backward(output.d_h, record);

            // Update; an item that was both input and candidate is updated once.
            optimizer.update(table, merged(output.d_table, gather_gradient(g.d_x, batch.inputs)), table_state);
            optimizer.update(layer.w_input(), g.d_w_input, input_state);
            optimizer.update(layer.w_gates(), g.d_w_gates, gates_state);
            optimizer.update(layer.w_hidden(), g.d_w_hidden, hidden_state);
            optimizer.update(layer.bias(), g.d_bias, bias_state);
        }
        losses.push_back(weighted_loss / static_cast<double>(sessions.n_pairs()));
    }
    return losses;
}

int main() {
    const Dataset data = split_synthetic(SyntheticShop({.n_sessions = 1000})).train;
    const Hyperparameters parameters{.layers = {24}, .n_epochs = 3, .n_sample = 64};
    Model<double> model(data, parameters);
    constexpr std::uint64_t seed = 42;
    const std::vector<double> losses = train_with_blocks(model, data, seed);
    const FitReport report = Trainer<double>(model, {.seed = seed}).fit(data);  // changes the model: comes second

    double largest = 0;
    for (std::size_t epoch = 0; epoch < losses.size(); ++epoch) {
        const double trainer_loss = report.epochs[epoch].loss;
        std::printf("epoch %d   blocks %.12f   Trainer %.12f\n", static_cast<int>(epoch) + 1, losses[epoch],
                    trainer_loss);
        largest = std::fmax(largest, std::fabs(losses[epoch] - trainer_loss) / trainer_loss);
    }
    const bool equal = largest < 1e-12;
    std::printf("the losses are %s\n", equal ? "equal up to rounding" : "different");
    return equal ? 0 : 1;
}
