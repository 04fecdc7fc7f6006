#ifndef GRU4REC_EVAL_SCHEDULE_HPP
#define GRU4REC_EVAL_SCHEDULE_HPP

#include "gru4rec/batch/session_parallel.hpp"
#include "gru4rec/core/config.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/kernels.hpp"
#include "gru4rec/core/packed_lists.hpp"
#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/dataset.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

// The order in which test sessions are fed, and which of their events are scored. If a session began before the test
// data, its earlier events are fed first and not scored.
namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// The earlier events of each test session that has a prediction.
class SessionHistories {
  public:
    /// @param history  nullptr: no session has earlier events
    /// @throws ConfigError if the data sets lack session ids or differ in their items, or if the history
    ///         contains the test data
    GRU4REC_INLINE SessionHistories(const Dataset& test, const Dataset* history);

    /// Oldest first.
    [[nodiscard]] std::span<const ItemIndex> of(SessionIndex session) const noexcept {
        return of_sessions_.empty() ? std::span<const ItemIndex>() : at(of_sessions_, session);
    }
    /// Sessions with earlier events.
    [[nodiscard]] Index n_sessions() const noexcept { return n_sessions_; }
    [[nodiscard]] Index n_events() const noexcept { return n_events_; }

  private:
    /// Finds the earlier events of the test sessions.
    ///
    /// @returns the sessions whose earlier events end with those of the test session
    [[nodiscard]] GRU4REC_INLINE Index match(const Dataset& test, const Dataset& history);

    [[nodiscard]] static bool ends_with(std::span<const ItemIndex> events, std::span<const ItemIndex> end) {
        return events.size() >= end.size() && std::equal(end.rbegin(), end.rend(), events.rbegin());
    }

    std::vector<std::span<const ItemIndex>> of_sessions_;
    Index n_sessions_ = 0;
    Index n_events_ = 0;
};

/// The sessions of a test set, each preceded by its earlier events. Long sessions come first, so that all lanes finish
/// at about the same time.
class LongestFirst {
  public:
    /// Both must outlive this object.
    GRU4REC_INLINE LongestFirst(const Dataset& dataset, const SessionHistories& histories);

    void start_epoch(std::uint64_t) noexcept { next_ = 0; }
    [[nodiscard]] std::span<const ItemIndex> next_session() noexcept {
        return next_ < order_.size() ? session(next_++) : std::span<const ItemIndex>();
    }
    [[nodiscard]] Index n_items() const noexcept { return dataset_->n_items(); }
    [[nodiscard]] Index n_pairs() const noexcept { return dataset_->n_pairs() + histories_->n_events(); }
    /// The n-th session, from 0. Sessions without a prediction come last.
    [[nodiscard]] SessionIndex nth(std::size_t n) const noexcept { return order_[n]; }
    /// Earlier events of the n-th session.
    [[nodiscard]] Index history_of_nth(std::size_t n) const noexcept {
        return static_cast<Index>(histories_->of(order_[n]).size());
    }

  private:
    [[nodiscard]] std::span<const ItemIndex> session(std::size_t n) const noexcept {
        return history_of_nth(n) == 0 ? dataset_->session(order_[n]) : joined_[static_cast<Index>(n)];
    }

    GRU4REC_INLINE void join_histories();

    const Dataset* dataset_;
    const SessionHistories* histories_;
    std::vector<SessionIndex> order_;
    // List n: history and events of session order_[n], empty if it has no history; no lists at all if no session has
    // one.
    PackedLists<ItemIndex> joined_;
    std::size_t next_ = 0;
};

/// The session of each lane in a step, and the position in it.
class LanePlaces {
  public:
    struct Place {
        SessionIndex session{};
        Index position = 0;  ///< test events before the target; <= 0: the target is not scored
    };

    LanePlaces(const LongestFirst& sessions, Index max_lanes)
        : sessions_(sessions), places_(static_cast<std::size_t>(max_lanes)) {}

    /// @param previous_lane  MiniBatch::previous_lane; lanes start sessions in lane order
    void enter_step(std::span<const Index> previous_lane) noexcept {
        for (std::size_t m = 0; m < previous_lane.size(); ++m) {
            const Index previous = previous_lane[m];  // >= m, so its place has not been overwritten yet
            if (previous == MiniBatch::fresh) {
                places_[m] = {sessions_.nth(n_started_), 1 - sessions_.history_of_nth(n_started_)};
                ++n_started_;
            } else {
                const Place& place = at(places_, previous);
                places_[m] = {place.session, place.position + 1};
            }
        }
    }

    [[nodiscard]] const Place& of(Index lane) const noexcept { return at(places_, lane); }

  private:
    const LongestFirst& sessions_;
    std::vector<Place> places_;
    std::size_t n_started_ = 0;
};

/// The lanes of a step whose targets are scored, moved side by side. Lanes that still feed their history are left out.
template <class Scalar>
class ScoredLanes {
  public:
    /// @param width  H + 1
    ScoredLanes(Index max_lanes, Index width);

    /// @param h  (M, H + 1), of all lanes
    void choose(const MiniBatch& batch, LaneMatrix<const Scalar> h, const LanePlaces& places);

