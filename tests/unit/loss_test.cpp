#include "gru4rec/nn/loss.hpp"

#include "gru4rec/batch/candidates.hpp"
#include "gru4rec/batch/item_shards.hpp"
#include "gru4rec/model/factories.hpp"
#include "gru4rec/nn/any_loss.hpp"
#include "support/naive/finite_differences.hpp"
#include "support/naive/losses.hpp"
#include "support/naive/settings.hpp"
#include "support/test_settings.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

using gru4rec::Hyperparameters;
using gru4rec::Index;
using gru4rec::ItemIndex;
using gru4rec::ScoreBlock;
using gru4rec::detail::AlignedBuffer;
using gru4rec::detail::Candidates;
using test_settings::described;
using test_settings::Entries;
using Numbers = std::vector<std::size_t>;

const std::vector<std::int64_t> supports = {5, 1, 3, 2, 7, 4, 9, 2, 6, 1};

/// What a step's lanes want and what was drawn; scores are a function of lane and item.
struct Scene {
    Numbers targets, sampled;
    std::function<double(std::size_t lane, std::size_t item)> score;
};

struct ReturnsNothing {
    void operator()(const ScoreBlock<float>&) const {}
};

struct Changes {
    float operator()(const ScoreBlock<float>&) { return 0; }
};

static_assert(gru4rec::RankingLoss<gru4rec::CrossEntropy<float>, float>);
static_assert(gru4rec::RankingLoss<gru4rec::detail::AnyLoss<double>, double>);
static_assert(!gru4rec::RankingLoss<gru4rec::CrossEntropy<double>, float>);
static_assert(!gru4rec::RankingLoss<ReturnsNothing, float>);
static_assert(!gru4rec::RankingLoss<Changes, float>);

template <class Scalar>
struct Outcome {
    double sum = 0;
    std::map<std::pair<std::size_t, std::size_t>, Scalar> d;  // by lane and column
};

Hyperparameters parameters(const Entries& settings) {
    Hyperparameters p;
    for (const auto& [name, value] : settings) {
        p.set(name, value);
    }
    return p;
}

/// The library's view of a scene: equal candidates in one column.
template <class Scalar>
class Block {
  public:
    Block(const Scene& scene, const Hyperparameters& p, Scalar padding = 0)
        : candidates(supports, static_cast<Index>(scene.targets.size()), static_cast<Index>(scene.sampled.size()),
                     p.sample_alpha, p.logq),
          stride_(gru4rec::detail::row_stride<Scalar>(static_cast<Index>(scene.targets.size()))) {
        std::map<std::size_t, std::int32_t> drawn;
        for (const std::size_t item : scene.sampled) {
            ++drawn[item];
        }
        for (const auto& [item, count] : drawn) {
            drawn_items_.push_back(gru4rec::to_item(static_cast<Index>(item)));
            drawn_counts_.push_back(count);
        }
        for (const std::size_t item : scene.targets) {
            targets_.push_back(gru4rec::to_item(static_cast<Index>(item)));
        }
        candidates.build(targets_, {drawn_items_, drawn_counts_});
        scores_ = AlignedBuffer<Scalar>(stride_ * candidates.n_columns());
        d_scores_ = AlignedBuffer<Scalar>(stride_ * candidates.n_columns());
        std::fill(scores_.begin(), scores_.end(), padding);
        for (Index j = 0; j < candidates.n_columns(); ++j) {
            for (std::size_t m = 0; m < targets_.size(); ++m) {
                scores_[j * stride_ + static_cast<Index>(m)] = static_cast<Scalar>(
                    scene.score(m, static_cast<std::size_t>(candidates.items()[static_cast<std::size_t>(j)])));
            }
        }
        block_.scores = {scores_.data(), stride_};
        block_.d_scores = {d_scores_.data(), stride_};
        block_.n_lanes = static_cast<Index>(targets_.size());
        block_.n_columns = candidates.n_columns();
        block_.n_candidates = candidates.n_candidates();
        block_.target_column = candidates.target_column();
        block_.drawn_column = candidates.drawn_column();
        block_.weight = candidates.weight();
        block_.log_q = candidates.log_q();
        block_.duplicates = p.mask_duplicates ? gru4rec::Duplicates::mask : gru4rec::Duplicates::keep;
    }

    [[nodiscard]] Outcome<Scalar> run(const gru4rec::detail::AnyLoss<Scalar>& loss) {
        Outcome<Scalar> result;
        result.sum = static_cast<double>(loss(block_));
        collect(result);
        return result;
    }

