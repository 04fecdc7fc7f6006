#ifndef GRU4REC_DATA_DATASET_HPP
#define GRU4REC_DATA_DATASET_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/random.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/events.hpp"
#include "gru4rec/data/grouping.hpp"
#include "gru4rec/data/id_table.hpp"
#include "gru4rec/data/item_map.hpp"
#include "gru4rec/data/session_source.hpp"
#include "gru4rec/data/time_column.hpp"
#include "gru4rec/data/time_order.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {

/// Sessions of items. Immutable: any number of threads may read it at the same time.
///
/// Sessions are numbered by first appearance; the events of a session are sorted by time, equal times in the order
/// given. Takes 4 bytes per event and 12 per session, plus the item map. Made by read_sessions() of a file or by
/// make_dataset() of arrays and lists.
class Dataset {
  public:
    Dataset() = default;

    /// @complexity O(events + sessions log(sessions)), and O(n log n) for the n events of each session that is not in
    ///             the order of time
    GRU4REC_INLINE explicit Dataset(Events events, KeepSessionIds keep_session_ids = KeepSessionIds::no);

    /// For the readers: read_sessions() and make_dataset() call it.
    GRU4REC_INLINE explicit Dataset(detail::GroupedEvents sessions);

    /// The same sessions, with the indices of a catalogue that contains all of their items: for training a model that
    /// was extended by them.
    ///
    /// @throws ConfigError naming an item that the catalogue lacks
    /// @complexity O(events + items)
    [[nodiscard]] GRU4REC_INLINE Dataset with_items(const ItemMap& items) const;

    /// Sessions, empty ones included.
    [[nodiscard]] Index n_sessions() const noexcept { return static_cast<Index>(time_order_.size()); }
    /// Events of all sessions, without unknown items.
    [[nodiscard]] Index n_events() const noexcept { return static_cast<Index>(events_.size()); }
    /// V: items of the map, even if no session contains them.
    [[nodiscard]] Index n_items() const noexcept { return items_.size(); }

    /// (input, target) pairs: n - 1 of a session of n events.
    [[nodiscard]] Index n_pairs() const noexcept { return n_pairs_; }

    /// The items of a session; empty if none of them was a known one. @pre session < n_sessions()
    [[nodiscard]] std::span<const ItemIndex> session(SessionIndex session) const noexcept {
        const Index s = to_index(session);
        GRU4REC_ASSERT(s >= 0 && s < n_sessions());
        return {events_.data() + offset(s), events_.data() + offset(s + 1)};
    }

    /// All sessions by the time of their first event, ties by index; empty ones last.
    [[nodiscard]] std::span<const SessionIndex> time_order() const noexcept { return time_order_; }

    /// The ids of the items.
    [[nodiscard]] const ItemMap& items() const noexcept { return items_; }

    /// Number of events of each item, (V).
    [[nodiscard]] std::span<const std::int64_t> supports() const noexcept { return supports_; }

    /// Number of events left out because ReadOptions::known_items lacks their item.
    [[nodiscard]] Index n_unknown_events() const noexcept { return n_unknown_events_; }

    /// True if made with KeepSessionIds::yes.
    [[nodiscard]] bool has_session_ids() const noexcept { return session_ids_.size() == n_sessions(); }

    /// @pre made with KeepSessionIds::yes
    [[nodiscard]] std::string_view session_id(SessionIndex session) const noexcept {
        GRU4REC_ASSERT(has_session_ids() && "ask for KeepSessionIds::yes");
        return session_ids_.text(to_index(session));
    }

  private:
    [[nodiscard]] Index offset(Index session) const noexcept { return detail::at(offsets_, session); }

    std::vector<ItemIndex> events_;
    std::vector<Index> offsets_{0};
    std::vector<SessionIndex> time_order_;
    std::vector<std::int64_t> supports_;
    ItemMap items_;
    detail::IdTable session_ids_;
    Index n_pairs_ = 0;
    Index n_unknown_events_ = 0;
};

