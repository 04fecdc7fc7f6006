#ifndef GRU4REC_TESTS_SUPPORT_READING_HPP
#define GRU4REC_TESTS_SUPPORT_READING_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/dataset.hpp"
#include "gru4rec/data/events.hpp"
#include "gru4rec/data/read_options.hpp"
#include "gru4rec/data/reader.hpp"
#include "gru4rec/data/text_source.hpp"
#include "support/naive/table.hpp"

#include <cstddef>
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

/// As gru4rec::read_events does.
[[nodiscard]] inline gru4rec::Events read_events(std::string_view bytes, const gru4rec::ReadOptions& options = {},
                                                 const gru4rec::detail::ReadSettings& settings = {}) {
    gru4rec::detail::TextSource source("file", bytes);
    return gru4rec::detail::read_events(source, options, settings);
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

/// What a report counts, and where.
[[nodiscard]] inline std::string text_of(const gru4rec::ReadReport& report) {
    const std::size_t place = report.first_skipped.find(": ");
    return "\nskipped " + std::to_string(report.n_skipped) + " from " + report.first_skipped.substr(0, place) +
           " filtered " + std::to_string(report.n_filtered) + " unit " +
           std::to_string(static_cast<int>(report.time_unit)) + " unknown " + report.first_unknown_item;
}

/// What the naive reader finds.
[[nodiscard]] inline gru4rec::Events read_naively(std::string_view bytes, const gru4rec::ReadOptions& options) {
    naive::TableReader reader(options);
    reader.read("file", bytes);
    return std::move(reader).take();
}

[[nodiscard]] inline gru4rec::Dataset sessions_of(gru4rec::Events events) {
    return gru4rec::Dataset(std::move(events), gru4rec::KeepSessionIds::yes);
}

/// As read_sessions does.
[[nodiscard]] inline gru4rec::Dataset read_sessions(std::string_view bytes, const gru4rec::ReadOptions& options = {},
                                                    const gru4rec::detail::ReadSettings& settings = {}) {
    gru4rec::detail::TextSource source("file", bytes);
    if (auto sessions = gru4rec::detail::read_grouped(source, options, settings)) {
        return gru4rec::Dataset(std::move(*sessions));
    }
    return sessions_of(read_events(bytes, options, settings));
}

/// Whether a reader found what the naive one found: the same content, or an error in the same line.
[[nodiscard]] inline bool agrees(const Outcome& found, const Outcome& naive) {
    return naive.failed ? found.failed && found.text.starts_with(naive.text) : found == naive;
}

}  // namespace support

#endif
