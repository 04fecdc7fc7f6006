#ifndef GRU4REC_DATA_READER_HPP
#define GRU4REC_DATA_READER_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/file.hpp"
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/delimited_text.hpp"
#include "gru4rec/data/event_time.hpp"
#include "gru4rec/data/events.hpp"
#include "gru4rec/data/id_table.hpp"
#include "gru4rec/data/item_map.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// The sizes in which a file is read. They change nothing but speed.
struct Cuts {
    std::size_t piece_bytes = std::size_t{256} << 10U;  ///< a piece ends with the line in which it would end
    std::size_t n_pieces = 32;                          ///< of a wave, which is read in parallel
};

/// A file ready to be read: its bytes, its header, the lines behind it.
struct Table {
    TableText text;
    TableFormat format;
    std::string_view body;
    const FileBytes* file = nullptr;  ///< set: whose memory is released as it is read
    Cuts cuts{};
};

/// @param file  must outlive the table
/// @throws FormatError for a file without a fitting header
[[nodiscard]] inline Table open_table(const FileBytes& file, const std::string& name, const Columns& columns) {
    Table table{{name, file.view()}, {}, file.view(), &file};
    table.format = read_header(table.text, columns, table.body);
    return table;
}

/// The numbers of short item ids, each in one place with its characters, where an ItemMap reads three: a slot, where
/// the characters lie, the characters. Holds the first 786,432; they are the frequent ones.
class ItemCache {
  public:
    /// @pre the item is not here yet
    void insert(std::string_view id, std::uint32_t tag, ItemIndex item) {
        if (id.size() > longest || 4 * n_items_ >= 3 * most_places) {
            return;
        }
        if (4 * n_items_ >= 3 * places_.size()) {
            grow();
        }
        place({short_text(id.data(), id.size()), tag, static_cast<std::uint32_t>(id.size()), item});
        ++n_items_;
    }

    GRU4REC_ALWAYS_INLINE void prefetch(std::uint32_t tag) const noexcept {
        detail::prefetch<Access::read>(&places_[tag & (places_.size() - 1)]);
    }

    /// @returns the item or, where it is not here, nothing
    [[nodiscard]] std::optional<ItemIndex> find(std::string_view id, std::uint32_t tag) const noexcept {
        if (id.size() > longest) {
            return std::nullopt;
        }
        const ShortText text = short_text(id.data(), id.size());
        for (std::size_t at = tag;; ++at) {
            const Place& place = places_[at & (places_.size() - 1)];
            if (place.size == 0) {
                return std::nullopt;
            }
            if (place.text == text && place.size == id.size()) {
                return place.item;
            }
        }
    }

  private:
    static constexpr std::size_t most_places = std::size_t{1} << 20U;
    static constexpr std::size_t longest = 16;

    struct Place {
        ShortText text;
        std::uint32_t tag = 0;
        std::uint32_t size = 0;  ///< 0: free
        ItemIndex item{};
    };

    void place(const Place& place) noexcept {
        std::size_t at = place.tag & (places_.size() - 1);
        while (places_[at].size > 0) {
            at = (at + 1) & (places_.size() - 1);
        }
        places_[at] = place;
    }

    void grow() {
        const std::vector<Place> old = std::exchange(places_, std::vector<Place>(2 * places_.size()));
        for (const Place& place : old) {
            if (place.size > 0) {
                this->place(place);
            }
        }
    }

    std::vector<Place> places_ = std::vector<Place>(1024);  // a power of two, at most three quarters full
    std::size_t n_items_ = 0;
};

/// The catalogue while a table is read.
class Catalogue {
  public:
    /// @param known_items  nullptr: every item is welcome. @param items  must outlive this object
    Catalogue(const ItemMap* known_items, ItemMap& items) : items_(&items), accepts_new_(known_items == nullptr) {
        if (known_items != nullptr) {
            items = *known_items;
            for (Index i = 0; i < items.size(); ++i) {
                remember(to_item(i));
            }
        }
    }

    [[nodiscard]] bool accepts_new() const noexcept { return accepts_new_; }
    [[nodiscard]] Index size() const noexcept { return items_->size(); }

    /// @returns the item of an id, old or new
    ItemIndex insert(std::string_view id) {
        const Index n_before = size();
        const ItemIndex item = items_->insert(id);
        if (size() > n_before) {
            remember(item);
        }
        return item;
    }

    void announce(Row& row) const noexcept {
        row.item_tag = items_->hash(row.item_id());
        cache_.prefetch(row.item_tag);
    }

    [[nodiscard]] std::optional<ItemIndex> find(const Row& row) const noexcept {
        const std::optional<ItemIndex> cached = cache_.find(row.item_id(), row.item_tag);
        return cached ? cached : items_->find(row.item_id(), row.item_tag);
    }

  private:
    void remember(ItemIndex item) {
        const std::string_view id = items_->id(item);
        cache_.insert(id, items_->hash(id), item);
    }

    ItemMap* items_;
    ItemCache cache_;
    bool accepts_new_;
};

