#ifndef GRU4REC_EVAL_EVALUATE_HPP
#define GRU4REC_EVAL_EVALUATE_HPP

#include "gru4rec/batch/session_parallel.hpp"
#include "gru4rec/core/config.hpp"
#include "gru4rec/core/kernels.hpp"
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/core/top_k.hpp"
#include "gru4rec/data/dataset.hpp"
#include "gru4rec/eval/bootstrap.hpp"
#include "gru4rec/eval/list_metrics.hpp"
#include "gru4rec/eval/metrics.hpp"
#include "gru4rec/eval/schedule.hpp"
#include "gru4rec/model/model.hpp"
#include "gru4rec/model/passes.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {

/// Ranks items without a network: a baseline, or a predictor that knows how the data were made. Copies are independent
/// sessions over shared tables.
template <class S>
concept Scorer = std::copy_constructible<S> && requires(S scorer, ItemIndex item, std::span<double> scores) {
    scorer.reset();         // a new session begins
    scorer.observe(item);   // the session's next item
    scorer.scores(scores);  // (V) the higher, the more likely the next item
    { scorer.n_items() } -> std::convertible_to<Index>;
};

namespace detail {

/// The ranks of all targets of a test set, in the order of sessions and positions, however they come in. Different ones
/// may be noted at the same time.
class RankRecord {
  public:
    explicit RankRecord(const Dataset& test) {
        ranks_.reserve(static_cast<std::size_t>(test.n_pairs()));
        first_.reserve(static_cast<std::size_t>(test.n_sessions()));
        for (Index s = 0; s < test.n_sessions(); ++s) {
            const std::span<const ItemIndex> session = test.session(to_session(s));
            first_.push_back(ranks_.size());
            for (std::size_t e = 1; e < session.size(); ++e) {
                ranks_.push_back({to_session(s), static_cast<Index>(e), session[e], {}});
            }
        }
    }

    void note(SessionIndex session, Index position, const TargetRank& rank) noexcept {
        ranks_[first_[static_cast<std::size_t>(session)] + static_cast<std::size_t>(position) - 1].rank = rank;
    }

    [[nodiscard]] std::vector<EventRank>& ranks() noexcept { return ranks_; }

  private:
    std::vector<EventRank> ranks_;
    std::vector<std::size_t> first_;  // per session
};

/// What is measured beside the sums of ranks, where the options ask for it.
struct Extras {
    Extras(const EvaluationOptions& options, const Dataset& test, std::span<const std::int64_t> supports) {
        if (options.ranks || options.bootstrap.resamples > 0) {
            record.emplace(test);
        }
        if (options.coverage) {
            lists.emplace(options, test.n_items(), supports);
        }
    }

    void write_to(Evaluation& evaluation, const EvaluationOptions& options) {
        if (lists) {
            lists->write_to(evaluation);
        }
        if (options.bootstrap.resamples > 0) {
            add_intervals(record->ranks(), options, evaluation);
        }
        if (options.ranks) {
            evaluation.ranks = std::move(record->ranks());
        }
    }

    std::optional<RankRecord> record;
    std::optional<ListSums> lists;
};

/// Counts, for every lane, the items that score higher than the lane's target and those that score the same. Scores
/// live in a block of a few items at a time.
template <class Scalar>
class RankCounter {
  public:
    RankCounter(const Parameter<Scalar>& table, Index max_lanes)
        : table_(table),
          stride_(row_stride<Scalar>(max_lanes)),
          chunks_(chunks_by_work(table.rows(), block_items, 2.0 * static_cast<double>(max_lanes * table.cols()), 8e6)),
          blocks_(chunks_.count() * stride_ * block_items),
          counts_(chunks_.count() * 2 * stride_),
          target_scores_(stride_ * padded<Scalar>(max_lanes)),
          target_(stride_) {}

    /// @param h  (lanes, H + 1), the last column 1
    void count(LaneMatrix<const Scalar> h, std::span<const ItemIndex> targets, std::span<TargetRank> ranks) {
        const auto n_lanes = static_cast<Index>(targets.size());
        const Index lanes = padded<Scalar>(n_lanes);
        // The same kernel as below gives the same bits as the target's score in its block, so it equals itself.
        multiply_rows<Scalar>({{table_.data(), table_.stride(), targets.data()}, {0, n_lanes}, {0, table_.cols()}}, h,
                              lanes, LaneMatrix<Scalar>{target_scores_.data(), stride_});
        for (Index m = 0; m < n_lanes; ++m) {
            target_[m] = target_scores_[m * stride_ + m];
        }
        parallel_chunks(chunks_.count(), [&](Index chunk) { count_chunk(h, lanes, chunk); });
        for (Index m = 0; m < n_lanes; ++m) {
            TargetRank& rank = ranks[static_cast<std::size_t>(m)];
            rank = {0, 0, !std::isnan(target_[m])};
            for (Index chunk = 0; chunk < chunks_.count(); ++chunk) {
                rank.greater += static_cast<Index>(counts_[2 * chunk * stride_ + m]);
                rank.equal += static_cast<Index>(counts_[(2 * chunk + 1) * stride_ + m]);
            }
        }
    }

