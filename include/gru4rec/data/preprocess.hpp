#ifndef GRU4REC_DATA_PREPROCESS_HPP
#define GRU4REC_DATA_PREPROCESS_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/events.hpp"
#include "gru4rec/data/id_table.hpp"
#include "gru4rec/data/item_map.hpp"
#include "gru4rec/data/parse_time.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {

/// What becomes of an event of the same item as the one before it in its session.
enum class Repeats {
    keep,
    collapse,  ///< only the first of such a row stays
};

/// How raw events become training and test data.
struct PreprocessOptions {
    Index min_session_length = 2;  ///< events; shorter sessions are dropped, >= 1
    Index min_item_support = 5;    ///< events; rarer items are dropped, >= 1
    /// For consecutive events of one item.
    Repeats repeats = Repeats::keep;
    /// A session ends where its next event is later by more than this, in units of the times, >= 0; nothing: nowhere.
    std::optional<std::int64_t> max_gap{};
    std::int64_t test_duration = 86'400;  ///< the newest part that becomes the test, in units of the times, >= 1

    /// @throws std::invalid_argument
    void validate() const {
        if (min_session_length < 1) {
            detail::throw_invalid("min_session_length", min_session_length, "min_session_length >= 1");
        }
        if (min_item_support < 1) {
            detail::throw_invalid("min_item_support", min_item_support, "min_item_support >= 1");
        }
        if (max_gap && *max_gap < 0) {
            detail::throw_invalid("max_gap", *max_gap, "max_gap >= 0");
        }
        if (test_duration < 1) {
            detail::throw_invalid("test_duration", test_duration, "test_duration >= 1");
        }
    }
};

/// One step of the account: what was done, how many events it dropped, and what was left then.
struct PreprocessStep {
    std::string what;      ///< as in the log of docs/program.md
    Index n_dropped = 0;   ///< events
    Index n_sessions = 0;  ///< left after the step
    Index n_items = 0;     ///< left after the step
    Index n_events = 0;    ///< left after the step
};

/// Training and test data, and the same made of the training data once more, to choose parameters by. Events lie
/// together by session, in the order of their times; sessions and items are numbered by first appearance.
struct Preprocessed {
    Events train_full;                  ///< all training data
    Events test;                        ///< the newest part, with items of train_full only
    Events train_tr;                    ///< of train_full
    Events train_valid;                 ///< of train_full
    std::vector<PreprocessStep> steps;  ///< in order
};

namespace detail {

struct EventRow {
    EventTime time;
    SessionIndex session;
    ItemIndex item;
};

/// Rows of a session lie together and are sorted by time.
using EventRows = std::vector<EventRow>;

/// The rows of the session that begins at `begin` end here.
[[nodiscard]] inline std::size_t session_end(const EventRows& rows, std::size_t begin) noexcept {
    std::size_t end = begin;
    while (end < rows.size() && rows[end].session == rows[begin].session) {
        ++end;
    }
    return end;
}

/// Keeps the sessions for which `keep(first row, number of rows)`. @returns the number of rows dropped
template <class Keep>
Index keep_sessions(EventRows& rows, const Keep& keep) {
    std::size_t kept = 0;
    for (std::size_t begin = 0, end = 0; begin < rows.size(); begin = end) {
        end = session_end(rows, begin);
        if (keep(rows[begin], static_cast<Index>(end - begin))) {
            for (std::size_t r = begin; r < end; ++r) {
                rows[kept++] = rows[r];
            }
        }
    }
    const std::size_t n_dropped = rows.size() - kept;
    rows.resize(kept);
    return static_cast<Index>(n_dropped);
}

[[nodiscard]] inline EventRows sorted_rows(const Events& events) {
    EventRows rows;
    rows.reserve(static_cast<std::size_t>(events.size()));
    for (Index e = 0; e < events.size(); ++e) {
        const auto at = static_cast<std::size_t>(e);
        rows.push_back({events.time(e), events.sessions[at], events.items[at]});
    }
    const auto before = [](const EventRow& a, const EventRow& b) {
        return std::tie(a.session, a.time) < std::tie(b.session, b.time);
    };
    if (!std::is_sorted(rows.begin(), rows.end(), before)) {
        std::stable_sort(rows.begin(), rows.end(), before);
    }
    return rows;
}

/// later - earlier > gap, exactly. @pre earlier <= later, gap >= 0
[[nodiscard]] inline bool is_gap(EventTime earlier, EventTime later, std::int64_t gap) noexcept {
    const std::uint64_t whole = static_cast<std::uint64_t>(later.whole) - static_cast<std::uint64_t>(earlier.whole);
    const auto allowed = static_cast<std::uint64_t>(gap);
    return whole > allowed || (whole == allowed && later.nanoseconds > earlier.nanoseconds);
}

/// Runs the recipe and keeps the account.
class Preprocessor {
  public:
    Preprocessor(const Events& events, const PreprocessOptions& options)
        : options_(options), item_map_(events.item_map), session_ids_(events.session_ids), rows_(sorted_rows(events)) {
        note("read", 0, rows_);
    }