    /// The same by shards that begin at the items `starts`, as a training step runs a loss in parts: some shards at a
    /// time, d_scores in the place of the scores if the loss allows it.
    [[nodiscard]] Outcome<Scalar> run_sharded(const gru4rec::detail::ShardedLoss<Scalar>& loss,
                                              const gru4rec::detail::ShardStarts& starts, Index at_a_time) {
        using gru4rec::detail::n_shards;
        constexpr Index width = gru4rec::detail::scalars_per_line<Scalar>;
        if (loss.is_in_place) {
            block_.d_scores = block_.scores;
        }
        gru4rec::detail::ByShard<gru4rec::detail::CandidateColumns> shards;
        gru4rec::detail::ByShard<bool> is_there{};
        for (std::size_t s = 0; s < n_shards; ++s) {
            shards[s] = candidates.columns_of(starts[s], starts[s + 1]);
            is_there[s] = !shards[s].empty();
        }
        const gru4rec::detail::ShardTree tree(is_there);
        AlignedBuffer<Scalar> sums((n_shards + 1) * loss.n_sums * width);
        std::fill(sums.begin(), sums.end(), std::numeric_limits<Scalar>::quiet_NaN());
        const auto of_shard = [&](Index s) { return sums.data() + s * loss.n_sums * width; };
        const auto some = [&](Index s) {
            return std::span(shards).subspan(static_cast<std::size_t>(s), static_cast<std::size_t>(at_a_time));
        };
        Outcome<Scalar> result;
        for (Index first = 0; first < block_.n_lanes; first += width) {
            gru4rec::detail::LossLine<Scalar> line(block_, first);
            if (loss.needs_target_scores) {
                line.read_target_scores(gru4rec::detail::joined(shards));
            }
            for (Index s = 0; s < n_shards; s += at_a_time) {
                line.read_target_scores(gru4rec::detail::joined(some(s)));
                loss.reduce(line, some(s), of_shard(s));
            }
            result.sum += static_cast<double>(loss.combine(line, sums.data(), tree));
            for (Index s = n_shards - at_a_time; s >= 0; s -= at_a_time) {
                loss.gradient(line, some(s), of_shard(s), of_shard(n_shards));
            }
        }
        collect(result);
        return result;
    }

    [[nodiscard]] const ScoreBlock<Scalar>& block() const { return block_; }

    Candidates<Scalar> candidates;

  private:
    void collect(Outcome<Scalar>& result) const {
        for (std::size_t m = 0; m < targets_.size(); ++m) {
            for (Index j = 0; j < candidates.n_columns(); ++j) {
                result.d[{m, static_cast<std::size_t>(j)}] = block_.d_scores.column(j)[m];
            }
        }
    }

    Index stride_;
    AlignedBuffer<Scalar> scores_, d_scores_;
    std::vector<ItemIndex> targets_, drawn_items_;
    std::vector<std::int32_t> drawn_counts_;
    ScoreBlock<Scalar> block_;
};

template <class Scalar>
Outcome<Scalar> run(const Scene& scene, const Entries& settings, Scalar padding = 0) {
    const Hyperparameters p = parameters(settings);
    p.validate();
    return Block<Scalar>(scene, p, padding).run(gru4rec::detail::make_loss<Scalar>(p));
}

/// The twin's gradients, candidate by candidate, added up into the library's columns.
Outcome<double> expected(const Scene& scene, const Entries& settings) {
    const Hyperparameters p = parameters(settings);
    const naive::Settings twin = naive::settings_from_text(p.entries());
    Numbers items = scene.targets;
    items.insert(items.end(), scene.sampled.begin(), scene.sampled.end());
    naive::Matrix scores(scene.targets.size(), items.size());
    std::vector<double> q;
    for (std::size_t j = 0; j < items.size(); ++j) {
        const double support = static_cast<double>(supports[items[j]]);
        q.push_back(j < scene.targets.size() ? support : std::pow(support, p.sample_alpha));
        for (std::size_t m = 0; m < scene.targets.size(); ++m) {
            scores(m, j) = scene.score(m, items[j]);
        }
    }
    const naive::LossResult result = naive::evaluate_loss(twin.loss_settings(), scores, items, q);
    Outcome<double> outcome;
    outcome.sum = result.sum;
    const Block<double> merged(scene, p);
    for (std::size_t m = 0; m < scene.targets.size(); ++m) {
        for (std::size_t j = 0; j < items.size(); ++j) {
            const auto item = gru4rec::to_item(static_cast<Index>(items[j]));
            auto column = static_cast<std::size_t>(merged.candidates.column_of(item));
            if (j >= scene.targets.size()) {  // a drawn target has its second column behind the distinct ones
                for (Index twin_column = merged.candidates.n_distinct(); twin_column < merged.candidates.n_columns();
                     ++twin_column) {
                    if (merged.candidates.items()[static_cast<std::size_t>(twin_column)] == item) {
                        column = static_cast<std::size_t>(twin_column);
                    }
                }
            }
            outcome.d[{m, column}] += result.d_scores(m, j);
        }
    }
    return outcome;
}

