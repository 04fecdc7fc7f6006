// A session per line: the first byte of the input says how it is read.

#include "gru4rec/data/session_lines.hpp"

#include "gru4rec/core/error.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "fuzz/target.hpp"

namespace {

gru4rec::TextStream convert(char how, gru4rec::TextStream text) {
    switch (how) {
        case 't': return gru4rec::sessions_of_table(std::move(text));
        case 'n': return gru4rec::sessions_of_table(std::move(text), {.items_key = "a", .session_key = "b"});
        case ' ':
        case ',':
        case ';': return gru4rec::sessions_of_lines(std::move(text), how);
        default: return gru4rec::sessions_of_lines(std::move(text));
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    const std::string_view header = text.substr(0, text.find('\n'));
    const bool is_table = gru4rec::is_session_table(header);
    try {
        auto events = convert(static_cast<char>(data[0]), fuzz::stream_of(text, 1 + size % 7));
        for (const auto& record : fuzz::require_table(fuzz::read_all(events, std::size_t{1} << 24U))) {
            fuzz::require(record.size() == 2, "an event has a session and an item");
            fuzz::require(!record[1].empty(), "an event has an item");
        }
    } catch (const gru4rec::FormatError& error) {
        fuzz::require_message(error);
        const bool lacks_column = std::string_view(error.what()).starts_with("input:1: no column");
        fuzz::require(!(is_table && lacks_column), "a table that is recognised has its column");
    }
    return 0;
}
