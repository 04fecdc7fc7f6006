#include "input_tables.hpp"

#include "gru4rec/core/error.hpp"
#include "gru4rec/data/session_lines.hpp"

#include <array>
#include <string_view>
#include <system_error>
#include <utility>

#include "file_text.hpp"
#include "json_lines.hpp"

namespace cli {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t n_first_bytes = 65'536;

[[nodiscard]] TextKind kind_of(std::string_view text, const TableOptions& options) {
    if (options.format == "table") {
        return TextKind::table;
    }
    if (options.format == "json" || (options.format == "auto" && is_json_lines(text))) {
        return TextKind::json_lines;
    }
    std::string_view line = text.substr(0, text.find('\n'));
    line.remove_suffix(line.ends_with('\r') ? 1 : 0);
    if (options.header != "no" && gru4rec::is_session_table(line)) {
        return TextKind::session_table;
    }
    return options.format == "sessions" ? TextKind::session_lines : TextKind::table;
}

[[nodiscard]] std::string_view text_kind_name(TextKind kind) {
    constexpr std::array<std::string_view, 4> names{"a table", "JSON lines", "a table with a session per line",
                                                    "text with a session per line"};
    return names[static_cast<std::size_t>(kind)];
}

[[nodiscard]] bool is_regular(const std::string& file) {
    std::error_code error;
    return file != "-" && fs::is_regular_file(file, error);
}

[[nodiscard]] bool is_plain_table(const std::string& file, const TableOptions& options) {
    return is_regular(file) && Container(file).is_plain_file() &&
           kind_of(first_bytes_of(file, n_first_bytes), options) == TextKind::table;
}

[[nodiscard]] gru4rec::SessionTableColumns session_columns(const gru4rec::ColumnNames& columns) {
    const gru4rec::ColumnNames usual;
    gru4rec::SessionTableColumns result;
    if (columns.item_key != usual.item_key) {
        result.items_key = columns.item_key;
    }
    if (columns.session_key != usual.session_key) {
        result.session_key = columns.session_key;
    }
    return result;
}

}  // namespace

InputTables::InputTables(std::vector<std::string> files, const TableOptions& options)
    : files_(std::move(files)), options_(options) {
    first_ = open_next();
    check_options();
}

/// @throws gru4rec::ConfigError for options that have no meaning for this kind of text
void InputTables::check_options() const {
    const TableOptions usual;
    const auto refuse = [&](bool is_given, const char* option) {
        if (is_given) {
            throw gru4rec::ConfigError(std::string(option) + ": does not apply to " +
                                       std::string(text_kind_name(first_kind_)) +
                                       "; leave it out, or say with --format what the files hold");
        }
    };
    if (first_kind_ == TextKind::table) {
        return;
    }
    refuse(options_.header != usual.header, "--header");
    refuse(options_.no_quotes, "--no-quotes");
    refuse(!options_.separator.empty() && first_kind_ != TextKind::session_lines, "--separator");
    if (first_kind_ != TextKind::json_lines) {
        refuse(options_.columns.time_key != usual.columns.time_key, "--time-key");
        refuse(!options_.columns.time_offset_key.empty(), "--time-offset-key");
        refuse(options_.time_unit != usual.time_unit && options_.time_unit != "none", "--time-unit");
    }
    if (first_kind_ == TextKind::session_lines) {
        refuse(options_.columns.session_key != usual.columns.session_key, "--session-key");
        refuse(options_.columns.item_key != usual.columns.item_key, "--item-key");
    }
}

gru4rec::ReadOptions InputTables::read_options(const TableOptions& options) const {
    gru4rec::ReadOptions result = cli::read_options(options);
    if (first_kind_ != TextKind::table) {
        result.layout.separator = '\t';  // as the converters write
        result.layout.header = gru4rec::HeaderLine::present;
        result.layout.quotes = gru4rec::Quotes::enclose;
    }
    if (first_kind_ == TextKind::session_table || first_kind_ == TextKind::session_lines) {
        result.columns = {};
        result.layout.time_unit = gru4rec::TimeUnit::none;
    }
    return result;
}

std::vector<fs::path> InputTables::plain_files() const {
    std::vector<fs::path> paths;
    for (const std::string& file : files_) {
        if (!is_plain_table(file, options_)) {
            return {};
        }
        paths.emplace_back(file);
    }
    return paths;
}

std::string InputTables::first_bytes() {
    if (!first_) {
        return {};
    }
    if (auto* const stream = std::get_if<gru4rec::TextStream>(&*first_)) {
        return gru4rec::peek(*stream, n_first_bytes);
    }
    return first_bytes_of(std::get<fs::path>(*first_).string(), n_first_bytes);
}

std::optional<gru4rec::TableInput> InputTables::next() {
    if (first_) {
        return std::exchange(first_, std::nullopt);
    }
    return open_next();
}

std::optional<gru4rec::TableInput> InputTables::open_next() {
    while (true) {
        if (container_) {
            if (auto text = container_->next()) {
                return as_table(std::move(*text));
            }
            container_.reset();
        }
        if (n_opened_ == files_.size()) {
            return std::nullopt;
        }
        const std::string& file = files_[n_opened_++];
        container_.emplace(file);
        if (n_opened_ == 1) {
            container_format_ = container_->format();
        }
        if (container_->is_plain_file() && kind_of(first_bytes_of(file, n_first_bytes), options_) == TextKind::table) {
            container_.reset();
            note_kind(TextKind::table);
            return fs::path(file);
        }
    }
}

gru4rec::TableInput InputTables::as_table(gru4rec::TextStream text) {
    const TextKind kind = kind_of(gru4rec::peek(text, n_first_bytes), options_);
    note_kind(kind);
    switch (kind) {
        case TextKind::json_lines: return json_lines_to_table(std::move(text));
        case TextKind::session_table:
            return gru4rec::sessions_of_table(std::move(text), session_columns(options_.columns));
        case TextKind::session_lines:
            return gru4rec::sessions_of_lines(std::move(text), cli::read_options(options_).layout.separator);
        default: return text;
    }
}

void InputTables::note_kind(TextKind kind) {
    if (std::exchange(is_kind_known_, true) && kind != first_kind_) {
        throw gru4rec::FormatError("the files are of different kinds: the first is " +
                                   std::string(text_kind_name(first_kind_)) + ", another is " +
                                   std::string(text_kind_name(kind)) +
                                   "; give files of one kind, or say the kind with --format");
    }
    first_kind_ = kind;
}

}  // namespace cli
