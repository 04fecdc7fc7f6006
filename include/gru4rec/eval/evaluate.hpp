#ifndef GRU4REC_EVAL_EVALUATE_HPP
#define GRU4REC_EVAL_EVALUATE_HPP

#include "gru4rec/batch/session_parallel.hpp"
#include "gru4rec/core/config.hpp"
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/core/top_k.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/dataset.hpp"
#include "gru4rec/eval/bootstrap.hpp"
#include "gru4rec/eval/catalogue_scan.hpp"
#include "gru4rec/eval/list_metrics.hpp"
#include "gru4rec/eval/metrics.hpp"
#include "gru4rec/eval/schedule.hpp"
#include "gru4rec/model/model.hpp"
#include "gru4rec/model/passes.hpp"

#include <chrono>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {

/// Ranks items without a network: a baseline, or a predictor that knows how the data were generated. Copies share their
/// tables and have independent sessions.
template <class S>
concept Scorer = std::copy_constructible<S> && requires(S scorer, ItemIndex item, std::span<double> scores) {
    scorer.reset();         // starts a new session
    scorer.observe(item);   // the session's next item
    scorer.scores(scores);  // (V) the higher, the more likely the next item
    { scorer.n_items() } -> std::convertible_to<Index>;
};

namespace detail {

/// The ranks of all targets of a test set, ordered by session and position, in whatever order they are set.
///
/// @threads distinct targets may be set at the same time
class RankRecord {
  public:
    explicit RankRecord(const Dataset& test) {
        ranks_.reserve(static_cast<std::size_t>(test.n_pairs()));
        first_.reserve(static_cast<std::size_t>(test.n_sessions()));
        for (Index s = 0; s < test.n_sessions(); ++s) {
            const std::span<const ItemIndex> session = test.session(to_session(s));
            first_.push_back(static_cast<Index>(ranks_.size()));
            for (std::size_t e = 1; e < session.size(); ++e) {
                ranks_.push_back({to_session(s), static_cast<Index>(e), session[e], {}});
            }
        }
    }

    void set(const LanePlaces::Place& target, const TargetRank& rank) noexcept {
        at(ranks_, at(first_, target.session) + target.position - 1).rank = rank;
    }

    [[nodiscard]] std::vector<EventRank>& ranks() noexcept { return ranks_; }

  private:
    std::vector<EventRank> ranks_;
    std::vector<Index> first_;  // per session
};

/// What is measured beyond the means over all ranks, if the options ask for it.
///
/// @threads distinct targets and any lists may be added at the same time
class ExtraMeasures {
  public:
    /// @param supports  must outlive this object, as `options` and `test` must
    ExtraMeasures(const EvaluationOptions& options, const Dataset& test, std::span<const std::int64_t> supports)
        : options_(options) {
        if (options.ranks || options.bootstrap.resamples > 0) {
            record_.emplace(test);
        }
        if (options.coverage) {
            list_length_ = detail::list_length(options, test.n_items());
            lists_.emplace(options, test.n_items(), supports);
        }
    }

    /// Items of each list; 0: no lists are measured.
    [[nodiscard]] Index list_length() const noexcept { return list_length_; }

    void add(const LanePlaces::Place& target, const TargetRank& rank) noexcept {
        if (record_) {
            record_->set(target, rank);
        }
    }

    /// @pre list_length() > 0
    template <class Scalar>
    void add_list(std::span<const Recommendation<Scalar>> list) {
        const std::scoped_lock lock(lists_mutex_);
        lists_->add(list);
    }

    void write_to(Evaluation& evaluation) {
        if (lists_) {
            lists_->write_to(evaluation);
        }
        if (options_.bootstrap.resamples > 0) {
            add_intervals(record_->ranks(), options_, evaluation);
        }
        if (options_.ranks) {
            evaluation.ranks = std::move(record_->ranks());
        }
    }