/// Every loss with every activation and switch that it may have.
std::vector<Entries> all_losses() {
    std::vector<Entries> result;
    for (const std::string mask : {"false", "true"}) {
        for (const std::string logq : {"0", "0.8"}) {
            for (const std::string smoothing : {"0", "0.3"}) {
                result.push_back(
                    {{"loss", "cross-entropy"}, {"logq", logq}, {"smoothing", smoothing}, {"mask_duplicates", mask}});
            }
        }
        for (const std::string loss : {"bpr", "top1", "bpr-max", "top1-max"}) {
            for (const std::string act : {"linear", "tanh", "relu", "leaky-0.2", "elu-0.7", "selu-1.05-1.67"}) {
                result.push_back({{"loss", loss}, {"final_act", act}, {"bpreg", "0.7"}, {"mask_duplicates", mask}});
            }
        }
        result.push_back({{"loss", "bpr"}, {"pairwise_mean", "true"}, {"mask_duplicates", mask}});
    }
    return result;
}

/// 19 lanes, so more than a cache line; equal targets, samples that are targets, samples drawn twice.
Scene crowded(std::uint64_t seed, double scale) {
    naive::Engine engine(seed);
    Scene scene;
    for (int m = 0; m < 19; ++m) {
        scene.targets.push_back(naive::uniform_index(engine, 8));
    }
    for (int n = 0; n < 7; ++n) {
        scene.sampled.push_back(3 + naive::uniform_index(engine, 7));
    }
    naive::Matrix scores = naive::uniform_matrix(engine, 19, supports.size(), scale);
    for (double& score : scores.values) {
        score = static_cast<double>(static_cast<float>(score));  // the same in both precisions
    }
    scene.score = [scores](std::size_t lane, std::size_t item) { return scores(lane, item); };
    return scene;
}

template <class Scalar>
void check_equal(const Outcome<Scalar>& outcome, const Outcome<double>& wanted, double tolerance) {
    CHECK(naive::gradient_error(outcome.sum, wanted.sum) < tolerance);
    double worst = 0;
    for (const auto& [where, d] : outcome.d) {
        worst = std::max(worst, naive::gradient_error(static_cast<double>(d), wanted.d.at(where)));
    }
    CHECK(worst < tolerance);
}

template <class Scalar>
void check_against_twin(const Scene& scene, const Entries& settings, double tolerance) {
    const std::string text = described(settings);
    CAPTURE(text);
    check_equal(run<Scalar>(scene, settings), expected(scene, settings), tolerance);
}

template <class Scalar>
bool all_finite(const Outcome<Scalar>& outcome) {
    return std::isfinite(outcome.sum) && std::all_of(outcome.d.begin(), outcome.d.end(),
                                                     [](const auto& entry) { return std::isfinite(entry.second); });
}

}  // namespace

TEST_CASE("losses and their gradients are those of the naive twin, with duplicates of every kind") {
    for (const Entries& settings : all_losses()) {
        for (std::uint64_t seed = 1; seed <= 4; ++seed) {
            CAPTURE(seed);
            check_against_twin<double>(crowded(seed, 3), settings, 1e-12);
            check_against_twin<float>(crowded(seed, 3), settings, 1e-5);
        }
    }
}

TEST_CASE_TEMPLATE("summed shard by shard, a loss and its gradients are those of the naive twin, wherever it is cut",
                   Scalar, double, float) {
    constexpr double tolerance = std::is_same_v<Scalar, double> ? 1e-12 : 1e-5;
    naive::Engine engine(12);
    for (const Entries& settings : all_losses()) {
        const std::string text = described(settings);
        CAPTURE(text);
        const Hyperparameters p = parameters(settings);
        const auto loss = gru4rec::detail::make_loss<Scalar>(p);
        REQUIRE(loss.sharded() != nullptr);
        for (std::uint64_t seed = 1; seed <= 4; ++seed) {
            CAPTURE(seed);
            const Scene scene = crowded(seed, seed == 4 ? 1e4 : 3);
            gru4rec::detail::ShardStarts starts{};  // of ten items: most shards are empty
            for (Index& start : starts) {
                start = static_cast<Index>(naive::uniform_index(engine, supports.size() + 1));
            }
            std::sort(starts.begin(), starts.end());
            starts.front() = 0;
            starts.back() = static_cast<Index>(supports.size());
            const auto outcome = Block<Scalar>(scene, p).run_sharded(*loss.sharded(), starts, 1);
            if (seed < 4 || std::is_same_v<Scalar, double>) {
                check_equal(outcome, expected(scene, settings), seed == 4 ? 1e-9 : tolerance);
            } else {
                CHECK(all_finite(outcome));
            }
            const auto in_runs = Block<Scalar>(scene, p).run_sharded(*loss.sharded(), starts, 4);
            CHECK(in_runs.sum == outcome.sum);
            CHECK(in_runs.d == outcome.d);
        }
    }
}