/// The events of some lines, collected apart from all other lines. Session ids stay texts, and so do the items that
/// the catalogue lacked when the reading began; both get their numbers in the order of the file, piece after piece.
class EventPiece {
  public:
    /// Events of one session in a row.
    struct Run {
        std::string_view session_id;
        std::size_t begin;  ///< number of its first event in the piece
    };

    /// @param items  as known so far; read by all pieces of a wave at once
    void read(const TableFormat& format, std::string_view lines, const Catalogue& items) {
        lines_ = lines;
        catalogue_ = &items;
        runs_.clear();
        items_.clear();
        times_.clear();
        n_unknown_ = 0;
        unescaped_.clear();
        if (new_items_.size() > 0) {
            new_items_ = {};
        }
        line_problem_ = collect_lines(format, lines, *this);
    }

    void announce(Row& row) const noexcept { catalogue_->announce(row); }

    /// Checks as EventCollector::add does. @returns false where problem() says what is wrong
    [[nodiscard]] bool add(const Row& row) {
        std::optional<ItemIndex> item = catalogue_->find(row);
        if (row.session_id().empty() || !item) {
            event_problem_ = row.session_id().empty()
                                 ? EventProblem{.text = std::string(empty_session_id), .in_session_id = true}
                                 : new_item_problem(row.item_id());
            if (event_problem_) {
                return false;
            }
        }
        if (runs_.empty() || !same_text(runs_.back().session_id, row.session_id())) {
            runs_.push_back({lasting(row.session_id()), items_.size()});
        }
        if (!item) {
            if (!catalogue_->accepts_new()) {
                ++n_unknown_;
                return true;
            }
            item = to_item(-1 - new_items_.insert(row.item_id()));
        }
        items_.push_back(*item);
        times_.push_back(row.when);
        return true;
    }

    [[nodiscard]] const EventProblem& problem() const noexcept { return event_problem_; }

    /// Gives the new items their numbers. @pre called for one piece after the other
    void number_items(Catalogue& items) {
        if (new_items_.size() == 0) {
            return;
        }
        std::vector<ItemIndex> numbers;
        numbers.reserve(static_cast<std::size_t>(new_items_.size()));
        for (Index i = 0; i < new_items_.size(); ++i) {
            numbers.push_back(items.insert(new_items_.text(i)));
        }
        for (ItemIndex& item : items_) {
            if (to_index(item) < 0) {
                item = numbers[static_cast<std::size_t>(-1 - to_index(item))];
            }
        }
    }

    /// Works ahead for `session_ids.insert`.
    void hash_sessions(const IdTable& session_ids) {
        tags_.clear();
        if (session_ids.is_indexed()) {
            tags_.reserve(runs_.size());
            for (const Run& run : runs_) {
                tags_.push_back(session_ids.hash(run.session_id));
            }
        }
    }

    /// The number of run r's session. @pre called for one run after the other
    [[nodiscard]] Index number_session(std::size_t r, IdTable& session_ids) const {
        constexpr std::size_t ahead = 8;
        if (tags_.empty()) {
            return session_ids.insert_ascending(runs_[r].session_id);
        }
        session_ids.prefetch(tags_[(std::min)(r + ahead, tags_.size() - 1)]);
        return session_ids.insert(runs_[r].session_id, tags_[r]);
    }

    /// Where run `r` ends.
    [[nodiscard]] std::size_t end(std::size_t r) const noexcept {
        return r + 1 < runs_.size() ? runs_[r + 1].begin : items_.size();
    }

    [[nodiscard]] std::size_t n_events() const noexcept { return items_.size(); }
    [[nodiscard]] std::string_view lines() const noexcept { return lines_; }
    [[nodiscard]] const std::optional<LineProblem>& line_problem() const noexcept { return line_problem_; }
    [[nodiscard]] const std::vector<Run>& runs() const noexcept { return runs_; }
    [[nodiscard]] std::vector<ItemIndex>& items() noexcept { return items_; }
    [[nodiscard]] TimeColumn& times() noexcept { return times_; }
    [[nodiscard]] Index n_new_items() const noexcept { return new_items_.size(); }
    [[nodiscard]] Index n_unknown() const noexcept { return n_unknown_; }

  private:
    /// A text that lives as long as the piece: fields do, but for those that lost quotes.
    [[nodiscard]] std::string_view lasting(std::string_view text) {
        const std::less<> before;
        const bool in_file = !before(text.data(), lines_.data()) && before(text.data(), lines_.data() + lines_.size());
        return in_file ? text : unescaped_.emplace_back(text);
    }

    std::string_view lines_;
    const Catalogue* catalogue_ = nullptr;
    std::vector<Run> runs_;
    std::vector<std::uint32_t> tags_;  // of the runs' session ids, or empty
    std::vector<ItemIndex> items_;     // -1 - i for new item i
    TimeColumn times_;
    IdTable new_items_;
    Index n_unknown_ = 0;
    std::deque<std::string> unescaped_;
    EventProblem event_problem_;
    std::optional<LineProblem> line_problem_;
};