  private:
    const EvaluationOptions& options_;
    Index list_length_ = 0;
    std::optional<RankRecord> record_;
    std::optional<ListSums> lists_;
    std::mutex lists_mutex_;
};

inline void check_catalogue(Index n_items, const Dataset& test) {
    if (test.n_items() != n_items) {
        throw_invalid("the test data has " + std::to_string(test.n_items()) + " items, the model " +
                      std::to_string(n_items) + ": read it with ReadOptions::known_items = &model.items()");
    }
}

/// Feeds all sessions of a test set and ranks every item at each of their predictions.
template <class Scalar>
void rank_predictions(const Model<Scalar>& model, LongestFirst& sessions, MetricSums& sums, ExtraMeasures& extras,
                      const EvaluationOptions& options) {
    constexpr Index max_lanes = 128;
    const Network<Scalar>& network = model.network();
    SessionParallelBatcher<LongestFirst> batcher(sessions, max_lanes, 1, model.hyperparameters().input_history());
    NetworkTape<Scalar> tape(network, max_lanes);
    LanePlaces places(sessions, max_lanes);
    ScoredLanes<Scalar> scored(max_lanes, network.output_table().cols());
    CatalogueScan<Scalar> scan(network.output_table(), max_lanes, extras.list_length());
    batcher.start_epoch(0);
    for (MiniBatch batch = batcher.next(); batch.n_lanes() > 0; batch = batcher.next()) {
        if (options.on_progress) {
            options.on_progress();
        }
        tape.enter_step(batch.previous_lane);
        forward(network, batch.inputs, DropoutStep{}, tape);
        places.enter_step(batch.previous_lane);
        scored.choose(batch, tape.top().out(), places);
        if (scored.size() == 0) {
            continue;
        }
        scan.run(scored.h(), scored.targets());
        for (Index lane = 0; lane < scored.size(); ++lane) {
            const TargetRank rank = scan.rank(lane);
            sums.add(rank);
            extras.add(scored.place(lane), rank);
            if (extras.list_length() > 0) {
                extras.add_list(scan.list(lane));
            }
        }
    }
}

}  // namespace detail

/// Ranks all V items at every position of every test session. Each session starts from a zero hidden state; its earlier
/// events, if `data` has any, are fed first. Items that the session has already seen stay in the ranking. The scores of
/// different events are never kept at the same time.
///
/// @param test  read with known_items = &model.items()
/// @throws ConfigError for options out of range, or a test set with other items; what `on_progress` throws
/// @complexity O(events V H), parallel over items; memory O(V) in addition to the model
/// @threads safe: the model is const
template <class Scalar>
[[nodiscard]] Evaluation evaluate(const Model<Scalar>& model, const Dataset& test,
                                  const EvaluationOptions& options = {}, const EvaluationData& data = {}) {
    options.validate();
    detail::check_catalogue(model.n_items(), test);
    if (test.items() != model.items()) {
        detail::throw_invalid(
            "the items of the test data are not the model's: read it with ReadOptions::known_items = "
            "&model.items()");
    }
    const auto start = std::chrono::steady_clock::now();
    MetricSums sums(options);
    detail::ExtraMeasures extras(options, test, data.supports.empty() ? model.supports() : data.supports);
    const detail::SessionHistories histories(test, data.history);
    Evaluation evaluation;
    with_threads(options.max_threads, [&] {
        detail::LongestFirst sessions(test, histories);
        detail::rank_predictions(model, sessions, sums, extras, options);
        evaluation = sums.result();
        extras.write_to(evaluation);
    });
    evaluation.n_warm_sessions = histories.n_sessions();
    evaluation.n_history_events = histories.n_events();
    evaluation.seconds = detail::seconds_since(start);
    return evaluation;
}

namespace detail {

/// A Scorer of any type: evaluation is compiled once for all of them.
class AnyScorer {
  public:
    AnyScorer() = default;
    AnyScorer(const AnyScorer&) = delete;
    AnyScorer& operator=(const AnyScorer&) = delete;
    virtual ~AnyScorer() = default;

    [[nodiscard]] virtual std::unique_ptr<AnyScorer> copy() const = 0;
    [[nodiscard]] virtual Index n_items() const = 0;
    virtual void reset() = 0;
    virtual void observe(ItemIndex item) = 0;
    virtual void scores(std::span<double> out) = 0;
};

template <Scorer S>
class ScorerAdapter final : public AnyScorer {
  public:
    explicit ScorerAdapter(const S& scorer) : scorer_(scorer) {}

    [[nodiscard]] std::unique_ptr<AnyScorer> copy() const override { return std::make_unique<ScorerAdapter>(scorer_); }
    [[nodiscard]] Index n_items() const override { return static_cast<Index>(scorer_.n_items()); }
    void reset() override { scorer_.reset(); }
    void observe(ItemIndex item) override { scorer_.observe(item); }
    void scores(std::span<double> out) override { scorer_.scores(out); }