namespace detail {

/// An array: a vector, a span, a deque, an Eigen vector or expression.
template <class Array>
concept IndexedArray = requires(const Array& values, Index i) {
    std::begin(values)[i];
    std::size(values);
};

template <class Array>
using ElementOf = std::remove_cvref_t<decltype(std::begin(std::declval<const Array&>())[Index{}])>;

/// Any integer type but bool and those of characters.
template <class Id>
concept IntegerId = std::integral<Id> && sizeof(Id) <= sizeof(std::int64_t) && !std::same_as<Id, bool> &&
                    !std::same_as<Id, char> && !std::same_as<Id, wchar_t> && !std::same_as<Id, char8_t> &&
                    !std::same_as<Id, char16_t> && !std::same_as<Id, char32_t>;

/// Session or item ids: integers or strings.
template <class Array>
concept IdArray = IndexedArray<Array> &&
    (IntegerId<ElementOf<Array>> || std::convertible_to<const ElementOf<Array>&, std::string_view>);

/// Times: integers or floating-point seconds.
template <class Array>
concept TimeArray = IndexedArray<Array> &&(IntegerId<ElementOf<Array>> || std::floating_point<ElementOf<Array>>);

/// A list of sessions, each an array of item ids.
template <class List>
concept IdLists = IndexedArray<List> && IdArray<ElementOf<List>>;

/// A list of sessions, each an array of ItemIndex.
template <class List>
concept ItemLists =
    IndexedArray<List> && IndexedArray<ElementOf<List>> && std::same_as<ElementOf<ElementOf<List>>, ItemIndex>;

/// An id as text; integers are written into `buffer`.
template <class Id>
[[nodiscard]] std::string_view id_text(const Id& id, std::string& buffer) {
    if constexpr (IntegerId<Id>) {
        buffer = format_number(id);
        return buffer;
    } else {
        return id;
    }
}

/// The time of row `row`. @throws ConfigError if it does not fit
template <class Time>
[[nodiscard]] EventTime array_time(Time time, Index row) {
    if constexpr (std::floating_point<Time>) {
        if (const auto when = to_event_time(static_cast<double>(time))) {
            return *when;
        }
    } else if (std::in_range<std::int64_t>(time)) {
        return {static_cast<std::int64_t>(time), 0};
    }
    throw_invalid("times[" + std::to_string(row) + "]", time, "a finite number within 64 bits");
}

/// Makes sessions of lists whose order is their order in time.
///
/// @param item_of  the index of an element, or nullopt to leave it out; gets the element and its place for messages
template <class Lists, class ItemOf>
void append_sessions(GroupedEvents& grouped, const Lists& sessions, const ItemOf& item_of) {
    const auto n_sessions = static_cast<Index>(std::size(sessions));
    for (Index s = 0; s < n_sessions; ++s) {
        const auto& session = std::begin(sessions)[s];
        const auto length = static_cast<Index>(std::size(session));
        for (Index e = 0; e < length; ++e) {
            const auto place = [&] { return "sessions[" + std::to_string(s) + "][" + std::to_string(e) + "]"; };
            if (const std::optional<ItemIndex> item = item_of(std::begin(session)[e], place)) {
                grouped.items.push_back(*item);
            } else {
                ++grouped.n_unknown;
            }
        }
        grouped.offsets.push_back(static_cast<Index>(grouped.items.size()));
        grouped.first_times.push_back({s, 0});
    }
}

}  // namespace detail