  private:
    static constexpr Index block_items = 2 * tile_multiple;

    /// Counts stay exact in Scalar: a chunk has far fewer than 2^24 items.
    void count_chunk(LaneMatrix<const Scalar> h, Index lanes, Index chunk) noexcept {
        using Lanes = SimdVector<Scalar>;
        const LaneMatrix<Scalar> scores{blocks_.data() + chunk * stride_ * block_items, stride_};
        Scalar* const greater = counts_.data() + 2 * chunk * stride_;
        Scalar* const equal = greater + stride_;
        std::fill_n(greater, 2 * stride_, Scalar(0));
        for (Index begin = chunks_.begin(chunk); begin < chunks_.end(chunk); begin += block_items) {
            const Index n = (std::min)(block_items, chunks_.end(chunk) - begin);
            multiply_rows<Scalar>({{table_.row(begin), table_.stride()}, {0, n}, {0, table_.cols()}}, h, lanes, scores);
            for (Index lane = 0; lane < lanes; lane += scalars_per_line<Scalar>) {
                const Lanes target = Lanes::load(target_.data() + lane);
                Lanes above = Lanes::load(greater + lane);
                Lanes same = Lanes::load(equal + lane);
                for (Index j = 0; j < n; ++j) {
                    const Lanes score = Lanes::load(scores.column(j) + lane);
                    above += select(score > target, Lanes(1), Lanes(0));
                    same += select(score == target, Lanes(1), Lanes(0));
                }
                above.store(greater + lane);
                same.store(equal + lane);
            }
        }
    }

    const Parameter<Scalar>& table_;
    Index stride_;
    Chunks chunks_;
    AlignedBuffer<Scalar> blocks_;         // per chunk (lanes, block_items)
    AlignedBuffer<Scalar> counts_;         // per chunk: greater, equal
    AlignedBuffer<Scalar> target_scores_;  // (lanes, targets of all lanes)
    AlignedBuffer<Scalar> target_;
};

[[nodiscard]] inline Evaluation result_of(const MetricSums& sums, const SessionHistories& histories, Extras& extras,
                                          const EvaluationOptions& options) {
    Evaluation evaluation = sums.result();
    evaluation.n_warm_sessions = histories.n_sessions();
    evaluation.n_history_events = histories.n_events();
    extras.write_to(evaluation, options);
    return evaluation;
}

inline void check_catalogue(Index n_items, const Dataset& test) {
    if (test.n_items() != n_items) {
        throw_invalid("the test data counts " + std::to_string(test.n_items()) + " items, the model " +
                      std::to_string(n_items) + ": read it with ReadOptions::known_items = &model.items()");
    }
}

}  // namespace detail

/// Ranks all V items at every position of every test session; hidden states start from zero in each session, before its
/// earlier events where EvaluationOptions::history holds such. Items
/// that were seen before in a session stay in the ranking. No score matrix of all events is ever stored.
///
/// @param test  read with known_items = &model.items()
/// @throws std::invalid_argument for options out of range or a test set with other items
/// @complexity O(events V H), parallel over items; memory O(V) beside the model
/// @threads safe: the model is const
template <class Scalar>
[[nodiscard]] Evaluation evaluate(const Model<Scalar>& model, const Dataset& test,
                                  const EvaluationOptions& options = {}) {
    options.validate();
    detail::check_catalogue(model.n_items(), test);
    if (test.items() != model.items()) {
        detail::throw_invalid(
            "the items of the test data are not the model's: read it with ReadOptions::known_items = "
            "&model.items()");
    }
    constexpr Index n_lanes = 128;
    const auto start = std::chrono::steady_clock::now();
    const detail::Network<Scalar>& network = model.network();
    detail::MetricSums sums(options);
    detail::Extras extras(options, test, options.supports.empty() ? model.supports() : options.supports);
    const detail::SessionHistories histories(test, options.history);
    Evaluation evaluation;
    with_threads(options.max_threads, [&] {
        detail::LongestFirst sessions(test, histories);
        SessionParallelBatcher<detail::LongestFirst> batcher(sessions, n_lanes, 1,
                                                             model.hyperparameters().input_history());
        detail::NetworkTape<Scalar> tape(network, n_lanes);
        detail::RankCounter<Scalar> counter(network.output_table(), n_lanes);
        std::vector<detail::TargetRank> ranks(static_cast<std::size_t>(n_lanes));
        detail::LanePlaces places(sessions, n_lanes);
        detail::ScoredLanes<Scalar> scored(n_lanes, network.output_table().cols());
        std::optional<detail::TopLists<Scalar>> top;
        if (extras.lists) {
            top.emplace(network.output_table(), n_lanes, detail::list_length(options, test.n_items()));
        }
        batcher.start_epoch(0);
        for (MiniBatch batch = batcher.next(); batch.n_lanes() > 0; batch = batcher.next()) {
            tape.enter_step(batch.previous_lane);
            forward(network, batch.inputs, detail::DropoutStep{}, tape);
            places.enter_step(batch.previous_lane);
            scored.choose(batch, tape.top().out(), places);
            if (scored.size() == 0) {
                continue;
            }
            const std::span<detail::TargetRank> of_step(ranks.data(), scored.targets().size());
            counter.count(scored.h(), scored.targets(), of_step);
            for (const detail::TargetRank& rank : of_step) {
                sums.add(rank);
            }
            for (std::size_t i = 0; i < of_step.size() && extras.record; ++i) {
                extras.record->note(scored.place(i).session, scored.place(i).position, of_step[i]);
            }
            if (top) {
                top->find(scored.h(), scored.size());
                for (Index i = 0; i < scored.size(); ++i) {
                    extras.lists->add(top->list(i));
                }
            }
        }
        evaluation = detail::result_of(sums, histories, extras, options);
    });
    evaluation.seconds = detail::seconds_since(start);
    return evaluation;
}

