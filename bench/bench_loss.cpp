#include "support/data.hpp"
#include "support/measure.hpp"
#include "support/naive/losses.hpp"
#include "support/twin.hpp"

#include "gru4rec/core/parallel.hpp"
#include "gru4rec/model/factories.hpp"

#include <benchmark/benchmark.h>

#include <cstring>
#include <numeric>
#include <string>
#include <vector>

namespace bench {
namespace {

struct NamedLoss {
    const char* name;
    const char* final_act;  ///< null: none
};

constexpr NamedLoss losses[] = {{"cross-entropy", nullptr}, {"bpr", "tanh"},        {"bpr", "linear"},
                                {"top1", "tanh"},           {"bpr-max", "elu-0.5"}, {"top1-max", "elu-0.5"}};

/// The scores of M lanes against K candidates, each in a column of its own; lane i's target is column i.
class Scores {
  public:
    Scores(Index n_lanes, Index n_columns)
        : raw_(n_lanes, n_columns, 1, 31),
          scores_(raw_),
          d_scores_(n_lanes, n_columns),
          targets_(static_cast<std::size_t>(raw_.padded_lanes())),
          drawn_(targets_.size(), -1),
          weights_(static_cast<std::size_t>(n_columns), 1.0F),
          sums_(static_cast<std::size_t>(gru4rec::detail::Chunks{n_lanes, group}.count())) {
        std::iota(targets_.begin(), targets_.end(), 0);
    }

    /// The loss uses the scores up.
    void restore() noexcept {
        const auto bytes = static_cast<std::size_t>(raw_.view().stride * raw_.n()) * sizeof(float);
        std::memcpy(scores_.view().data, raw_.view().data, bytes);
    }

    /// The sum over the lanes, which are ranked in groups as in a training step.
    float rank(const gru4rec::detail::AnyLoss<float>& loss) {
        gru4rec::detail::parallel_ranges({raw_.lanes(), group}, [&](Index begin, Index end) {
            gru4rec::ScoreBlock<float> block;
            block.scores = {scores_.view().data + begin, scores_.view().stride};
            block.d_scores = {d_scores_.view().data + begin, d_scores_.view().stride};
            block.n_lanes = end - begin;
            block.n_columns = raw_.n();
            block.n_candidates = static_cast<float>(raw_.n());
            block.target_column = targets_.data() + begin;
            block.drawn_column = drawn_.data() + begin;
            block.weight = weights_.data();
            sums_[static_cast<std::size_t>(begin / group)] = loss(block);
        });
        return std::accumulate(sums_.begin(), sums_.end(), 0.0F);
    }

    [[nodiscard]] std::string check(const gru4rec::detail::AnyLoss<float>& loss, const NamedLoss& named) {
        naive::LossSettings settings;
        settings.loss = naive::loss_from_text(named.name);
        if (named.final_act != nullptr) {
            settings.final_act = naive::activation_from_text(named.final_act);
        }
        std::vector<std::size_t> items(static_cast<std::size_t>(raw_.n()));
        std::iota(items.begin(), items.end(), std::size_t{0});
        const naive::LossResult wanted =
            naive::evaluate_loss(settings, to_matrix(raw_.view(), raw_.lanes(), raw_.n()), items);
        restore();
        const auto sum = static_cast<double>(rank(loss));
        const std::string problem = difference("the loss", sum, wanted.sum, rounding(raw_.n(), 1));
        // A lane's gradient is a sum over the negatives at its target, and a few functions' roundings elsewhere.
        return problem.empty() ? difference("d_scores", to_matrix(d_scores_.view(), raw_.lanes(), raw_.n()),
                                            wanted.d_scores, rounding(raw_.n(), 0.25))
                               : problem;
    }

  private:
    static constexpr Index group = gru4rec::detail::scalars_per_line<float>;

    Columns raw_;
    Columns scores_;
    Columns d_scores_;
    std::vector<std::int32_t> targets_;
    std::vector<std::int32_t> drawn_;
    std::vector<float> weights_;
    std::vector<float> sums_;
};

void rank(benchmark::State& state, const NamedLoss& named) {
    const Index n_lanes = state.range(0);
    const Index n_columns = state.range(1);
    const int threads = static_cast<int>(state.range(2));
    gru4rec::Hyperparameters p;
    p.set("loss", named.name);
    if (named.final_act != nullptr) {
        p.set("final_act", named.final_act);
    }
    const gru4rec::detail::AnyLoss<float> loss = gru4rec::detail::make_loss<float>(p);
    Scores scores(n_lanes, n_columns);
    const std::string name = std::string(named.name) + " " + std::to_string(n_lanes) + " " + std::to_string(n_columns);
    if (passes(state, name + " " + p.entries().front().second + (named.final_act != nullptr ? named.final_act : ""),
               [&] { return scores.check(loss, named); })) {
        // Scores are read and their gradients written once, at least.
        const auto n_scores = static_cast<double>(n_lanes * n_columns);
        measure(
            state, threads, {.bytes = 2 * sizeof(float) * n_scores, .items = n_scores, .items_name = "scores/s"},
            [&] { scores.restore(); }, [&] { benchmark::DoNotOptimize(scores.rank(loss)); });
    }
}

void register_all() {
    for (const NamedLoss& named : losses) {
        const std::string name = std::string(named.name) + (named.final_act != nullptr ? "/" : "") +
                                 (named.final_act != nullptr ? named.final_act : "");
        auto* const registered =
            benchmark::RegisterBenchmark(name.c_str(), [&named](benchmark::State& state) { rank(state, named); });
        registered->ArgNames({"M", "K", "threads"})->Unit(benchmark::kMicrosecond)->UseRealTime();
        for (const std::int64_t threads : thread_counts()) {
            registered->Args({50, 50, threads});
            for (const Shape& shape : published_shapes) {
                registered->Args({shape.lanes, shape.candidates, threads});
            }
        }
    }
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
    bench::register_all();
    return bench::run(argc, argv);
}
