#include "gru4rec/train/candidate_scores.hpp"

#include "gru4rec/core/parallel.hpp"
#include "gru4rec/model/model.hpp"
#include "support/naive/losses.hpp"
#include "support/naive/settings.hpp"
#include "support/test_settings.hpp"

#include <doctest/doctest.h>
#include <tbb/global_control.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

using gru4rec::Index;
using gru4rec::ItemIndex;
using test_settings::described;
using test_settings::Entries;

constexpr Index units = 37;

/// A step: the lanes' targets, what is drawn, and how many items and lanes the model is made for.
struct Scene {
    std::size_t n_items = 0;
    Index batch_size = 0;
    std::vector<std::size_t> targets;
    std::vector<std::size_t> sampled;
};

/// Targets of all items, draws from items begin .. end - 1.
Scene scene(Index batch_size, std::size_t n_lanes, std::size_t n_sample, std::pair<std::size_t, std::size_t> drawn) {
    naive::Engine engine(n_lanes + n_sample);
    Scene result{1200, batch_size, {}, {}};
    for (std::size_t m = 0; m < n_lanes; ++m) {
        result.targets.push_back(naive::uniform_index(engine, result.n_items));
    }
    for (std::size_t n = 0; n < n_sample; ++n) {
        result.sampled.push_back(drawn.first + naive::uniform_index(engine, drawn.second - drawn.first));
    }
    return result;
}

/// What follows from the scores: the loss, dh and the gradients of the items' rows [w | b], all over batch_size.
struct Outcome {
    double loss = 0;
    std::vector<double> d_h;
    std::map<std::size_t, std::vector<double>> d_rows;
};

template <class Scalar>
class Step {
  public:
    Step(Scene scene, Entries settings) : scene_(std::move(scene)), settings_(std::move(settings)) {
        settings_.emplace_back("layers", std::to_string(units));
        settings_.emplace_back("batch_size", std::to_string(scene_.batch_size));
        settings_.emplace_back("n_sample", std::to_string(scene_.sampled.size()));
        for (const auto& [name, value] : settings_) {
            p_.set(name, value);
        }
        naive::Engine engine(3);
        table_ = naive::uniform_matrix(engine, scene_.n_items, units + 1, 0.5);
        h_ = naive::uniform_matrix(engine, scene_.targets.size(), units, 1);
        for (std::size_t i = 0; i < scene_.n_items; ++i) {
            supports_.push_back(static_cast<std::int64_t>(1 + i % 7));
        }
    }

    [[nodiscard]] Outcome run(const gru4rec::detail::AnyLoss<Scalar>& loss) const {
        gru4rec::ItemMap items;
        for (std::size_t i = 0; i < scene_.n_items; ++i) {
            items.insert(std::to_string(i));
        }
        gru4rec::Model<Scalar> model(p_, items, supports_, 1);
        for (std::size_t i = 0; i < scene_.n_items; ++i) {
            for (std::size_t k = 0; k < table_.cols; ++k) {
                model.network().output_table().row(static_cast<Index>(i))[k] = static_cast<Scalar>(table_(i, k));
            }
        }
        gru4rec::detail::GruTape<Scalar> tape(scene_.batch_size, units);
        for (std::size_t m = 0; m < h_.rows; ++m) {
            for (std::size_t k = 0; k < h_.cols; ++k) {
                tape.out().column(static_cast<Index>(k))[m] = static_cast<Scalar>(h_(m, k));
            }
        }
        gru4rec::detail::CandidateScores<Scalar> scores(model.network(), model.supports(), p_, loss);
        std::vector<ItemIndex> targets;
        for (const std::size_t item : scene_.targets) {
            targets.push_back(gru4rec::to_item(static_cast<Index>(item)));
        }
        std::map<std::size_t, std::int32_t> counts;
        for (const std::size_t item : scene_.sampled) {
            ++counts[item];
        }
        std::vector<ItemIndex> drawn;
        std::vector<std::int32_t> drawn_counts;
        for (const auto& [item, count] : counts) {
            drawn.push_back(gru4rec::to_item(static_cast<Index>(item)));
            drawn_counts.push_back(count);
        }
        for (int repetition = 0; repetition < 2; ++repetition) {  // what a step leaves does not touch the next one
            scores.take(targets, {drawn, drawn_counts});
            scores.run(tape);
        }
        return outcome(scores, tape);
    }

    [[nodiscard]] gru4rec::detail::AnyLoss<Scalar> loss() const { return gru4rec::detail::make_loss<Scalar>(p_); }

    [[nodiscard]] Outcome expected() const {
        std::vector<std::size_t> items = scene_.targets;
        items.insert(items.end(), scene_.sampled.begin(), scene_.sampled.end());
        naive::Matrix r(scene_.targets.size(), items.size());
        std::vector<double> q;
        for (std::size_t j = 0; j < items.size(); ++j) {
            q.push_back(
                std::pow(static_cast<double>(supports_[items[j]]), j < scene_.targets.size() ? 1.0 : p_.sample_alpha));
            for (std::size_t m = 0; m < r.rows; ++m) {
                r(m, j) = table_(items[j], units);
                for (std::size_t k = 0; k < units; ++k) {
                    r(m, j) += h_(m, k) * table_(items[j], k);
                }
            }
        }
        const auto twin = naive::settings_from_text(p_.entries()).loss_settings();
        const naive::LossResult result = naive::evaluate_loss(twin, r, items, q);
        Outcome wanted{result.sum, std::vector<double>(h_.values.size()), {}};
        for (std::size_t j = 0; j < items.size(); ++j) {
            std::vector<double>& row = wanted.d_rows.try_emplace(items[j], units + 1).first->second;
            for (std::size_t m = 0; m < r.rows; ++m) {
                const double d = result.d_scores(m, j) / static_cast<double>(scene_.batch_size);
                for (std::size_t k = 0; k <= units; ++k) {
                    row[k] += d * (k < units ? h_(m, k) : 1);
                    if (k < units) {
                        wanted.d_h[m * units + k] += d * table_(items[j], k);
                    }
                }
            }
        }
        return wanted;
    }

