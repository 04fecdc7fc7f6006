#ifndef GRU4REC_DATA_PREPROCESS_HPP
#define GRU4REC_DATA_PREPROCESS_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/events.hpp"
#include "gru4rec/data/format_date.hpp"
#include "gru4rec/data/id_table.hpp"
#include "gru4rec/data/item_map.hpp"
#include "gru4rec/data/parse_time.hpp"
#include "gru4rec/data/read_options.hpp"
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

/// What happens to an event whose item is that of the previous event of its session.
enum class Repeats {
    keep,
    collapse,  ///< of consecutive events of one item, only the first is kept
};

/// How raw events become training and test data.
struct PreprocessOptions {
    Index min_session_length = 2;     ///< events; shorter sessions are dropped, >= 1
    Index min_item_support = 5;       ///< events; rarer items are dropped, >= 1
    Repeats repeats = Repeats::keep;  ///< what happens to consecutive events of one item
    /// A session is cut before an event that is more than this later than the one before, in units of the times, >= 0;
    /// nullopt: sessions are not cut.
    std::optional<std::int64_t> max_gap{};
    std::int64_t test_duration = 86'400;  ///< span of the newest events, the test set, in units of the times, >= 1
    /// What the times are, as ReadReport::time_unit says: the log shows seconds as dates.
    TimeUnit time_unit = TimeUnit::number;

    /// @throws ConfigError naming the option, its value and what is allowed
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

/// One entry of the log: what was done, how many events it dropped, and what was left.
struct PreprocessStep {
    std::string what;      ///< as in the log of docs/program.md
    std::string setting;   ///< the field of PreprocessOptions that decides it; empty: none
    Index n_dropped = 0;   ///< events
    Index n_sessions = 0;  ///< left after the step
    Index n_items = 0;     ///< left after the step
    Index n_events = 0;    ///< left after the step
};

/// Training and test data, and the training data split again in the same way, for choosing parameters. Events are
/// grouped by session and sorted by time; sessions and items are numbered by first appearance.
struct Preprocessed {
    Events train_full;                  ///< all training data
    Events test;                        ///< the newest part, with items of train_full only
    Events train_tr;                    ///< of train_full
    Events train_valid;                 ///< of train_full
    std::vector<PreprocessStep> steps;  ///< in order
};

namespace detail {

struct TimedEvent {
    EventTime time;
    SessionIndex session;
    ItemIndex item;
};

/// Grouped by session, and sorted by time within a session.
using TimedEvents = std::vector<TimedEvent>;

/// The end of the session that begins at `begin`.
[[nodiscard]] inline std::size_t session_end(const TimedEvents& events, std::size_t begin) noexcept {
    std::size_t end = begin;
    while (end < events.size() && events[end].session == events[begin].session) {
        ++end;
    }
    return end;
}

/// Keeps the sessions for which `keep(first event, number of events)` is true. @returns the number of events dropped
template <class Keep>
Index keep_sessions(TimedEvents& events, const Keep& keep) {
    std::size_t kept = 0;
    for (std::size_t begin = 0, end = 0; begin < events.size(); begin = end) {
        end = session_end(events, begin);
        if (keep(events[begin], static_cast<Index>(end - begin))) {
            for (std::size_t e = begin; e < end; ++e) {
                events[kept++] = events[e];
            }
        }
    }
    const std::size_t n_dropped = events.size() - kept;
    events.resize(kept);
    return static_cast<Index>(n_dropped);
}

[[nodiscard]] inline TimedEvents sorted_events(const Events& columns) {
    TimedEvents events;
    events.reserve(static_cast<std::size_t>(columns.size()));
    for (Index e = 0; e < columns.size(); ++e) {
        events.push_back({columns.time(e), at(columns.sessions, e), at(columns.items, e)});
    }
    const auto before = [](const TimedEvent& a, const TimedEvent& b) {
        return std::tie(a.session, a.time) < std::tie(b.session, b.time);
    };
    if (!std::is_sorted(events.begin(), events.end(), before)) {
        std::stable_sort(events.begin(), events.end(), before);
    }
    return events;
}

/// later - earlier > gap, exactly. @pre earlier <= later, gap >= 0
[[nodiscard]] inline bool is_gap(EventTime earlier, EventTime later, std::int64_t gap) noexcept {
    const std::uint64_t whole = static_cast<std::uint64_t>(later.whole) - static_cast<std::uint64_t>(earlier.whole);
    const auto allowed = static_cast<std::uint64_t>(gap);
    return whole > allowed || (whole == allowed && later.nanoseconds > earlier.nanoseconds);
}

/// Runs the steps and logs them.
class Preprocessor {
  public:
    Preprocessor(const Events& events, const PreprocessOptions& options)
        : options_(options),
          item_map_(events.item_map),
          session_ids_(events.session_ids),
          events_(sorted_events(events)) {
        note("read", "", 0, events_);
    }