  private:
    S scorer_;
};

/// Evaluates a scorer of any type; the public `evaluate` wraps its scorer in a ScorerAdapter.
///
/// @complexity O(events V), parallel over sessions
[[nodiscard]] GRU4REC_INLINE Evaluation evaluate_scorer(const AnyScorer& scorer, const Dataset& test,
                                                        const EvaluationOptions& options, const EvaluationData& data);

#if GRU4REC_DEFINITIONS

/// Measures a scorer session by session, on one thread.
class ScorerSessions {
  public:
    ScorerSessions(const AnyScorer& scorer, ExtraMeasures& extras)
        : scorer_(scorer.copy()), extras_(extras), scores_(static_cast<std::size_t>(scorer.n_items())) {}

    /// @param earlier  events that are observed first and not scored
    void measure(SessionIndex session, std::span<const ItemIndex> earlier, std::span<const ItemIndex> items,
                 MetricSums& sums) {
        scorer_->reset();
        for (const ItemIndex item : earlier) {
            scorer_->observe(item);
        }
        for (std::size_t e = 1; e < items.size(); ++e) {
            scorer_->observe(items[e - 1]);
            scorer_->scores(scores_);
            const TargetRank rank = rank_of(items[e]);
            sums.add(rank);
            extras_.add({session, static_cast<Index>(e)}, rank);
            if (extras_.list_length() > 0) {
                add_list();
            }
        }
    }

  private:
    [[nodiscard]] TargetRank rank_of(ItemIndex item) const noexcept {
        const double target = at(scores_, item);
        TargetRank rank{0, 0, !std::isnan(target)};
        for (const double score : scores_) {
            rank.greater += score > target ? 1 : 0;
            rank.equal += score == target ? 1 : 0;
        }
        return rank;
    }

    void add_list() {
        top_.start(extras_.list_length());
        top_.offer_range(to_item(0), scores_);
        extras_.add_list(top_.finish());
    }

    std::unique_ptr<AnyScorer> scorer_;
    ExtraMeasures& extras_;
    std::vector<double> scores_;  // (V)
    TopK<double> top_;
};

GRU4REC_INLINE Evaluation evaluate_scorer(const AnyScorer& scorer, const Dataset& test,
                                          const EvaluationOptions& options, const EvaluationData& data) {
    options.validate();
    check_catalogue(scorer.n_items(), test);
    const auto start = std::chrono::steady_clock::now();
    const Chunks chunks{test.n_sessions(), 256};
    std::vector<MetricSums> parts(static_cast<std::size_t>(chunks.count()), MetricSums(options));
    ExtraMeasures extras(options, test, data.supports);
    const SessionHistories histories(test, data.history);
    Evaluation evaluation;
    with_threads(options.max_threads, [&] {
        parallel_chunks(chunks.count(), [&](Index chunk) {
            ScorerSessions sessions(scorer, extras);
            for (Index s = chunks.begin(chunk); s < chunks.end(chunk); ++s) {
                if (options.on_progress) {
                    options.on_progress();
                }
                const SessionIndex session = to_session(s);
                sessions.measure(session, histories.of(session), test.session(session), at(parts, chunk));
            }
        });
        MetricSums sums(options);
        for (const MetricSums& part : parts) {
            sums.add(part);
        }
        evaluation = sums.result();
        extras.write_to(evaluation);
    });
    evaluation.n_warm_sessions = histories.n_sessions();
    evaluation.n_history_events = histories.n_events();
    evaluation.seconds = seconds_since(start);
    return evaluation;
}

#endif

}  // namespace detail

/// The same for any scorer. EvaluationOptions::coverage needs EvaluationData::supports.
///
/// @throws ConfigError for options out of range, or a test set with other items; what `on_progress` and the scorer
///         throw
/// @complexity O(events V), parallel over sessions; memory O(V) for each thread
/// @threads safe if copies of the scorer are independent
template <Scorer S>
[[nodiscard]] Evaluation evaluate(const S& scorer, const Dataset& test, const EvaluationOptions& options = {},
                                  const EvaluationData& data = {}) {
    return detail::evaluate_scorer(detail::ScorerAdapter<S>(scorer), test, options, data);
}

#if defined(GRU4REC_COMPILED)
extern template Evaluation evaluate<float>(const Model<float>&, const Dataset&, const EvaluationOptions&,
                                           const EvaluationData&);
extern template Evaluation evaluate<double>(const Model<double>&, const Dataset&, const EvaluationOptions&,
                                            const EvaluationData&);
#endif

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