/// Makes a data set of arrays: event e has session_ids[e], item_ids[e] and times[e]. Events may come in any order.
///
///     std::vector<std::int64_t> sessions{1, 1, 2};
///     std::vector<std::string> items{"tea", "milk", "tea"};
///     Eigen::VectorXd times = ...;
///     const gru4rec::Dataset train = gru4rec::make_dataset(sessions, items, times);
///
/// @param session_ids  integers or strings in a vector, span, deque, Eigen vector or the like
/// @param item_ids     integers or strings; an integer is stored as its decimal text
/// @param times        integers or floating-point seconds, rounded to 1e-9
/// @param options      `columns` is ignored
/// @throws ConfigError for arrays of unequal length, and naming the row for an invalid id or time
/// @complexity O(events), and O(n log n) for the events of sessions that are not in the order of time
template <detail::IdArray Sessions, detail::IdArray Items, detail::TimeArray Times>
[[nodiscard]] Dataset make_dataset(const Sessions& session_ids, const Items& item_ids, const Times& times,
                                   const ReadOptions& options = {}) {
    const auto n = static_cast<Index>(std::size(session_ids));
    const auto n_item_ids = static_cast<Index>(std::size(item_ids));
    const auto n_times = static_cast<Index>(std::size(times));
    if (n_item_ids != n || n_times != n) {
        detail::throw_invalid("make_dataset got " + std::to_string(n) + " session ids, " + std::to_string(n_item_ids) +
                              " item ids and " + std::to_string(n_times) +
                              " times; the arrays must be of equal length");
    }
    detail::EventCollector collector(options.known_items);
    collector.reserve(n);
    std::string session_buffer;
    std::string item_buffer;
    for (Index row = 0; row < n; ++row) {
        const detail::EventProblem problem = collector.add(
            detail::id_text(std::begin(session_ids)[row], session_buffer),
            detail::id_text(std::begin(item_ids)[row], item_buffer), detail::array_time(std::begin(times)[row], row));
        if (problem) {
            detail::throw_invalid("row " + std::to_string(row) + " of the arrays: " + problem.text);
        }
    }
    return Dataset(std::move(collector).take(), options.keep_session_ids);
}

/// Makes a data set of a list of sessions, each a list of item ids, oldest event first. Session s of the data set is
/// sessions[s], its id the decimal text of s; earlier sessions of the list are earlier in time.
///
///     const std::vector<std::vector<std::string>> sessions{{"tea", "milk"}, {"tea", "sugar", "milk"}};
///     const gru4rec::Dataset train = gru4rec::make_dataset(sessions);
///
/// @param options  `columns` is ignored
/// @throws ConfigError naming the place of an invalid id
/// @complexity O(events)
template <detail::IdLists Sessions>
[[nodiscard]] Dataset make_dataset(const Sessions& sessions, const ReadOptions& options = {}) {
    detail::GroupedEvents grouped;
    if (options.known_items != nullptr) {
        grouped.item_map = *options.known_items;
    }
    std::string buffer;
    const auto item_of = [&](const auto& id, const auto& place) -> std::optional<ItemIndex> {
        const std::string_view text = detail::id_text(id, buffer);
        if (const auto known = grouped.item_map.find(text)) {
            return known;
        }
        if (const std::string_view problem = detail::item_id_problem(text); !problem.empty()) {
            detail::throw_invalid(place() + ": " + detail::bad_item_id(text, problem));
        }
        return options.known_items != nullptr ? std::nullopt : std::optional(grouped.item_map.insert(text));
    };
    detail::append_sessions(grouped, sessions, item_of);
    for (Index s = 0; options.keep_session_ids == KeepSessionIds::yes && s < grouped.n_sessions(); ++s) {
        grouped.session_ids.insert_ascending(detail::format_number(s));
    }
    return Dataset(std::move(grouped));
}

/// Makes a data set of a list of sessions whose items are indices of a catalogue already.
///
/// @param items  gives the indices their ids
/// @throws ConfigError naming the place of an index that is not in the catalogue
/// @complexity O(events + items)
template <detail::ItemLists Sessions>
[[nodiscard]] Dataset make_dataset(const Sessions& sessions, const ItemMap& items) {
    detail::GroupedEvents grouped;
    grouped.item_map = items;
    const auto item_of = [&](ItemIndex item, const auto& place) {
        if (to_index(item) < 0 || to_index(item) >= items.size()) {
            detail::throw_invalid(place(), to_index(item), "0 <= index < " + std::to_string(items.size()));
        }
        return std::optional(item);
    };
    detail::append_sessions(grouped, sessions, item_of);
    return Dataset(std::move(grouped));
}