namespace detail {

/// Measures a scorer on one session. `scores` is scratch memory, (V).
template <Scorer S>
class ScorerSession {
  public:
    ScorerSession(const S& scorer, const EvaluationOptions& options, Extras& extras, std::mutex& of_lists)
        : scorer_(scorer),
          extras_(extras),
          of_lists_(of_lists),
          scores_(static_cast<std::size_t>(scorer.n_items())),
          list_length_(list_length(options, static_cast<Index>(scores_.size()))) {}

    /// @param earlier  events of the session that are observed first
    void measure(std::span<const ItemIndex> earlier, std::span<const ItemIndex> items, SessionIndex session,
                 MetricSums& sums) {
        scorer_.reset();
        for (const ItemIndex item : earlier) {
            scorer_.observe(item);
        }
        for (std::size_t e = 0; e + 1 < items.size(); ++e) {
            scorer_.observe(items[e]);
            scorer_.scores(scores_);
            const TargetRank rank = rank_of(items[e + 1]);
            sums.add(rank);
            if (extras_.record) {
                extras_.record->note(session, static_cast<Index>(e) + 1, rank);
            }
            if (extras_.lists) {
                add_list();
            }
        }
    }

  private:
    [[nodiscard]] TargetRank rank_of(ItemIndex item) const noexcept {
        const double target = scores_[static_cast<std::size_t>(item)];
        TargetRank rank{0, 0, !std::isnan(target)};
        for (const double score : scores_) {
            rank.greater += score > target ? 1 : 0;
            rank.equal += score == target ? 1 : 0;
        }
        return rank;
    }

    void add_list() {
        top_.start(list_length_);
        top_.offer_range(to_item(0), scores_);
        const auto list = top_.finish();
        const std::scoped_lock lock(of_lists_);
        extras_.lists->add(list);
    }

    S scorer_;
    Extras& extras_;
    std::mutex& of_lists_;
    std::vector<double> scores_;
    Index list_length_;
    TopK<double> top_;
};

}  // namespace detail

/// The same for any scorer. EvaluationOptions::coverage needs EvaluationOptions::supports.
///
/// @complexity O(events V), parallel over sessions
template <Scorer S>
[[nodiscard]] Evaluation evaluate(const S& scorer, const Dataset& test, const EvaluationOptions& options = {}) {
    options.validate();
    detail::check_catalogue(scorer.n_items(), test);
    const auto start = std::chrono::steady_clock::now();
    const detail::Chunks chunks{test.n_sessions(), 256};
    std::vector<detail::MetricSums> parts(static_cast<std::size_t>(chunks.count()), detail::MetricSums(options));
    detail::Extras extras(options, test, options.supports);
    const detail::SessionHistories histories(test, options.history);
    std::mutex of_lists;
    Evaluation evaluation;
    with_threads(options.max_threads, [&] {
        detail::parallel_chunks(chunks.count(), [&](Index chunk) {
            detail::ScorerSession<S> own(scorer, options, extras, of_lists);
            for (Index s = chunks.begin(chunk); s < chunks.end(chunk); ++s) {
                own.measure(histories.of(to_session(s)), test.session(to_session(s)), to_session(s),
                            parts[static_cast<std::size_t>(chunk)]);
            }
        });
        detail::MetricSums sums(options);
        for (const detail::MetricSums& part : parts) {
            sums.add(part);
        }
        evaluation = detail::result_of(sums, histories, extras, options);
    });
    evaluation.seconds = detail::seconds_since(start);
    return evaluation;
}

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
