#ifndef GRU4REC_DATA_EVENT_CHUNK_HPP
#define GRU4REC_DATA_EVENT_CHUNK_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/events.hpp"
#include "gru4rec/data/fields.hpp"
#include "gru4rec/data/id_table.hpp"
#include "gru4rec/data/item_map.hpp"
#include "gru4rec/data/missing_values.hpp"
#include "gru4rec/data/time_column.hpp"
#include "gru4rec/version.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// A row, and why it is not an event.
struct LineProblem {
    const char* line = nullptr;
    EventProblem event{};
};

inline constexpr std::string_view stray_quote =
    "; if the quotation mark before it is part of a value, read quotes as they are (Quotes::literal, option "
    "--no-quotes of the program)";

/// Rows that were skipped.
struct SkippedRows {
    Index n = 0;
    LineProblem first{};
};

/// The events of a part of a file, as columns. One thread fills a chunk with add() and finish(), while others fill
/// theirs; the reader then numbers their sessions and new items, chunk by chunk in the order of the file.
class EventChunk {
  public:
    /// Stands for a new item until the reader has numbered it.
    static constexpr ItemIndex unnumbered{-1};

    /// Empties the chunk but keeps its memory.
    ///
    /// @param items      the known items; must stay unchanged while events are added
    /// @param new_items  whether events of new items are kept
    /// @param missing    must outlive the use of the chunk
    void start(const ItemMap& items, NewItems new_items, const MissingValues& missing) {
        catalogue_ = &items;
        new_items_ = new_items;
        missing_ = &missing;
        n_waiting_ = 0;
        run_ids_.clear();
        run_ends_.clear();
        items_.clear();
        times_.clear();
        new_ids_.clear();
        n_unknown_ = 0;
        first_unknown_ = {};
        unescaped_.clear();
        problem_.reset();
        skipped_ = {};
        n_filtered_ = 0;
        open_row_ = nullptr;
    }

    /// Adds an event as a parser finds it. The ids must live as long as the chunk is in use.
    ///
    /// @param line  first character of the event's line, for messages
    /// @returns false if an event so far is invalid: then nothing more can be added
    [[nodiscard]] GRU4REC_ALWAYS_INLINE bool add(const char* line, std::string_view session_id,
                                                 std::string_view item_id, EventTime time) {
        Waiting& event = waiting_[n_waiting_];
        event.line = line;
        event.session_id = session_id;
        waiting_ids_[n_waiting_++] = item_id;
        event.whole = time.whole;
        event.nanoseconds = time.nanoseconds;
        return n_waiting_ < waiting_.size() || store_waiting();
    }

    /// Counts a row that is not an event, or with MissingRows::refuse makes it the chunk's error.
    ///
    /// @returns false if it is an error: then nothing more can be added
    [[nodiscard]] bool skip(LineProblem row) {
        if (missing_->are_refused()) {
            finish(std::move(row));
            return false;
        }
        count_skipped(std::move(row));
        return true;
    }

    /// Counts a skipped row, such as a repeated header line.
    void count_skipped(LineProblem row) {
        if (++skipped_.n == 1 || row.line < skipped_.first.line) {
            skipped_.first = std::move(row);
        }
    }

    /// Counts a row that a filter left out.
    void count_filtered() noexcept { ++n_filtered_; }

    /// Call it once after the last event. @param problem  of the next line, if it cannot be read
    void finish(std::optional<LineProblem> problem = std::nullopt) {
        if (!problem_ && store_waiting()) {
            problem_ = std::move(problem);
        }
    }

    /// Instead of finish(), if the text ends inside a quoted field of the row that starts at `line`.
    void finish_before(const char* line) {
        open_row_ = line;
        finish();
    }

    /// A buffer for ids that had to be unescaped. Ask for the total size in the first call: a later growth would move
    /// the ids.
    [[nodiscard]] std::string& unescaped(std::size_t size) {
        unescaped_.reserve(size);
        return unescaped_;
    }

    /// The session ids of the runs, which are consecutive events of one session.
    [[nodiscard]] const std::vector<std::string_view>& run_ids() const noexcept { return run_ids_; }
    /// By run, the index of the event after its last one.
    [[nodiscard]] const std::vector<std::size_t>& run_ends() const noexcept { return run_ends_; }
    [[nodiscard]] std::vector<ItemIndex>& items() noexcept { return items_; }
    [[nodiscard]] const std::vector<ItemIndex>& items() const noexcept { return items_; }
    [[nodiscard]] const TimeColumn& times() const noexcept { return times_; }
    /// The ids of the new items, one for each `unnumbered` event, in order.
    [[nodiscard]] const std::vector<std::string_view>& new_ids() const noexcept { return new_ids_; }
    /// Events left out because their item is not known.
    [[nodiscard]] Index n_unknown() const noexcept { return n_unknown_; }
    /// The first item that was left out.
    [[nodiscard]] std::string_view first_unknown() const noexcept { return first_unknown_; }
    [[nodiscard]] const std::optional<LineProblem>& problem() const noexcept { return problem_; }
    [[nodiscard]] const SkippedRows& skipped() const noexcept { return skipped_; }
    /// Rows that a filter left out.
    [[nodiscard]] Index n_filtered() const noexcept { return n_filtered_; }
    /// The row that the text ends in, nullptr if it ends at the end of a row.
    [[nodiscard]] const char* open_row() const noexcept { return open_row_; }
    /// Sets the times to `first`, `first` + 1, ... in the order of the events.
    void number_times(std::int64_t first) noexcept {
        for (std::int64_t& time : times_.whole) {
            time = first++;
        }
    }