/// Cuts about `size` bytes of whole lines off `text`.
[[nodiscard]] inline std::string_view take_lines(std::string_view& text, std::size_t size) noexcept {
    if (size < text.size()) {
        const void* const found = std::memchr(text.data() + size, '\n', text.size() - size);
        size = found == nullptr ? text.size()
                                : static_cast<std::size_t>(static_cast<const char*>(found) - text.data()) + 1;
    }
    const std::string_view lines = text.substr(0, (std::min)(size, text.size()));
    text.remove_prefix(lines.size());
    return lines;
}

/// Reads a table event by event, to find the very event that exceeds the numbers of items or sessions.
inline void check_limits(const Table& table, const ItemMap* known_items) {
    EventCollector events(known_items);
    parse_lines(table.text, table.format, table.body, events);
}

/// Reads a table in waves of pieces and shows the pieces to `collector` in the order of the file: what it makes of them
/// depends neither on the cuts nor on the number of threads.
///
/// `collector.prepare(piece)` is called in parallel, `collector.add(piece)` for one piece after the other; add()
/// returns false to stop. The pieces' items get their numbers here, their sessions in add().
/// @returns false where the collector stopped
/// @throws FormatError for the first mistake of the file
template <class Collector>
bool read_pieces(const Table& table, const ItemMap* known_items, ItemMap& items, IdTable& session_ids,
                 Collector&& collector) {
    Catalogue catalogue(known_items, items);
    std::vector<EventPiece> pieces(table.cuts.n_pieces);
    std::vector<std::string_view> lines;
    // The first waves are short: what they find is known to the next.
    std::size_t wave = 1;
    for (std::string_view rest = table.body; !rest.empty(); wave = (std::min)(2 * wave, pieces.size())) {
        const char* const begin = rest.data();
        lines.clear();
        while (lines.size() < wave && !rest.empty()) {
            lines.push_back(take_lines(rest, table.cuts.piece_bytes));
        }
        parallel_chunks(static_cast<Index>(lines.size()), [&](Index i) {
            EventPiece& piece = pieces[static_cast<std::size_t>(i)];
            piece.read(table.format, lines[static_cast<std::size_t>(i)], catalogue);
            piece.hash_sessions(session_ids);
            collector.prepare(piece);
        });
        for (std::size_t i = 0; i < lines.size(); ++i) {
            EventPiece& piece = pieces[i];
            if (const auto& problem = piece.line_problem()) {
                throw_format(table.text.where(problem->at), problem->text);
            }
            if (catalogue.size() + piece.n_new_items() > IdTable::max_size ||
                session_ids.size() + static_cast<Index>(piece.runs().size()) > IdTable::max_size) {
                check_limits(table, known_items);
            }
            piece.number_items(catalogue);
            if (!collector.add(piece)) {
                return false;
            }
        }
        if (table.file != nullptr) {
            table.file->release({begin, static_cast<std::size_t>(rest.data() - begin)});
        }
    }
    return true;
}

/// What a column of a whole table may need after its first piece, and a little more: memory that is not used is never
/// given by the system.
[[nodiscard]] inline std::size_t expected_size(const Table& table, const EventPiece& first, std::size_t size) {
    const double pieces = static_cast<double>(table.body.size()) / static_cast<double>(first.lines().size());
    return static_cast<std::size_t>(static_cast<double>(size) * pieces * 1.05);
}

/// Makes room in an IdTable for all sessions of a table. @pre `first` has events
inline void reserve_sessions(const Table& table, const EventPiece& first, IdTable& session_ids) {
    std::size_t n_characters = 0;
    for (const EventPiece::Run& run : first.runs()) {
        n_characters += run.session_id.size();
    }
    session_ids.reserve(expected_size(table, first, first.runs().size()), expected_size(table, first, n_characters));
}

/// Puts the events of pieces behind each other.
class EventJoiner {
  public:
    EventJoiner(const Table& table, Events& events) : table_(&table), events_(&events) {}

    void prepare(EventPiece&) const noexcept {}

    [[nodiscard]] bool add(EventPiece& piece) {
        if (events_->size() == 0) {
            events_->reserve(static_cast<Index>(expected_size(*table_, piece, piece.items().size())));
        }
        for (std::size_t r = 0; r < piece.runs().size(); ++r) {
            const SessionIndex session = to_session(piece.number_session(r, events_->session_ids));
            events_->sessions.insert(events_->sessions.end(), piece.end(r) - piece.runs()[r].begin, session);
        }
        events_->items.insert(events_->items.end(), piece.items().begin(), piece.items().end());
        events_->times.append(piece.times());
        events_->n_unknown += piece.n_unknown();
        return true;
    }

  private:
    const Table* table_;
    Events* events_;
};

[[nodiscard]] inline Events read_events(const Table& table, const ItemMap* known_items) {
    Events events;
    read_pieces(table, known_items, events.item_map, events.session_ids, EventJoiner(table, events));
    events.session_ids.build_index();
    return events;
}

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