/// A Dataset as a source of training sessions. Skips sessions without events.
class OrderedSessions {
  public:
    /// @param dataset  must outlive this object
    /// @param seed     used for SessionOrder::random: the permutation is a function of seed and epoch
    explicit OrderedSessions(const Dataset& dataset, SessionOrder order = SessionOrder::time, std::uint64_t seed = 42)
        : dataset_(&dataset), order_(order), seed_(seed) {
        if (order_ != SessionOrder::time) {
            sequence_.resize(static_cast<std::size_t>(dataset.n_sessions()));
        }
        start_epoch(0);
    }

    /// A temporary Dataset would not outlive the source.
    explicit OrderedSessions(const Dataset&&, SessionOrder = SessionOrder::time, std::uint64_t = 42) = delete;

    /// Rewinds, and for SessionOrder::random draws the permutation of that epoch.
    /// @complexity O(1) in the order of time, else O(sessions)
    void start_epoch(std::uint64_t epoch) {
        next_ = 0;
        if (order_ == SessionOrder::time) {
            return;
        }
        for (std::size_t s = 0; s < sequence_.size(); ++s) {
            sequence_[s] = to_session(static_cast<Index>(s));
        }
        if (order_ == SessionOrder::random) {
            detail::Random(seed_, detail::Random::Stream::session_order, {epoch}).shuffle(std::span(sequence_));
        }
    }

    /// The next session that has events; an empty span at the end of the epoch.
    [[nodiscard]] std::span<const ItemIndex> next_session() noexcept {
        const std::span<const SessionIndex> sequence =
            order_ == SessionOrder::time ? dataset_->time_order() : std::span<const SessionIndex>(sequence_);
        while (next_ < sequence.size()) {
            const std::span<const ItemIndex> session = dataset_->session(sequence[next_++]);
            if (!session.empty()) {
                return session;
            }
        }
        return {};
    }

    /// @{
    /// As Dataset::n_items and Dataset::n_pairs.
    [[nodiscard]] Index n_items() const noexcept { return dataset_->n_items(); }
    [[nodiscard]] Index n_pairs() const noexcept { return dataset_->n_pairs(); }
    /// @}

  private:
    const Dataset* dataset_;
    SessionOrder order_;
    std::uint64_t seed_;
    std::vector<SessionIndex> sequence_;
    std::size_t next_ = 0;
};

static_assert(SessionSource<OrderedSessions>);

#if GRU4REC_DEFINITIONS

GRU4REC_INLINE Dataset::Dataset(Events events, KeepSessionIds keep_session_ids)
    : Dataset(detail::group_by_session(std::move(events), keep_session_ids)) {}

GRU4REC_INLINE Dataset::Dataset(detail::GroupedEvents sessions)
    : events_(std::move(sessions.items)),
      offsets_(std::move(sessions.offsets)),
      time_order_(detail::order_by_time(offsets_, std::move(sessions.first_times))),
      supports_(detail::count_items(events_, sessions.item_map.size())),
      items_(std::move(sessions.item_map)),
      session_ids_(std::move(sessions.session_ids)),
      n_unknown_events_(sessions.n_unknown) {
    for (Index s = 0; s < n_sessions(); ++s) {
        n_pairs_ += (std::max)(Index{0}, offset(s + 1) - offset(s) - 1);
    }
}

GRU4REC_INLINE Dataset Dataset::with_items(const ItemMap& items) const {
    std::vector<ItemIndex> new_index;
    for (Index i = 0; i < n_items(); ++i) {
        const auto found = items.find(items_.id(to_item(i)));
        if (!found) {
            detail::throw_invalid("item " + detail::quote(items_.id(to_item(i))) +
                                  " of the data is not in the catalogue");
        }
        new_index.push_back(*found);
    }
    Dataset result = *this;
    for (ItemIndex& item : result.events_) {
        item = detail::at(new_index, item);
    }
    result.supports_ = detail::count_items(result.events_, items.size());
    result.items_ = items;
    return result;
}

#endif

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