  private:
    static constexpr std::size_t n_at_once = 64;

    struct Waiting {
        const char* line;
        std::string_view session_id;
        std::int64_t whole;
        std::uint32_t nanoseconds;
    };

    /// Stores events a block at a time, so that the cache misses of their items overlap.
    [[nodiscard]] GRU4REC_NOINLINE bool store_waiting() {
        std::array<Index, n_at_once> found;
        catalogue_->find(std::span(waiting_ids_).first(n_waiting_), found);
        for (std::size_t i = 0; i < n_waiting_; ++i) {
            Waiting& event = waiting_[i];
            std::string_view& item_id = waiting_ids_[i];
            if (found[i] == IdTable::none && !check_new_item(event, item_id, found[i])) {
                return false;
            }
            if (run_ids_.empty() || !same_text(run_ids_.back(), event.session_id)) {
                if (!start_run(event, item_id)) {
                    if (problem_) {
                        return false;
                    }
                    continue;
                }
            }
            store(event, item_id, found[i]);
        }
        n_waiting_ = 0;
        return true;
    }

    /// Trims an item id that was not found and looks it up again; if it is new, checks that it is valid.
    /// @returns false if it is invalid
    [[nodiscard]] bool check_new_item(const Waiting& event, std::string_view& item_id, Index& item) {
        if (const std::string_view id = trimmed(item_id); id.size() < item_id.size()) {
            item_id = id;
            catalogue_->find(std::span(&id, 1), std::span(&item, 1));
        }
        const std::string_view session_id = trimmed(event.session_id);
        if (item != IdTable::none || session_id.empty() || missing_->contains(session_id)) {
            return true;  // start_run skips or refuses a row without a session
        }
        if (const std::string_view problem = item_id_problem(item_id); !problem.empty()) {
            const bool has_line_break = item_id.find('\n') != std::string_view::npos;
            problem_ = LineProblem{
                event.line,
                {EventField::item, bad_item_id(item_id, problem) + (has_line_break ? std::string(stray_quote) : "")}};
            return false;
        }
        return true;
    }

    /// Starts a run of another session. @returns false if the row has no session
    [[nodiscard]] bool start_run(Waiting& event, std::string_view item_id) {
        if (const std::string_view id = trimmed(event.session_id); id.size() < event.session_id.size()) {
            event.session_id = id;
            if (!run_ids_.empty() && run_ids_.back() == id) {
                return true;
            }
        }
        if (missing_->contains(event.session_id)) {
            LineProblem row{event.line,
                            {EventField::session, quote(event.session_id) + " stands for a missing session id"}};
            if (missing_->are_refused()) {
                problem_ = std::move(row);
            } else {
                count_skipped(std::move(row));
            }
            return false;
        }
        if (event.session_id.empty()) {
            problem_ = LineProblem{event.line, id_problem(event.session_id, item_id)};
            return false;
        }
        run_ids_.push_back(event.session_id);
        run_ends_.push_back(items_.size());
        return true;
    }

    void store(const Waiting& event, std::string_view item_id, Index item) {
        if (item == IdTable::none) {
            if (new_items_ == NewItems::leave_out) {
                if (++n_unknown_ == 1) {
                    first_unknown_ = item_id;
                }
                return;
            }
            new_ids_.push_back(item_id);
        }
        items_.push_back(item == IdTable::none ? unnumbered : to_item(item));
        times_.push_back({event.whole, event.nanoseconds});
        run_ends_.back() = items_.size();
    }

    const ItemMap* catalogue_ = nullptr;
    NewItems new_items_ = NewItems::keep;
    std::array<Waiting, n_at_once> waiting_;
    std::array<std::string_view, n_at_once> waiting_ids_;  // of their items
    std::size_t n_waiting_ = 0;
    std::vector<std::string_view> run_ids_;
    std::vector<std::size_t> run_ends_;
    std::vector<ItemIndex> items_;
    TimeColumn times_;
    std::vector<std::string_view> new_ids_;
    Index n_unknown_ = 0;
    std::string_view first_unknown_;
    std::string unescaped_;
    std::optional<LineProblem> problem_;
    const MissingValues* missing_ = nullptr;
    SkippedRows skipped_;
    Index n_filtered_ = 0;
    const char* open_row_ = nullptr;
};

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
