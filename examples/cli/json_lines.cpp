#include "json_lines.hpp"

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/text.hpp"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#if GRU4REC_HAS_SIMDJSON
#include <simdjson.h>

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>
#endif

namespace cli {

namespace {

constexpr std::string_view blanks = " \t\r\n";
constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

[[nodiscard]] std::string_view without_blanks_before(std::string_view text) noexcept {
    text.remove_prefix(text.starts_with(byte_order_mark) ? byte_order_mark.size() : 0);
    text.remove_prefix((std::min)(text.find_first_not_of(blanks), text.size()));
    return text;
}

}  // namespace

bool is_json_lines(std::string_view first_bytes) noexcept {
    return without_blanks_before(first_bytes).starts_with('{');
}

#if GRU4REC_HAS_SIMDJSON

namespace {

namespace ondemand = simdjson::ondemand;
using gru4rec::LineReader;
using gru4rec::detail::quote;

static_assert(LineReader::padding >= simdjson::SIMDJSON_PADDING);

[[nodiscard]] bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

/// Cuts digits off. @returns false if there are none
[[nodiscard]] bool take_digits(std::string_view& text) noexcept {
    const std::size_t count = (std::min)(text.find_first_not_of("0123456789"), text.size());
    text.remove_prefix(count);
    return count > 0;
}

/// By the grammar of JSON. simdjson would parse numbers, but they are handed over as they stand.
[[nodiscard]] bool is_number(std::string_view text) noexcept {
    text.remove_prefix(text.starts_with('-') ? 1 : 0);
    if (text.starts_with('0') && text.size() > 1 && is_digit(text[1])) {
        return false;
    }
    if (!take_digits(text)) {
        return false;
    }
    if (text.starts_with('.')) {
        text.remove_prefix(1);
        if (!take_digits(text)) {
            return false;
        }
    }
    if (text.starts_with('e') || text.starts_with('E')) {
        text.remove_prefix(1);
        text.remove_prefix(text.starts_with('+') || text.starts_with('-') ? 1 : 0);
        return take_digits(text) && text.empty();
    }
    return text.empty();
}

/// The columns of one kind of object.
class Columns {
  public:
    static constexpr std::size_t none = static_cast<std::size_t>(-1);

    [[nodiscard]] const std::vector<std::string>& names() const noexcept { return names_; }

    [[nodiscard]] std::size_t add(std::string_view key) {
        names_.emplace_back(key);
        return numbers_.emplace(key, names_.size() - 1).first->second;
    }

    /// @returns `none` for a key without a column
    [[nodiscard]] std::size_t find(std::string_view key) {
        if (next_ < names_.size() && names_[next_] == key) {  // the keys nearly always come in the same order
            return next_++;
        }
        key_.assign(key);
        const auto found = numbers_.find(key_);
        if (found == numbers_.end()) {
            return none;
        }
        next_ = found->second + 1;
        return found->second;
    }

    void begin_object() noexcept { next_ = 0; }

  private:
    std::vector<std::string> names_;
    std::unordered_map<std::string, std::size_t> numbers_;
    std::string key_;
    std::size_t next_ = 0;
};

/// A value of the line at hand: a part of Line::text.
struct Cell {
    std::size_t column;
    std::size_t begin;
    std::size_t size;
};

/// What was read of a line.
struct Line {
    std::string text;
    std::vector<Cell> outer;
    std::vector<Cell> inner;              ///< of all events, one after another
    std::vector<std::size_t> event_ends;  ///< in `inner`
    std::size_t n_events = 0;

    void clear() noexcept {
        text.clear();
        outer.clear();
        inner.clear();
        event_ends.clear();
        n_events = 0;
    }
};

/// Under which keys the first objects have arrays of objects.
class FormSurvey {
  public:
    enum class Kind { objects, empty, other };

    void begin_object() noexcept { ++n_objects_; }

    void add(std::string_view key, Kind kind) {
        Counts& counts = keys_[std::string(key)];
        counts.objects += kind == Kind::objects ? 1 : 0;
        counts.arrays += kind != Kind::other ? 1 : 0;
    }

