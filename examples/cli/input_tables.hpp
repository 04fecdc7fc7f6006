#ifndef GRU4REC_CLI_INPUT_TABLES_HPP
#define GRU4REC_CLI_INPUT_TABLES_HPP

#include "gru4rec/data/files.hpp"
#include "gru4rec/data/read_options.hpp"
#include "gru4rec/data/text_stream.hpp"

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "containers.hpp"
#include "table_options.hpp"

namespace cli {

/// What a text holds.
enum class TextKind { table, json_lines, session_table, session_lines };

/// The tables in files, one after another: unpacked, and converted if they are not tables.
class InputTables {
  public:
    /// Opens the first file.
    ///
    /// @param files  no folders; "-" is standard input
    /// @throws gru4rec::IoError, gru4rec::FormatError; gru4rec::ConfigError for an option without a meaning for the
    /// text
    InputTables(std::vector<std::string> files, const TableOptions& options);

    /// How the tables are to be read.
    [[nodiscard]] gru4rec::ReadOptions read_options() const { return read_options(options_); }
    /// The same with other options for tables.
    [[nodiscard]] gru4rec::ReadOptions read_options(const TableOptions& options) const;

    /// The files, if all of them are ordinary ones that need no conversion; else empty. They can then be read without
    /// next().
    [[nodiscard]] std::vector<std::filesystem::path> plain_files() const;

    /// What the first file is packed in, such as "gzip"; empty: nothing.
    [[nodiscard]] const std::string& container() const noexcept { return container_format_; }
    /// What the first text holds.
    [[nodiscard]] TextKind kind() const noexcept { return first_kind_; }

    /// What the first table begins with, up to 64 KiB. @pre next() was not called
    [[nodiscard]] std::string first_bytes();

    /// The next table; nullopt after the last one. @throws gru4rec::IoError, gru4rec::FormatError
    [[nodiscard]] std::optional<gru4rec::TableInput> next();

  private:
    void check_options() const;
    [[nodiscard]] std::optional<gru4rec::TableInput> open_next();
    [[nodiscard]] gru4rec::TableInput as_table(gru4rec::TextStream text);
    void note_kind(TextKind kind);

    std::vector<std::string> files_;
    TableOptions options_;
    std::size_t n_opened_ = 0;
    std::optional<Container> container_;
    std::optional<gru4rec::TableInput> first_;
    std::string container_format_;
    TextKind first_kind_ = TextKind::table;
    bool is_kind_known_ = false;
};

}  // namespace cli

#endif
