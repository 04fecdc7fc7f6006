#ifndef GRU4REC_TESTS_SUPPORT_TABLE_TEXT_HPP
#define GRU4REC_TESTS_SUPPORT_TABLE_TEXT_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/events.hpp"
#include "gru4rec/data/parse_time.hpp"
#include "gru4rec/data/read_options.hpp"
#include "support/reading.hpp"

#include <exception>
#include <string>
#include <string_view>

namespace support {

/// Events as `session:item@time session:item@time`.
[[nodiscard]] inline std::string listed(const gru4rec::Events& events) {
    std::string text;
    for (gru4rec::Index e = 0; e < events.size(); ++e) {
        const auto i = static_cast<std::size_t>(e);
        text += (e == 0 ? "" : " ") + std::string(events.session_ids.text(to_index(events.sessions[i]))) + ":" +
                std::string(events.item_map.id(events.items[i])) + "@" + gru4rec::detail::format_time(events.time(e));
    }
    return text;
}

/// The events of a table, or the message of the error.
[[nodiscard]] inline std::string read_text(std::string_view table, const gru4rec::ReadOptions& options = {}) {
    try {
        return listed(read_events(table, options));
    } catch (const std::exception& error) {
        return error.what();
    }
}

/// The events of a table and what the reader says about it.
struct Told {
    std::string events;
    gru4rec::ReadReport report{};

    explicit Told(std::string_view table, gru4rec::ReadOptions options = {}) {
        options.report = &report;
        events = read_text(table, options);
    }
};

}  // namespace support

#endif