    /// @returns the keys that hold the events of a session; empty if each object is an event
    [[nodiscard]] std::vector<std::string> event_keys() const {
        std::vector<std::string> found;
        for (const auto& [key, counts] : keys_) {
            if (counts.objects > 0 && counts.arrays == n_objects_) {
                found.push_back(key);
            }
        }
        std::sort(found.begin(), found.end());
        if (std::find(found.begin(), found.end(), "events") != found.end()) {
            found = {"events"};
        }
        return found;
    }

  private:
    struct Counts {
        std::size_t objects = 0;
        std::size_t arrays = 0;
    };

    std::size_t n_objects_ = 0;
    std::unordered_map<std::string, Counts> keys_;
};

class JsonLines {
  public:
    explicit JsonLines(gru4rec::TextStream json) : lines_(std::move(json)) {}

    bool append_to(std::string& text) {
        constexpr std::size_t enough = std::size_t{1} << 16U;
        if (!began_) {
            began_ = true;
            begin(text);
        }
        while (text.size() < enough) {
            if (next_event_ < line_.n_events) {
                append_event(text);
            } else if (!read_line()) {
                return false;
            }
        }
        return true;
    }

  private:
    static constexpr std::size_t most_first_lines = 1000;
    static constexpr std::size_t most_first_bytes = std::size_t{1} << 20U;
    static constexpr std::size_t most_columns = 1000;
    static constexpr int deepest = 64;

    /// A line that was read to learn the columns; followed by LineReader::padding bytes.
    struct FirstLine {
        std::size_t number;
        std::string text;
    };

    /// Learns form and columns from the first lines, and writes the header line.
    void begin(std::string& text) {
        std::size_t n_bytes = 0;
        while (first_lines_.size() < most_first_lines && n_bytes < most_first_bytes) {
            const auto line = next_line();
            if (!line) {
                break;
            }
            n_bytes += line->size();
            first_lines_.push_back({number_, std::string(*line) + std::string(LineReader::padding, ' ')});
        }
        FormSurvey survey;
        for_each_first_line([&](std::string_view line) { survey_line(line, survey); });
        choose_form(survey.event_keys());
        learning_ = true;
        for_each_first_line([&](std::string_view line) { parse(line); });
        learning_ = false;
        line_.clear();
        if (!first_lines_.empty()) {
            append_header(text);
        }
        row_.resize(outer_.names().size() + inner_.names().size());
    }

    template <class Use>
    void for_each_first_line(const Use& use) {
        for (const FirstLine& line : first_lines_) {
            number_ = line.number;
            use(without_padding(line));
        }
    }

    [[nodiscard]] static std::string_view without_padding(const FirstLine& line) noexcept {
        return std::string_view(line.text).substr(0, line.text.size() - LineReader::padding);
    }

    void choose_form(std::vector<std::string> keys) {
        if (keys.size() > 1) {
            gru4rec::detail::throw_format(
                lines_.name(),
                "the keys " + quote(keys[0]) + " and " + quote(keys[1]) +
                    " both hold arrays of objects, so either may be the events of a session; leave one: " +
                    "jq -c 'del(." + keys[1] + ")' FILE | gru4rec ... -");
        }
        if (!keys.empty()) {
            events_key_ = std::move(keys[0]);
        }
    }

    void append_header(std::string& text) const {
        if (outer_.names().empty() && inner_.names().empty()) {
            gru4rec::detail::throw_format(
                lines_.name(), "the objects have no keys; expected those of events, such as " + std::string(example));
        }
        std::vector<std::string> names = outer_.names();
        for (const std::string& name : inner_.names()) {
            const auto& others = outer_.names();
            const bool taken = std::find(others.begin(), others.end(), name) != others.end();
            names.push_back(taken ? *events_key_ + "." + name : name);
        }
        append_line({names.begin(), names.end()}, text);
    }