    /// The first part of a session keeps its id; the others get the suffix :2, :3, ..., skipping ids already in use.
    void cut_at_gaps(std::int64_t max_gap) {
        session_ids_.build_index();
        for (std::size_t begin = 0, end = 0; begin < events_.size(); begin = end) {
            end = session_end(events_, begin);
            const std::string id(session_ids_.text(to_index(events_[begin].session)));
            std::int64_t part = 1;
            for (std::size_t e = begin + 1; e < end; ++e) {
                events_[e].session =
                    is_gap(events_[e - 1].time, events_[e].time, max_gap) ? new_part(id, part) : events_[e - 1].session;
            }
        }
        note("sessions cut at gaps of more than " + format_number(max_gap), "max_gap", 0, events_);
    }

    /// Drops repeats, short sessions and rare items until nothing changes.
    void filter() {
        Index n_dropped = 0;
        for (int pass = 1; pass == 1 || n_dropped > 0; ++pass) {
            n_dropped = collapse_repeats(events_, "", pass);
            n_dropped += drop_short_sessions(events_, "", pass);
            n_dropped += drop_rare_items(pass);
        }
    }

    /// Splits off the newest sessions as the test set.
    ///
    /// @param train_name, test_name  of the two files, for the log
    [[nodiscard]] std::pair<TimedEvents, TimedEvents> split(const TimedEvents& events, const std::string& train_name,
                                                            const std::string& test_name) {
        const EventTime cut = split_time(events);
        TimedEvents train = events;
        TimedEvents test = events;
        keep_sessions(train, [&](const TimedEvent& first, Index) { return !(cut < first.time); });
        keep_sessions(test, [&](const TimedEvent& first, Index) { return cut < first.time; });
        note(train_name + ": sessions that start until " +
                 (options_.time_unit == TimeUnit::seconds ? format_date(cut) : format_time(cut)),
             "test_duration", 0, train);
        const auto too_late = std::erase_if(train, [&](const TimedEvent& event) { return !(event.time < cut); });
        note(train_name + ": events from then on cut", "test_duration", static_cast<Index>(too_late), train);
        drop_short_sessions(train, train_name + ": ", 1);

        note(test_name + ": sessions that start later", "test_duration", 0, test);
        std::vector<bool> known(static_cast<std::size_t>(item_map_.size()), false);
        for (const TimedEvent& event : train) {
            at(known, event.item) = true;
        }
        const auto unseen = std::erase_if(test, [&](const TimedEvent& event) { return !at(known, event.item); });
        note(test_name + ": items that " + train_name + " lacks", "", static_cast<Index>(unseen), test);
        collapse_repeats(test, test_name + ": ", 1);
        drop_short_sessions(test, test_name + ": ", 1);
        return {std::move(train), std::move(test)};
    }

    [[nodiscard]] const TimedEvents& events() const noexcept { return events_; }
    [[nodiscard]] std::vector<PreprocessStep> take_steps() { return std::move(steps_); }

    /// With sessions and items renumbered, without those that have no event left.
    [[nodiscard]] Events events_of(const TimedEvents& events) const {
        EventCollector collector;
        collector.reserve(static_cast<Index>(events.size()));
        for (const TimedEvent& event : events) {
            const EventProblem problem =
                collector.add(session_ids_.text(to_index(event.session)), item_map_.id(event.item), event.time);
            GRU4REC_ASSERT(!problem);
            static_cast<void>(problem);
        }
        return std::move(collector).take();
    }

  private:
    [[nodiscard]] SessionIndex new_part(const std::string& id, std::int64_t& part) {
        std::string name;
        do {
            name = id + ":" + format_number(++part);
        } while (session_ids_.find(name) != IdTable::none);
        return to_session(session_ids_.insert(name));
    }

    Index collapse_repeats(TimedEvents& events, const std::string& name, int pass) {
        if (options_.repeats == Repeats::keep) {
            return 0;
        }
        const auto is_repeat = [](const TimedEvent& a, const TimedEvent& b) {
            return a.session == b.session && a.item == b.item;
        };
        const auto kept_end = std::unique(events.begin(), events.end(), is_repeat);
        const auto n_dropped = static_cast<Index>(events.end() - kept_end);
        events.erase(kept_end, events.end());
        note_pass({name + "consecutive repeats", "repeats", n_dropped}, events, pass);
        return n_dropped;
    }

