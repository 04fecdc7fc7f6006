#ifndef GRU4REC_TESTS_SUPPORT_READ_IN_PIECES_HPP
#define GRU4REC_TESTS_SUPPORT_READ_IN_PIECES_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/dataset.hpp"
#include "gru4rec/data/delimited_text.hpp"
#include "gru4rec/data/events.hpp"
#include "gru4rec/data/grouping.hpp"
#include "gru4rec/data/item_map.hpp"
#include "gru4rec/data/reader.hpp"

#include <sstream>
#include <string>
#include <string_view>
#include <utility>

namespace support {

/// All that events or sessions hold, or the message of the error.
struct Outcome {
    std::string text{};
    bool failed = false;

    [[nodiscard]] friend bool operator==(const Outcome&, const Outcome&) = default;
};

template <class Read>
[[nodiscard]] Outcome outcome(const Read& read) {
    try {
        return {read(), false};
    } catch (const gru4rec::FormatError& error) {
        return {error.what(), true};
    }
}

/// Reads the header of `bytes`.
[[nodiscard]] inline gru4rec::detail::Table table_of(std::string_view bytes, gru4rec::detail::Cuts cuts = {}) {
    gru4rec::detail::Table table{{"file", bytes}, {}, bytes, nullptr, cuts};
    table.format = gru4rec::detail::read_header(table.text, {}, table.body);
    return table;
}

[[nodiscard]] inline std::string text_of(const gru4rec::Events& events) {
    std::ostringstream text;
    for (gru4rec::Index e = 0; e < events.size(); ++e) {
        const auto at = static_cast<std::size_t>(e);
        text << to_index(events.sessions[at]) << ' ' << to_index(events.items[at]) << ' ' << events.time(e).whole << ' '
             << events.time(e).nanoseconds << '\n';
    }
    for (gru4rec::Index s = 0; s < events.n_sessions(); ++s) {
        text << events.session_ids.text(s) << '\n';
    }
    for (gru4rec::Index i = 0; i < events.item_map.size(); ++i) {
        text << events.item_map.id(gru4rec::to_item(i)) << '\n';
    }
    text << events.n_unknown << ' ' << events.times.nanoseconds.size();
    return text.str();
}

[[nodiscard]] inline std::string text_of(const gru4rec::Dataset& data) {
    std::ostringstream text;
    for (gru4rec::Index s = 0; s < data.n_sessions(); ++s) {
        text << data.session_id(gru4rec::to_session(s));
        for (const gru4rec::ItemIndex item : data.session(gru4rec::to_session(s))) {
            text << ' ' << data.items().id(item);
        }
        text << '\n';
    }
    for (const gru4rec::SessionIndex session : data.time_order()) {
        text << to_index(session) << ' ';
    }
    for (const auto support : data.supports()) {
        text << support << ' ';
    }
    text << data.n_items() << ' ' << data.n_pairs() << ' ' << data.n_unknown_events();
    return text.str();
}

/// One event after the other: what reading in pieces has to equal.
[[nodiscard]] inline gru4rec::Events read_sequentially(std::string_view bytes, const gru4rec::ItemMap* known_items) {
    const gru4rec::detail::Table table = table_of(bytes);
    gru4rec::EventCollector events(known_items);
    gru4rec::detail::parse_lines(table.text, table.format, table.body, events);
    return std::move(events).take();
}

[[nodiscard]] inline gru4rec::Dataset sessions_of(gru4rec::Events events) {
    return gru4rec::Dataset(std::move(events), gru4rec::KeepSessionIds::yes);
}

/// As read_sessions does.
[[nodiscard]] inline gru4rec::Dataset read_in_pieces(const gru4rec::detail::Table& table,
                                                     const gru4rec::ItemMap* known_items) {
    if (auto sessions = gru4rec::detail::read_grouped(table, known_items)) {
        return gru4rec::Dataset(std::move(*sessions));
    }
    return sessions_of(gru4rec::detail::read_events(table, known_items));
}

}  // namespace support

#endif