    static void append_line(const std::vector<std::string_view>& fields, std::string& text) {
        const std::size_t begin = text.size();
        for (std::size_t i = 0; i < fields.size(); ++i) {
            if (i > 0) {
                text += '\t';
            }
            gru4rec::append_field(text, fields[i]);
        }
        text += text.size() == begin ? "\"\"\n" : "\n";  // readers skip empty lines
    }

    /// What stands beside the events of a session is written with each of them.
    void require_short(const Cell& cell) const {
        constexpr std::size_t longest = 4096;
        if (events_key_ && cell.size > longest) {
            const std::string& key = outer_.names()[cell.column];
            fail("the value of " + quote(key) +
                 " has more than 4096 bytes beside a list of events; leave it out: jq -c " + "'del(." + key + ")'");
        }
    }

    void append_event(std::string& text) {
        const auto part = [&](const Cell& cell) { return std::string_view(line_.text).substr(cell.begin, cell.size); };
        std::fill(row_.begin(), row_.end(), std::string_view());
        for (const Cell& cell : line_.outer) {
            require_short(cell);
            row_[cell.column] = part(cell);
        }
        if (events_key_) {
            for (const std::size_t end = line_.event_ends[next_event_]; next_inner_ < end; ++next_inner_) {
                row_[outer_.names().size() + line_.inner[next_inner_].column] = part(line_.inner[next_inner_]);
            }
        }
        append_line(row_, text);
        ++next_event_;
    }

    /// The next line that is not blank.
    [[nodiscard]] std::optional<std::string_view> next_line() {
        for (auto line = lines_.next(); line; line = lines_.next()) {
            number_ = lines_.line();
            if (line->starts_with(byte_order_mark)) {  // of the second of two files in one
                line->remove_prefix(byte_order_mark.size());
            }
            if (line->find_first_not_of(blanks) != std::string_view::npos) {
                return line;
            }
        }
        return std::nullopt;
    }

    /// @returns false at the end
    [[nodiscard]] bool read_line() {
        next_event_ = next_inner_ = 0;
        line_.clear();
        if (n_reread_ < first_lines_.size()) {
            const FirstLine& line = first_lines_[n_reread_++];
            number_ = line.number;
            parse(without_padding(line));
            return true;
        }
        first_lines_ = {};
        n_reread_ = 0;
        const auto line = next_line();
        if (line) {
            parse(*line);
        }
        return line.has_value();
    }

    /// Calls `use(key, value)` for each value of the line's object.
    template <class Use>
    void for_each_value(std::string_view line, const Use& use) {
        require_object(line);
        try {
            ondemand::document document =
                parser_.iterate(line.data(), line.size(), line.size() + LineReader::padding).value();
            ondemand::object object = document.get_object().value();
            for (auto field : object) {
                const std::string_view key = field.unescaped_key().value();
                use(key, field.value().value());
            }
            if (document.current_location().error() == simdjson::SUCCESS) {
                fail("found more after the object; expected one object per line");
            }
        } catch (const simdjson::simdjson_error& error) {
            fail_parsing(line, error);
        }
    }

    void survey_line(std::string_view line, FormSurvey& survey) {
        survey.begin_object();
        for_each_value(line, [&](std::string_view key, ondemand::value value) { survey.add(key, kind_of(value)); });
    }

    /// null counts as an empty array.
    [[nodiscard]] static FormSurvey::Kind kind_of(ondemand::value value) {
        if (value.type().value() == ondemand::json_type::null) {
            return FormSurvey::Kind::empty;
        }
        if (value.type().value() != ondemand::json_type::array) {
            return FormSurvey::Kind::other;
        }
        ondemand::array array = value.get_array().value();
        std::optional<FormSurvey::Kind> kind;
        for (auto element : array) {
            const bool is_object = element.type().value() == ondemand::json_type::object;
            kind = is_object && kind != FormSurvey::Kind::other ? FormSurvey::Kind::objects : FormSurvey::Kind::other;
        }
        return kind.value_or(FormSurvey::Kind::empty);
    }