    /// The first part of a session keeps its id; the others get :2, :3, ... behind it, as far as that is free.
    void cut_at_gaps(std::int64_t max_gap) {
        session_ids_.build_index();
        for (std::size_t begin = 0, end = 0; begin < rows_.size(); begin = end) {
            end = session_end(rows_, begin);
            const std::string id(session_ids_.text(to_index(rows_[begin].session)));
            std::int64_t part = 1;
            for (std::size_t r = begin + 1; r < end; ++r) {
                rows_[r].session =
                    is_gap(rows_[r - 1].time, rows_[r].time, max_gap) ? new_part(id, part) : rows_[r - 1].session;
            }
        }
        note("sessions cut at gaps of more than " + format_number(max_gap), 0, rows_);
    }

    /// Repeats, short sessions, rare items, again and again until nothing is dropped.
    void filter() {
        Index n_dropped = 0;
        for (int pass = 1; pass == 1 || n_dropped > 0; ++pass) {
            n_dropped = collapse_repeats(rows_, "", pass);
            n_dropped += drop_short_sessions(rows_, "", pass);
            n_dropped += drop_rare_items(pass);
        }
    }

    /// Moves the newest sessions into the test.
    ///
    /// @param names  of the two files, for the account
    [[nodiscard]] std::pair<EventRows, EventRows> split(const EventRows& rows, const std::string& train_name,
                                                        const std::string& test_name) {
        const EventTime at = split_time(rows);
        EventRows train = rows;
        EventRows test = rows;
        keep_sessions(train, [&](const EventRow& first, Index) { return !(at < first.time); });
        keep_sessions(test, [&](const EventRow& first, Index) { return at < first.time; });
        note(train_name + ": sessions that start until " + format_time(at), 0, train);
        const auto too_late = std::erase_if(train, [&](const EventRow& row) { return !(row.time < at); });
        note(train_name + ": events from then on cut", static_cast<Index>(too_late), train);
        drop_short_sessions(train, train_name + ": ", 1);

        note(test_name + ": sessions that start later", 0, test);
        std::vector<bool> known(static_cast<std::size_t>(item_map_.size()), false);
        for (const EventRow& row : train) {
            known[static_cast<std::size_t>(row.item)] = true;
        }
        const auto unseen =
            std::erase_if(test, [&](const EventRow& row) { return !known[static_cast<std::size_t>(row.item)]; });
        note(test_name + ": items that " + train_name + " lacks", static_cast<Index>(unseen), test);
        collapse_repeats(test, test_name + ": ", 1);
        drop_short_sessions(test, test_name + ": ", 1);
        return {std::move(train), std::move(test)};
    }

    [[nodiscard]] const EventRows& rows() const noexcept { return rows_; }
    [[nodiscard]] std::vector<PreprocessStep> take_steps() { return std::move(steps_); }

    /// Sessions and items numbered anew, without those that have no event left.
    [[nodiscard]] Events events_of(const EventRows& rows) const {
        EventCollector events;
        events.reserve(static_cast<Index>(rows.size()));
        for (const EventRow& row : rows) {
            const EventProblem problem =
                events.add(session_ids_.text(to_index(row.session)), item_map_.id(row.item), row.time);
            GRU4REC_ASSERT(!problem);
            static_cast<void>(problem);
        }
        return std::move(events).take();
    }

  private:
    [[nodiscard]] SessionIndex new_part(const std::string& id, std::int64_t& part) {
        std::string name;
        do {
            name = id + ":" + format_number(++part);
        } while (session_ids_.find(name) != IdTable::none);
        return to_session(session_ids_.insert(name));
    }

    Index collapse_repeats(EventRows& rows, const std::string& name, int pass) {
        if (options_.repeats == Repeats::keep) {
            return 0;
        }
        const auto is_repeat = [](const EventRow& a, const EventRow& b) {
            return a.session == b.session && a.item == b.item;
        };
        const auto kept_end = std::unique(rows.begin(), rows.end(), is_repeat);
        const auto n_dropped = static_cast<Index>(rows.end() - kept_end);
        rows.erase(kept_end, rows.end());
        note_pass(name + "consecutive repeats", n_dropped, rows, pass);
        return n_dropped;
    }

