#ifndef GRU4REC_TESTS_SUPPORT_READING_HPP
#define GRU4REC_TESTS_SUPPORT_READING_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/dataset.hpp"
#include "gru4rec/data/events.hpp"
#include "gru4rec/data/item_map.hpp"
#include "gru4rec/data/parse_time.hpp"
#include "gru4rec/data/reader.hpp"
#include "gru4rec/data/text_source.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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

/// The fields of a line, character by character; nullopt if quotes do not match.
[[nodiscard]] inline std::optional<std::vector<std::string>> naive_fields(const std::string& line, char separator) {
    std::vector<std::string> fields{""};
    for (std::size_t i = 0; i < line.size(); ++i) {
        const bool at_start = i == 0 || line[i - 1] == separator;
        if (separator == ',' && line[i] == '"' && at_start) {
            for (++i; i < line.size() && (line[i] != '"' || line.substr(i, 2) == "\"\""); ++i) {
                fields.back() += line[i];
                i += line[i] == '"' ? 1U : 0U;
            }
            if (i == line.size() || (i + 1 < line.size() && line[i + 1] != separator)) {
                return std::nullopt;
            }
        } else if (line[i] == separator) {
            fields.emplace_back();
        } else {
            fields.back() += line[i];
        }
    }
    return fields;
}

/// Reads a file line by line, with the parser of times as the only part of the reader.
/// @throws FormatError `file:LINE: `
[[nodiscard]] inline gru4rec::Events read_naively(std::string_view bytes, const gru4rec::ItemMap* known_items) {
    std::istringstream file{std::string(bytes)};
    std::string line;
    int number = 0;
    const auto next_line = [&] {
        const bool is_there = static_cast<bool>(std::getline(file, line));
        ++number;
        if (is_there && line.ends_with('\r')) {
            line.pop_back();
        }
        return is_there;
    };
    const auto require = [&](bool ok) {
        if (!ok) {
            throw gru4rec::FormatError("file:" + std::to_string(number) + ": ");
        }
    };
    gru4rec::detail::EventCollector events(known_items);
    require(next_line());
    const char separator = line.find('\t') == std::string::npos ? ',' : '\t';
    const auto header = naive_fields(line, separator);
    require(header.has_value());
    while (next_line()) {
        if (line.empty()) {
            continue;
        }
        const auto fields = naive_fields(line, separator);
        require(fields && fields->size() == header->size());
        const auto value = [&](const char* name) {
            return fields->at(
                static_cast<std::size_t>(std::find(header->begin(), header->end(), name) - header->begin()));
        };
        const auto time = gru4rec::detail::parse_time(value("Time"));
        require(time.has_value());
        require(!events.add(value("SessionId"), value("ItemId"), *time));
    }
    return std::move(events).take();
}

[[nodiscard]] inline gru4rec::Dataset sessions_of(gru4rec::Events events) {
    return gru4rec::Dataset(std::move(events), gru4rec::KeepSessionIds::yes);
}

/// As read_sessions does.
[[nodiscard]] inline gru4rec::Dataset read_sessions(std::string_view bytes, const gru4rec::ItemMap* known_items,
                                                    const gru4rec::detail::ReadSettings& settings = {}) {
    const gru4rec::ReadOptions options{.known_items = known_items};
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
