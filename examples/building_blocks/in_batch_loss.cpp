// The loss over in-batch negatives: a lane's own target is to score above the targets of the other lanes and above
// items that were drawn, so that a step costs O(M K H) instead of O(M V H).
#include "gru4rec/blocks/in_batch_loss.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <vector>

int main() {
    using namespace gru4rec;
    // By hand first. Three lanes, a column per lane's target: the diagonal is what should be large.
    Matrix<double> scores(3, 3);
    scores << 2, 0, -1,  //
        0, 1, 1,         //
        -2, 0, 0;
    const auto cross_entropy = in_batch_loss(CrossEntropy<double>{}, scores);
    std::printf("cross-entropy %.4f, of lane 0 %.4f; d_scores of lane 0: %.4f %.4f %.4f\n", cross_entropy.loss,
                std::log(std::exp(2) + 1 + std::exp(-1)) - 2, cross_entropy.d_scores(0, 0),
                cross_entropy.d_scores(0, 1), cross_entropy.d_scores(0, 2));
    const auto bpr_max = in_batch_loss(BprMax<double>{{ActivationKind::elu, 0.5}}, scores);
    std::printf("bpr-max       %.4f\n", bpr_max.loss);

    // Then with hidden states, a table of all items and drawn negatives.
    constexpr Index n_items = 1000, lanes = 4, units = 8, n_sample = 16;
    const std::vector<std::int64_t> supports(n_items, 1);  // all items equally often
    StepNegatives negatives(supports, /*alpha=*/0.5, n_sample, /*seed=*/42);
    CandidateList<double> candidates(lanes, n_sample);
    const std::vector<ItemIndex> targets = {to_item(7), to_item(3), to_item(7), to_item(999)};
    candidates.build(targets, negatives.of_step(/*epoch=*/0, /*step=*/0));
    const auto column = static_cast<std::size_t>(candidates.target_columns()[0]);
    std::printf("%td candidates in %td columns: item %td counts %.0f times\n", lanes + n_sample, candidates.n_columns(),
                to_index(candidates.items()[column]), candidates.weights()[column]);

    Matrix<double> h = Matrix<double>::Constant(lanes, units, 0.5);
    RowMatrix<double> table = RowMatrix<double>::Constant(n_items, units + 1, 0.1);  // the last column is the bias
    for (int step = 0; step < 4; ++step) {  // steps downhill, on the states and the rows of the candidates
        const auto g = in_batch_loss(CrossEntropy<double>{}, h, table, candidates);
        std::printf("step %d: loss %.4f, gradient for %td of %td rows\n", step, g.loss, g.d_table.rows.rows(), n_items);
        h -= 0.5 * g.d_h;
        for (Index i = 0; i < g.d_table.rows.rows(); ++i) {
            table.row(to_index(g.d_table.items[static_cast<std::size_t>(i)])) -= 0.5 * g.d_table.rows.row(i);
        }
    }
    return 0;
}
