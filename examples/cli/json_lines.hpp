#ifndef GRU4REC_CLI_JSON_LINES_HPP
#define GRU4REC_CLI_JSON_LINES_HPP

#include "gru4rec/data/text_stream.hpp"

#include <string_view>

namespace cli {

/// Whether a text that begins so is JSON lines: its first byte other than blanks is `{`.
[[nodiscard]] bool is_json_lines(std::string_view first_bytes) noexcept;

/// JSON lines as TAB-separated text with a header line, an event per line. Empty lines are skipped. Two forms:
///
/// - An object per event: `{"session": 1, "item": 70004, "time": 1431235772}`. The columns are its keys.
/// - An object per session, with an array of objects under one key: `{"session": 1, "events": [{"aid": 70004, ...}]}`.
///   An array that every one of the first objects has, never of anything but objects, is such an array. The columns are
///   the other keys of the object, then those of the events; one that has the name of another is `events.NAME`.
///
/// The first 1000 objects (of at most 1 MB in all) define form and columns; keys that occur only later have none. A
/// missing key and null are an empty field. Numbers are written as they stand. A nested value becomes its JSON text.
///
/// Memory in proportion to the longest line.
///
/// The text's read throws gru4rec::FormatError, naming line and key, for what is not such a text: broken JSON, invalid
/// UTF-8, a key twice in an object, other values than objects, lines of more than 64 MiB; and if the program was built
/// without simdjson.
[[nodiscard]] gru4rec::TextStream json_lines_to_table(gru4rec::TextStream json);

}  // namespace cli

#endif