  private:
    [[nodiscard]] Outcome outcome(gru4rec::detail::CandidateScores<Scalar>& scores,
                                  gru4rec::detail::GruTape<Scalar>& tape) const {
        Outcome result{scores.loss(), {}, {}};
        for (std::size_t m = 0; m < h_.rows; ++m) {
            for (Index k = 0; k < units; ++k) {
                result.d_h.push_back(static_cast<double>(tape.d_out().column(k)[m]));
            }
        }
        const gru4rec::detail::OuterGradients<Scalar> gradients = scores.gradients();
        for (Index j = 0; j < gradients.count; ++j) {
            std::vector<double> row(units + 1);
            for (Index m = 0; m < gradients.factors.n_lanes; ++m) {
                for (std::size_t k = 0; k <= units; ++k) {
                    row[k] += static_cast<double>(gradients.factors.d.column(j)[m]) *
                              static_cast<double>(gradients.factors.x(m)[k]);
                }
            }
            CHECK(result.d_rows.emplace(static_cast<std::size_t>(gradients.items[j]), row).second);
        }
        return result;
    }

    Scene scene_;
    Entries settings_;
    gru4rec::Hyperparameters p_;
    naive::Matrix table_, h_;
    std::vector<std::int64_t> supports_;
};

double difference(const std::vector<double>& a, const std::vector<double>& b) {
    REQUIRE(a.size() == b.size());
    double worst = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        worst = std::max(worst, std::abs(a[i] - b[i]));
    }
    return worst;
}

void check_equal(const Outcome& outcome, const Outcome& wanted, double tolerance) {
    CHECK(outcome.loss == doctest::Approx(wanted.loss).epsilon(tolerance));
    CHECK(difference(outcome.d_h, wanted.d_h) < tolerance);
    REQUIRE(outcome.d_rows.size() == wanted.d_rows.size());
    for (const auto& [item, row] : wanted.d_rows) {
        CHECK(difference(outcome.d_rows.at(item), row) < tolerance);
    }
}

std::vector<Scene> scenes() {
    return {scene(50, 50, 900, {0, 1200}),    // 16 shards, two groups of lanes, columns in no multiple of anything
            scene(50, 33, 900, {0, 1200}),    // fewer lanes live
            scene(50, 1, 900, {0, 1200}),     // and a single one
            scene(40, 40, 900, {500, 560}),   // draws in one shard or two, the others have some targets or none
            scene(19, 19, 30, {0, 1200}),     // so few candidates that most shards have no items
            Scene{1, 4, {0, 0, 0}, {0, 0}}};  // one item
}

}  // namespace

TEST_CASE_TEMPLATE("loss and gradients of a step's candidates are those of the naive twin, shards empty or not", Scalar,
                   double, float) {
    constexpr double tolerance = std::is_same_v<Scalar, double> ? 1e-12 : 2e-5;
    for (const Scene& s : scenes()) {
        const std::size_t lanes = s.targets.size();
        const std::size_t draws = s.sampled.size();
        CAPTURE(lanes);
        CAPTURE(draws);
        for (const Entries& settings : std::vector<Entries>{{{"loss", "cross-entropy"}, {"logq", "0.7"}},
                                                            {{"loss", "cross-entropy"}, {"mask_duplicates", "true"}},
                                                            {{"loss", "bpr"}},
                                                            {{"loss", "top1"}},
                                                            {{"loss", "bpr-max"}, {"final_act", "elu-0.5"}},
                                                            {{"loss", "top1-max"}, {"mask_duplicates", "true"}}}) {
            const std::string text = described(settings);
            CAPTURE(text);
            const Step<Scalar> step(s, settings);
            check_equal(step.run(step.loss()), step.expected(), tolerance);
        }
    }
}

TEST_CASE("a loss that wants all columns is called with them and has the same result") {
    const auto whole = [](const gru4rec::ScoreBlock<double>& block) { return gru4rec::Bpr<double>{}(block); };
    for (const Scene& s : scenes()) {
        const Step<double> step(s, {{"loss", "bpr"}, {"final_act", "linear"}});
        check_equal(step.run(gru4rec::detail::AnyLoss<double>(whole)), step.expected(), 1e-12);
    }
}

TEST_CASE("loss and gradients of candidates have the same bits with 1, 2 and 4 threads") {
    const tbb::global_control four_workers(tbb::global_control::max_allowed_parallelism, 4);
    for (const Scene& s : scenes()) {
        for (const std::string loss : {"cross-entropy", "bpr-max"}) {
            const Step<float> step(s, {{"loss", loss}});
            std::vector<Outcome> outcomes;
            for (const int threads : {1, 2, 4}) {
                gru4rec::with_threads(threads, [&] { outcomes.push_back(step.run(step.loss())); });
            }
            for (const Outcome& outcome : outcomes) {
                CHECK(outcome.loss == outcomes.front().loss);
                CHECK(outcome.d_h == outcomes.front().d_h);
                CHECK(outcome.d_rows == outcomes.front().d_rows);
            }
        }
    }
}