    void parse(std::string_view line) {
        line_.clear();
        begin_object(outer_, outer_seen_);
        bool has_events = false;
        for_each_value(line, [&](std::string_view key, ondemand::value value) {
            if (!events_key_ || key != *events_key_) {
                add_value(outer_, key, value);
                return;
            }
            if (has_events) {
                fail_twice(key);
            }
            has_events = true;
            parse_events(value);
        });
        if (!events_key_) {
            line_.n_events = 1;
        } else if (!has_events) {
            fail("the key " + quote(*events_key_) + " is missing, which held the events in the lines before");
        }
    }

    void parse_events(ondemand::value value) {
        if (value.type().value() == ondemand::json_type::null && scalar(value) == "null") {
            return;
        }
        if (value.type().value() != ondemand::json_type::array) {
            fail("key " + quote(*events_key_) + ": expected an array of events, as in the lines before");
        }
        ondemand::array array = value.get_array().value();
        for (auto element : array) {
            ondemand::value event = element.value();
            if (event.type().value() != ondemand::json_type::object) {
                fail("key " + quote(*events_key_) + ": expected an array of objects only, such as " +
                     std::string(example));
            }
            begin_object(inner_, inner_seen_);
            ondemand::object object = event.get_object().value();
            for (auto field : object) {
                const std::string_view key = field.unescaped_key().value();
                add_value(inner_, key, field.value().value());
            }
            line_.event_ends.push_back(line_.inner.size());
            ++line_.n_events;
        }
    }

    void begin_object(Columns& columns, std::vector<std::uint64_t>& seen) {
        ++n_objects_;
        columns.begin_object();
        seen.resize(columns.names().size());
    }

    void add_value(Columns& columns, std::string_view key, ondemand::value value) {
        std::size_t column = columns.find(key);
        if (column == Columns::none && learning_) {
            column = add_column(columns, key);
        }
        const std::size_t begin = line_.text.size();
        append_value(value, line_.text);
        if (column == Columns::none) {
            line_.text.resize(begin);
            return;
        }
        std::vector<std::uint64_t>& seen = &columns == &outer_ ? outer_seen_ : inner_seen_;
        if (seen[column] == n_objects_) {
            fail_twice(columns.names()[column]);
        }
        seen[column] = n_objects_;
        if (line_.text.size() > begin) {
            auto& cells = &columns == &outer_ ? line_.outer : line_.inner;
            cells.push_back({column, begin, line_.text.size() - begin});
        }
    }

    [[nodiscard]] std::size_t add_column(Columns& columns, std::string_view key) {
        if (outer_.names().size() + inner_.names().size() == most_columns) {
            fail("key " + quote(key) + ": the objects have more than " + std::to_string(most_columns) +
                 " different keys; expected those of events, such as " + std::string(example));
        }
        const std::size_t column = columns.add(key);
        (&columns == &outer_ ? outer_seen_ : inner_seen_).resize(column + 1);
        return column;
    }

    /// Appends the text of the value; its JSON text if it is an array or an object.
    void append_value(ondemand::value value, std::string& text) {
        const ondemand::json_type type = value.type().value();
        if (type == ondemand::json_type::string) {
            text += value.get_string().value();
            return;
        }
        if (type != ondemand::json_type::array && type != ondemand::json_type::object) {
            const std::string_view token = scalar(value);
            text += token == "null" ? std::string_view() : token;
            return;
        }
        append_json(value, text, 0);
    }

    /// Appends the JSON text of a value without blanks between its tokens, checking all that it holds.
    void append_json(ondemand::value value, std::string& text, int depth) {
        if (depth == deepest) {
            fail("the values are nested more than " + std::to_string(deepest) + " deep");
        }
        const ondemand::json_type type = value.type().value();
        if (type == ondemand::json_type::array) {
            char before = '[';
            ondemand::array array = value.get_array().value();
            for (auto element : array) {
                text += std::exchange(before, ',');
                append_json(element.value(), text, depth + 1);
            }
            text += before == '[' ? "[]" : "]";
        } else if (type == ondemand::json_type::object) {
            char before = '{';
            ondemand::object object = value.get_object().value();
            for (auto field : object) {
                text += std::exchange(before, ',');
                append_json_string(field.unescaped_key().value(), text);
                text += ':';
                append_json(field.value().value(), text, depth + 1);
            }
            text += before == '{' ? "{}" : "}";
        } else if (type == ondemand::json_type::string) {
            append_json_string(value.get_string().value(), text);
        } else {
            text += scalar(value);
        }
    }