    Index drop_short_sessions(TimedEvents& events, const std::string& name, int pass) {
        const Index n_dropped =
            keep_sessions(events, [&](const TimedEvent&, Index n) { return n >= options_.min_session_length; });
        note_pass({name + "sessions of fewer than " + format_number(options_.min_session_length) + " events",
                   "min_session_length", n_dropped},
                  events, pass);
        return n_dropped;
    }

    Index drop_rare_items(int pass) {
        std::vector<Index> supports(static_cast<std::size_t>(item_map_.size()), 0);
        for (const TimedEvent& event : events_) {
            ++at(supports, event.item);
        }
        const auto n_dropped = static_cast<Index>(std::erase_if(
            events_, [&](const TimedEvent& event) { return at(supports, event.item) < options_.min_item_support; }));
        note_pass({"items of fewer than " + format_number(options_.min_item_support) + " events", "min_item_support",
                   n_dropped},
                  events_, pass);
        return n_dropped;
    }

    /// The time of the last event minus the duration, or the earliest time that can be stored.
    [[nodiscard]] EventTime split_time(const TimedEvents& events) const {
        EventTime last{(std::numeric_limits<std::int64_t>::min)(), 0};
        for (const TimedEvent& event : events) {
            last = (std::max)(last, event.time);
        }
        const std::int64_t earliest = (std::numeric_limits<std::int64_t>::min)();
        return last.whole < earliest + options_.test_duration
                   ? EventTime{earliest, 0}
                   : EventTime{last.whole - options_.test_duration, last.nanoseconds};
    }

    /// Later passes are logged only if they dropped events.
    void note_pass(PreprocessStep step, const TimedEvents& events, int pass) {
        if (pass == 1 || step.n_dropped > 0) {
            note(pass == 1 ? step.what : step.what + ", pass " + format_number(pass), step.setting, step.n_dropped,
                 events);
        }
    }

    void note(std::string what, std::string setting, Index n_dropped, const TimedEvents& events) {
        std::vector<bool> seen(static_cast<std::size_t>(item_map_.size()), false);
        Index n_items = 0;
        Index n_sessions = 0;
        for (std::size_t e = 0; e < events.size(); ++e) {
            n_items += at(seen, events[e].item) ? 0 : 1;
            at(seen, events[e].item) = true;
            n_sessions += e == 0 || events[e].session != events[e - 1].session ? 1 : 0;
        }
        steps_.push_back(
            {std::move(what), std::move(setting), n_dropped, n_sessions, n_items, static_cast<Index>(events.size())});
    }

    PreprocessOptions options_;
    ItemMap item_map_;
    IdTable session_ids_;
    TimedEvents events_;
    std::vector<PreprocessStep> steps_;
};

}  // namespace detail

/// Makes training and test data of raw events, in the steps of the GRU4Rec papers:
///
/// 1. Events are grouped by session and sorted by time, equal times in the order given.
/// 2. With `max_gap`, sessions are cut before an event that is later than the one before by more than that.
/// 3. Consecutive repeats (if they are to be collapsed), short sessions and rare items are dropped **until nothing
///    changes**: a session may become too short by losing its rare items, and an item too rare by losing its sessions.
/// 4. Split by time: the test set has the sessions that start after t = (time of the last event) - `test_duration`.
///    From the other sessions, events at or after t are cut. Items that the training set lacks are dropped from the
///    test set, then sessions that have become too short.
/// 5. The same split of the training data gives train_tr and train_valid.
///
/// @throws ConfigError for options out of range
/// @complexity O(events log(events)) if events are not sorted by session and time, plus O(events) per pass of step 3
[[nodiscard]] GRU4REC_INLINE Preprocessed preprocess(const Events& events, const PreprocessOptions& options = {});

#if GRU4REC_DEFINITIONS

GRU4REC_INLINE Preprocessed preprocess(const Events& events, const PreprocessOptions& options) {
    options.validate();
    detail::Preprocessor preprocessor(events, options);
    if (options.max_gap) {
        preprocessor.cut_at_gaps(*options.max_gap);
    }
    preprocessor.filter();
    const auto [train, test] = preprocessor.split(preprocessor.events(), "train_full", "test");
    const auto [train_tr, train_valid] = preprocessor.split(train, "train_tr", "train_valid");
    return {.train_full = preprocessor.events_of(train),
            .test = preprocessor.events_of(test),
            .train_tr = preprocessor.events_of(train_tr),
            .train_valid = preprocessor.events_of(train_valid),
            .steps = preprocessor.take_steps()};
}

#endif

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