TEST_CASE("one lane of three columns has the losses that were worked out by hand") {
    const Scene scene{{6}, {4, 2}, [](std::size_t, std::size_t item) {
                          return item == 6 ? 0.5 : item == 4 ? -0.25 : 1.0;
                      }};
    const auto s = [](double x) { return 1 / (1 + std::exp(-x)); };
    const auto sum = [&](const Entries& settings) {
        return doctest::Approx(run<double>(scene, settings).sum).epsilon(1e-12);
    };
    const double e = std::exp(0.5) + std::exp(-0.25) + std::exp(1.0);
    CHECK(std::log(e) - 0.5 == sum({{"loss", "cross-entropy"}}));
    CHECK(std::log(e) - 0.8 * 0.5 + 0.1 * 0.25 - 0.1 == sum({{"loss", "cross-entropy"}, {"smoothing", "0.2"}}));
    // Supports 9, 7 and 3; drawn ~ support^1.
    const double corrected = std::exp(0.5) / 9 + std::exp(-0.25) / 7 + std::exp(1.0) / 3;
    CHECK(-std::log(std::exp(0.5) / 9 / corrected) ==
          sum({{"loss", "cross-entropy"}, {"logq", "1"}, {"sample_alpha", "1"}}));
    const double pairs = -std::log(s(0.75)) - std::log(s(-0.5));
    CHECK(pairs == sum({{"loss", "bpr"}, {"final_act", "linear"}}));
    CHECK(pairs / 2 == sum({{"loss", "bpr"}, {"final_act", "linear"}, {"pairwise_mean", "true"}}));
    const double top1 = (0.5 + s(-0.75) + s(0.0625) + s(0.5) + s(1.0)) / 3;
    CHECK(top1 == sum({{"loss", "top1"}, {"final_act", "linear"}}));
    const double a = std::exp(-0.25) / (std::exp(-0.25) + std::exp(1.0));
    const double b = 1 - a;
    CHECK(-std::log(a * s(0.75) + b * s(-0.5)) + 1.9 * (a * 0.0625 + b) ==
          sum({{"loss", "bpr-max"}, {"final_act", "linear"}, {"bpreg", "1.9"}}));
    CHECK(a * (s(-0.75) + s(0.0625)) + b * (s(0.5) + s(1.0)) == sum({{"loss", "top1-max"}, {"final_act", "linear"}}));
    // The defaults: tanh for bpr and top1, elu with elu_param for the others, linear where that is 0.
    const double t = std::tanh(0.5) - std::tanh(-0.25);
    const double u = std::tanh(0.5) - std::tanh(1.0);
    CHECK(-std::log(s(t)) - std::log(s(u)) == sum({{"loss", "bpr"}}));
    CHECK(run<double>(scene, {{"loss", "bpr-max"}, {"elu_param", "0"}}).sum ==
          run<double>(scene, {{"loss", "bpr-max"}, {"final_act", "linear"}}).sum);
    CHECK(run<double>(scene, {{"loss", "top1-max"}, {"elu_param", "0.3"}}).sum ==
          run<double>(scene, {{"loss", "top1-max"}, {"final_act", "elu-0.3"}}).sum);
}

