// JSON lines: what is accepted is JSON to nlohmann-json too, and becomes a table; what is refused for its JSON is not.

#include "cli/json_lines.hpp"

#include "gru4rec/core/error.hpp"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "fuzz/target.hpp"

namespace {

/// Whether every line that is not blank is JSON. To nlohmann-json, a NUL is the end of a text.
bool all_json(std::string_view text) {
    gru4rec::LineReader lines(gru4rec::text_stream("input", std::string(text)));
    while (auto line = lines.next()) {
        line->remove_prefix(line->starts_with("\xef\xbb\xbf") ? 3 : 0);
        const bool is_blank = line->find_first_not_of(" \t\r\n") == std::string_view::npos;
        const bool is_json = line->find('\0') == std::string_view::npos && nlohmann::json::accept(*line);
        if (!is_blank && !is_json) {
            return false;
        }
    }
    return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    try {
        auto table = cli::json_lines_to_table(fuzz::stream_of(text, 1 + size % 7));
        constexpr std::size_t most = std::size_t{1} << 22U;
        const std::string converted = fuzz::read_all(table, most);
        if (converted.size() < most) {
            fuzz::require_table(converted);
        }
        // Numbers of any size are taken as they stand; nlohmann-json refuses those that no double holds.
        const bool may_hold_large_numbers = text.find_first_of("eE") != std::string_view::npos || size > 300;
        fuzz::require(all_json(text) || may_hold_large_numbers, "what is accepted is JSON");
    } catch (const gru4rec::FormatError& error) {
        fuzz::require_message(error);
        const std::string_view message = error.what();
        const bool for_its_json = message.substr(message.find(": ") + 2).starts_with("no valid JSON");
        fuzz::require(!for_its_json || !all_json(text), "what is refused as no JSON is none");
    }
    return 0;
}