    Index drop_short_sessions(EventRows& rows, const std::string& name, int pass) {
        const Index n_dropped =
            keep_sessions(rows, [&](const EventRow&, Index n) { return n >= options_.min_session_length; });
        note_pass(name + "sessions of fewer than " + format_number(options_.min_session_length) + " events", n_dropped,
                  rows, pass);
        return n_dropped;
    }

    Index drop_rare_items(int pass) {
        std::vector<Index> supports(static_cast<std::size_t>(item_map_.size()), 0);
        for (const EventRow& row : rows_) {
            ++supports[static_cast<std::size_t>(row.item)];
        }
        const auto n_dropped = static_cast<Index>(std::erase_if(rows_, [&](const EventRow& row) {
            return supports[static_cast<std::size_t>(row.item)] < options_.min_item_support;
        }));
        note_pass("items of fewer than " + format_number(options_.min_item_support) + " events", n_dropped, rows_,
                  pass);
        return n_dropped;
    }

    /// The time of the last event less the duration, or the earliest time that there is.
    [[nodiscard]] EventTime split_time(const EventRows& rows) const {
        EventTime last{(std::numeric_limits<std::int64_t>::min)(), 0};
        for (const EventRow& row : rows) {
            last = (std::max)(last, row.time);
        }
        const std::int64_t earliest = (std::numeric_limits<std::int64_t>::min)();
        return last.whole < earliest + options_.test_duration
                   ? EventTime{earliest, 0}
                   : EventTime{last.whole - options_.test_duration, last.nanoseconds};
    }

    /// Passes after the first are told only where they dropped something.
    void note_pass(const std::string& what, Index n_dropped, const EventRows& rows, int pass) {
        if (pass == 1 || n_dropped > 0) {
            note(pass == 1 ? what : what + ", pass " + format_number(pass), n_dropped, rows);
        }
    }

    void note(std::string what, Index n_dropped, const EventRows& rows) {
        std::vector<bool> seen(static_cast<std::size_t>(item_map_.size()), false);
        Index n_items = 0;
        Index n_sessions = 0;
        for (std::size_t r = 0; r < rows.size(); ++r) {
            const auto item = static_cast<std::size_t>(rows[r].item);
            n_items += seen[item] ? 0 : 1;
            seen[item] = true;
            n_sessions += r == 0 || rows[r].session != rows[r - 1].session ? 1 : 0;
        }
        steps_.push_back({std::move(what), n_dropped, n_sessions, n_items, static_cast<Index>(rows.size())});
    }

    PreprocessOptions options_;
    ItemMap item_map_;
    IdTable session_ids_;
    EventRows rows_;
    std::vector<PreprocessStep> steps_;
};

}  // namespace detail

/// Makes training and test data of raw events, in the steps that the GRU4Rec papers take:
///
/// 1. Events are put together by session and sorted by time, equal times in the order given.
/// 2. With `max_gap`, sessions are cut where the next event is later by more than that.
/// 3. Consecutive repeats (if they are to be collapsed), sessions that are too short and items that are too rare are
///    dropped, **until nothing changes**: a session may become too short by the loss of its rare items, and the other
///    way round.
/// 4. Split by time: the test holds the sessions that start after t = (time of the last event) - `test_duration`. From
///    the others, events at or after t are cut. Items that training lacks leave the test. Sessions that thereby become
///    too short are dropped.
/// 5. The same split of the training data gives train_tr and train_valid.
///
/// @throws std::invalid_argument for options out of range
/// @complexity O(events log(events)) where events are not sorted by session and time, else O(events passes)
[[nodiscard]] inline Preprocessed preprocess(const Events& events, const PreprocessOptions& options = {}) {
    options.validate();
    detail::Preprocessor recipe(events, options);
    if (options.max_gap) {
        recipe.cut_at_gaps(*options.max_gap);
    }
    recipe.filter();
    const auto [train, test] = recipe.split(recipe.rows(), "train_full", "test");
    const auto [train_tr, train_valid] = recipe.split(train, "train_tr", "train_valid");
    return {.train_full = recipe.events_of(train),
            .test = recipe.events_of(test),
            .train_tr = recipe.events_of(train_tr),
            .train_valid = recipe.events_of(train_valid),
            .steps = recipe.take_steps()};
}

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