TEST_CASE("scores of ten thousand of either sign, and of -1000 for all, give finite losses and gradients") {
    const auto scene = [](double (*score)(std::size_t, std::size_t)) {
        Scene result = crowded(9, 1);
        result.score = score;
        return result;
    };
    const std::vector<Scene> scenes = {
        crowded(1, 1e4),
        scene([](std::size_t lane, std::size_t item) { return (lane + item) % 2 == 0 ? 1e4 : -1e4; }),
        scene([](std::size_t lane, std::size_t item) { return item < lane ? 1e4 : -1e4; }),
        scene([](std::size_t, std::size_t) { return -1000.0; }),
        scene([](std::size_t, std::size_t) { return 1e4; }),
        scene([](std::size_t, std::size_t) { return -1e4; }),
        scene([](std::size_t, std::size_t) { return 0.0; }),
        scene([](std::size_t lane, std::size_t item) { return lane % 8 == item ? -1e4 : -1000.0; }),
        scene([](std::size_t lane, std::size_t item) { return lane % 8 == item ? 90.0 : -90.0; }),
    };
    for (const Entries& settings : all_losses()) {
        const std::string text = described(settings);
        CAPTURE(text);
        for (std::size_t i = 0; i < scenes.size(); ++i) {
            CAPTURE(i);
            CHECK(all_finite(run<float>(scenes[i], settings)));
            CHECK(all_finite(run<double>(scenes[i], settings)));
            check_against_twin<double>(scenes[i], settings, 1e-9);
        }
    }
}

TEST_CASE("what stands in the padding, and in the other lanes, does not touch a lane") {
    const Scene scene = crowded(3, 2);
    Scene poisoned = scene;
    poisoned.score = [&](std::size_t lane, std::size_t item) {
        return lane == 1 ? std::numeric_limits<double>::quiet_NaN() : lane == 2 ? 1e30 : scene.score(lane, item);
    };
    for (const Entries& settings : all_losses()) {
        const std::string text = described(settings);
        CAPTURE(text);
        const auto plain = run<double>(scene, settings);
        const auto padded = run<double>(scene, settings, std::numeric_limits<double>::quiet_NaN());
        CHECK(padded.sum == plain.sum);
        CHECK(padded.d == plain.d);
        CHECK(run<double>(scene, settings, -1e300).sum == plain.sum);
        const auto with_poison = run<double>(poisoned, settings);
        CHECK(std::isnan(with_poison.sum));
        CHECK(std::all_of(plain.d.begin(), plain.d.end(), [&](const auto& entry) {
            const std::size_t lane = entry.first.first;
            return lane == 1 || lane == 2 || with_poison.d.at(entry.first) == entry.second;
        }));
    }
}

TEST_CASE("a lane without a negative has loss and gradient 0") {
    const auto score = [](std::size_t lane, std::size_t item) { return static_cast<double>(lane + item) / 5 - 0.3; };
    for (const Entries& settings : all_losses()) {
        const std::string text = described(settings);
        CAPTURE(text);
        const auto alone = run<double>({{4}, {}, score}, settings);
        CHECK(alone.sum == 0);
        CHECK(alone.d.at({0, 0}) == 0);
        const bool masked = settings.back().second == "true";
        // All candidates are the target: masked none is left, kept they are negatives like others.
        const auto same = run<double>({{4, 4}, {4}, score}, settings);
        CHECK((same.sum == 0) == masked);
        for (const auto& [where, d] : same.d) {
            CHECK((d == 0 || !masked));
        }
        check_against_twin<double>({{4, 4}, {4}, score}, settings, 1e-12);
    }
}

TEST_CASE("in float too a lane whose many candidates are all its target has loss and gradient 0") {
    const auto score = [](std::size_t, std::size_t) { return 0.4; };
    for (const Entries& settings : all_losses()) {
        if (settings.back().second == "true") {  // duplicates are masked
            const auto same = run<float>({{4, 4}, std::vector<std::size_t>(500, 4), score}, settings);
            CHECK(same.sum == 0);
            for (const auto& [where, d] : same.d) {
                CHECK(d == 0);
            }
        }
    }
}

TEST_CASE("a block tells how many negatives a column holds for a lane") {
    const Scene scene{{2, 5, 2}, {5, 5, 1}, [](std::size_t, std::size_t) { return 0.0; }};
    const Block<float> kept(scene, parameters({{"loss", "bpr"}}));
    const Block<float> masked(scene, parameters({{"loss", "bpr"}, {"mask_duplicates", "true"}}));
    // Columns: 1, 2, 5, and 5 as drawn.
    CHECK(kept.block().negative_weight(0, 1) == 1);
    CHECK(kept.block().negative_weight(1, 1) == 2);
    CHECK(kept.block().negative_weight(1, 2) == 0);
    CHECK(kept.block().negative_weight(1, 3) == 2);
    CHECK(masked.block().negative_weight(0, 1) == 0);
    CHECK(masked.block().negative_weight(1, 3) == 0);
    CHECK(masked.block().negative_weight(0, 3) == 2);
    CHECK(masked.block().negative_weight(1, 0) == 1);
}