    [[nodiscard]] Index size() const noexcept { return static_cast<Index>(targets_.size()); }
    /// (size, H + 1)
    [[nodiscard]] LaneMatrix<const Scalar> h() const noexcept { return h_; }
    [[nodiscard]] std::span<const ItemIndex> targets() const noexcept { return targets_; }
    [[nodiscard]] const LanePlaces::Place& place(Index i) const noexcept { return at(places_, i); }

  private:
    Index width_;
    Index stride_;
    AlignedBuffer<Scalar> packed_;
    LaneMatrix<const Scalar> h_;
    std::vector<Index> lanes_;
    std::vector<LanePlaces::Place> places_;
    std::vector<ItemIndex> targets_;
};

template <class Scalar>
ScoredLanes<Scalar>::ScoredLanes(Index max_lanes, Index width)
    : width_(width), stride_(row_stride<Scalar>(max_lanes)), packed_(stride_ * padded<Scalar>(width)) {
    lanes_.reserve(static_cast<std::size_t>(max_lanes));
    places_.reserve(static_cast<std::size_t>(max_lanes));
    targets_.reserve(static_cast<std::size_t>(max_lanes));
}

template <class Scalar>
void ScoredLanes<Scalar>::choose(const MiniBatch& batch, LaneMatrix<const Scalar> h, const LanePlaces& places) {
    lanes_.clear();
    places_.clear();
    targets_.clear();
    for (Index m = 0; m < batch.n_lanes(); ++m) {
        if (places.of(m).position >= 1) {
            lanes_.push_back(m);
            places_.push_back(places.of(m));
            targets_.push_back(at(batch.targets, m));
        }
    }
    if (size() == batch.n_lanes()) {
        h_ = h;
        return;
    }
    for (Index k = 0; k < width_; ++k) {
        for (Index i = 0; i < size(); ++i) {
            packed_[k * stride_ + i] = h.column(k)[at(lanes_, i)];
        }
    }
    h_ = {packed_.data(), stride_};
}

#if GRU4REC_DEFINITIONS

GRU4REC_INLINE SessionHistories::SessionHistories(const Dataset& test, const Dataset* history) {
    if (history == nullptr) {
        return;
    }
    if (!test.has_session_ids() || !history->has_session_ids()) {
        throw_invalid("the history is found by session id: read test data and history with KeepSessionIds::yes");
    }
    if (history->items() != test.items()) {
        throw_invalid("the items of the history are not the test data's: read both with the same known_items");
    }
    const Index n_ending_alike = match(test, *history);
    if (n_sessions_ > 0 && n_ending_alike == n_sessions_) {
        throw_invalid(
            "the history of every session ends with the very events of its test session: it must hold the events "
            "before the test data, not the test data themselves");
    }
}

GRU4REC_INLINE Index SessionHistories::match(const Dataset& test, const Dataset& history) {
    std::unordered_map<std::string_view, SessionIndex> by_id;
    for (Index s = 0; s < history.n_sessions(); ++s) {
        by_id.emplace(history.session_id(to_session(s)), to_session(s));
    }
    Index n_ending_alike = 0;
    of_sessions_.resize(static_cast<std::size_t>(test.n_sessions()));
    for (Index s = 0; s < test.n_sessions(); ++s) {
        const auto found = by_id.find(test.session_id(to_session(s)));
        if (found != by_id.end() && test.session(to_session(s)).size() > 1) {
            const std::span<const ItemIndex> events = history.session(found->second);
            at(of_sessions_, s) = events;
            n_sessions_ += events.empty() ? 0 : 1;
            n_events_ += static_cast<Index>(events.size());
            n_ending_alike += ends_with(events, test.session(to_session(s))) ? 1 : 0;
        }
    }
    return n_ending_alike;
}

GRU4REC_INLINE LongestFirst::LongestFirst(const Dataset& dataset, const SessionHistories& histories)
    : dataset_(&dataset), histories_(&histories), order_(static_cast<std::size_t>(dataset.n_sessions())) {
    for (std::size_t s = 0; s < order_.size(); ++s) {
        order_[s] = to_session(static_cast<Index>(s));
    }
    const auto length = [&](SessionIndex s) { return histories.of(s).size() + dataset.session(s).size(); };
    std::stable_sort(order_.begin(), order_.end(),
                     [&](SessionIndex a, SessionIndex b) { return length(a) > length(b); });
    join_histories();
}

GRU4REC_INLINE void LongestFirst::join_histories() {
    if (histories_->n_events() == 0) {
        return;
    }
    std::vector<ItemIndex> joined;
    for (const SessionIndex s : order_) {
        const std::span<const ItemIndex> earlier = histories_->of(s);
        joined.assign(earlier.begin(), earlier.end());
        if (!earlier.empty()) {
            const std::span<const ItemIndex> own = dataset_->session(s);
            joined.insert(joined.end(), own.begin(), own.end());
        }
        joined_.push_back(joined);
    }
}

#endif

}  // namespace detail

#if defined(GRU4REC_COMPILED)
extern template class SessionParallelBatcher<detail::LongestFirst>;
#endif

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
