#include "gru4rec/train/training_step.hpp"

#include "gru4rec/batch/negative_sampler.hpp"
#include "support/small_models.hpp"

#include <doctest/doctest.h>

#include <vector>

namespace {

using gru4rec::Hyperparameters;
using gru4rec::Index;
using gru4rec::ItemIndex;
using gru4rec::MiniBatch;

}  // namespace

TEST_CASE("a window is between others where it is full or was finished, and can be given up") {
    auto model = small_models::make<double>({{"layers", "9/5"}, {"bptt", "3"}, {"adapt", "sgd"}});
    const Hyperparameters& p = model.hyperparameters();
    gru4rec::detail::TrainingStep<double> step(model.network(), model.supports(), p,
                                               gru4rec::detail::make_loss<double>(p));
    gru4rec::StepNegatives negatives(model.supports(), p.sample_alpha, p.n_sample, 1);
    const std::vector<ItemIndex> items = {gru4rec::to_item(1), gru4rec::to_item(2)};
    const auto run = [&](const std::vector<Index>& previous) {
        static_cast<void>(step.run({items, items, previous}, negatives.of_step(0, 0), {}));
    };
    const std::vector<Index> fresh = {MiniBatch::fresh, MiniBatch::fresh}, same = {0, 1};
    const auto weight = [&] { return model.network().output_table().row(1)[0]; };
    const double first = weight();
    CHECK(step.between_windows());
    run(fresh);
    CHECK(!step.between_windows());
    run(same);
    CHECK(!step.between_windows());
    CHECK(weight() == first);
    run(same);
    CHECK(step.between_windows());
    const double second = weight();
    CHECK(second != first);
    step.finish_window();
    CHECK(weight() == second);
    run(same);
    step.finish_window();
    CHECK(step.between_windows());
    const double third = weight();
    CHECK(third != second);
    run(same);
    step.reset();
    CHECK(step.between_windows());
    step.finish_window();
    CHECK(weight() == third);
    // What was given up has left nothing behind: the next windows are those of a step that never saw it.
    auto other_model = model;
    gru4rec::detail::TrainingStep<double> other(other_model.network(), model.supports(), p,
                                                gru4rec::detail::make_loss<double>(p));
    for (const std::vector<Index>& previous : {fresh, same, same, same}) {
        run(previous);
        static_cast<void>(other.run({items, items, previous}, negatives.of_step(0, 0), {}));
    }
    step.finish_window();
    other.finish_window();
    CHECK(weight() != third);
    CHECK(weight() == other_model.network().output_table().row(1)[0]);
}