    static void append_json_string(std::string_view string, std::string& text) {
        constexpr std::string_view digits = "0123456789abcdef";
        text += '"';
        for (const char c : string) {
            const auto byte = static_cast<unsigned char>(c);
            if (c == '"' || c == '\\') {
                text += '\\';
                text += c;
            } else if (byte < 0x20U) {
                text.append("\\u00").append(1, digits[byte >> 4U]).append(1, digits[byte & 0xfU]);
            } else {
                text += c;
            }
        }
        text += '"';
    }

    /// A number, true, false or null, as it stands.
    [[nodiscard]] std::string_view scalar(ondemand::value& value) const {
        std::string_view token = value.raw_json_token();
        token = token.substr(0, token.find_last_not_of(blanks) + 1);
        if (token != "null" && token != "true" && token != "false" && !is_number(token)) {
            fail("found " + quote(token) + "; expected a JSON value: a string in quotes, a number, true, false, null");
        }
        return token;
    }

    void require_object(std::string_view line) const {
        const std::string_view text = without_blanks_before(line);
        if (text.starts_with('[')) {
            fail(
                "found an array; expected one object per line; convert an array of objects: jq -c '.[]' FILE | gru4rec "
                "... -");
        }
        if (!text.starts_with('{')) {
            fail("found " + quote(text) + "; expected a JSON object, such as " + std::string(example));
        }
    }

    [[noreturn]] void fail_parsing(std::string_view line, const simdjson::simdjson_error& error) const {
        const std::size_t last = line.find_last_not_of(blanks);
        const bool ends = last != std::string_view::npos && line[last] == '}';
        std::string what = error.what();
        what.resize(what.find_last_not_of('.') + 1);
        fail((error.error() == simdjson::UTF8_ERROR ? std::string("the line is not valid UTF-8")
                                                    : "not valid JSON: " + what) +
             "; expected one object per line" +
             (ends ? "" : "; the line ends within the object: jq -c . FILE puts each object on one line"));
    }

    [[noreturn]] void fail_twice(std::string_view key) const {
        fail("key " + quote(key) + " occurs twice in an object");
    }

    [[noreturn]] void fail(const std::string& problem) const {
        gru4rec::detail::throw_format(lines_.place(number_), problem);
    }

    static constexpr std::string_view example = R"({"session": 1, "item": 70004, "time": 1431235772})";

    LineReader lines_;
    ondemand::parser parser_;
    bool began_ = false;
    bool learning_ = false;  ///< new keys become columns
    std::vector<FirstLine> first_lines_;
    std::size_t n_reread_ = 0;
    std::size_t number_ = 0;  ///< of the line at hand
    std::optional<std::string> events_key_;
    Columns outer_;
    Columns inner_;
    std::uint64_t n_objects_ = 0;
    std::vector<std::uint64_t> outer_seen_;  ///< by column: the last object that had it
    std::vector<std::uint64_t> inner_seen_;
    Line line_;
    std::size_t next_event_ = 0;
    std::size_t next_inner_ = 0;
    std::vector<std::string_view> row_;
};

}  // namespace

gru4rec::TextStream json_lines_to_table(gru4rec::TextStream json) {
    std::string name = json.name;
    return gru4rec::converted_text(std::move(name), "event", std::make_shared<JsonLines>(std::move(json)));
}

#else

gru4rec::TextStream json_lines_to_table(gru4rec::TextStream json) {
    gru4rec::detail::throw_format(
        json.name,
        "the format is JSON lines, and this program was built without simdjson; convert it on the way: jq "
        "-nr '[\"session\",\"item\",\"time\"], (inputs | [.session, .item, .time]) | @tsv' FILE | gru4rec ... -");
}

#endif

}  // namespace cli
