#ifndef GRU4REC_DATA_NOT_A_TABLE_HPP
#define GRU4REC_DATA_NOT_A_TABLE_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/version.hpp"

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// A kind of file by its first bytes, and what to do with it.
struct ForeignFormat {
    std::string_view begin;
    std::string_view message;
};

inline constexpr std::string_view in_documentation = "; docs/data.md has a one-line conversion";

inline constexpr std::array<ForeignFormat, 21> foreign_formats{{
    {"\x1f\x8b", "looks like a gzip file; unpack it first"},
    {"BZh", "looks like a bzip2 file; unpack it first"},
    {std::string_view("\xfd"
                      "7zXZ\0",
                      6),
     "looks like an xz file; unpack it first"},
    {"\x28\xb5\x2f\xfd", "looks like a zstd file; unpack it first"},
    {"PK\x03\x04", "looks like a zip file or a spreadsheet (xlsx); unpack it, or export the sheet as CSV"},
    {"7z\xbc\xaf\x27\x1c", "looks like a 7z file; unpack it first"},
    {"PAR1", "is a Parquet file, not a table of text"},
    {"ARROW1", "is an Arrow (Feather) file, not a table of text"},
    {"Obj\x01", "is an Avro file, not a table of text"},
    {"\x89HDF", "is an HDF5 file, not a table of text"},
    {"SQLite format 3", "is an SQLite database, not a table of text"},
    {"\xd0\xcf\x11\xe0", "is an old Excel or Word file, not a table of text; export the sheet as CSV"},
    {"\x93NUMPY", "is a NumPy array, not a table of text"},
    {"%PDF", "is a PDF file, not a table of text"},
    {"version https://git-lfs", "is a pointer of Git LFS, not the data; fetch the file with: git lfs pull"},
    {"\xff\xfe", "looks like UTF-16; save the file as UTF-8"},
    {"\xfe\xff", "looks like UTF-16; save the file as UTF-8"},
    {"\x80\x02", "is a Python pickle, not a table of text"},
    {"\x80\x03", "is a Python pickle, not a table of text"},
    {"\x80\x04", "is a Python pickle, not a table of text"},
    {"\x80\x05", "is a Python pickle, not a table of text"},
}};

/// The text after a byte-order mark, blanks and line ends.
[[nodiscard]] inline std::string_view after_blanks(std::string_view text) noexcept {
    if (text.starts_with("\xef\xbb\xbf")) {
        text.remove_prefix(3);
    }
    const std::size_t begin = text.find_first_not_of(" \t\r\n");
    return begin == std::string_view::npos ? std::string_view() : text.substr(begin);
}

/// Whether the text starts with a tag of a web page, in any case.
[[nodiscard]] inline bool is_web_page(std::string_view text) noexcept {
    constexpr std::array<std::string_view, 5> tags{"<!doctype", "<html", "<head", "<?xml", "<body"};
    text = after_blanks(text);
    for (const std::string_view tag : tags) {
        bool same = text.size() >= tag.size();
        for (std::size_t i = 0; same && i < tag.size(); ++i) {
            const char c = text[i] >= 'A' && text[i] <= 'Z' ? static_cast<char>(text[i] - 'A' + 'a') : text[i];
            same = c == tag[i];
        }
        if (same) {
            return true;
        }
    }
    return false;
}

/// @throws FormatError if the text is of a kind that is not a table
inline void check_is_table(const std::string& name, std::string_view text) {
    for (const ForeignFormat& kind : foreign_formats) {
        if (text.starts_with(kind.begin)) {
            const bool converts = kind.message.starts_with("is a Parquet") || kind.message.starts_with("is an Arrow") ||
                                  kind.message.starts_with("is a Python pickle");
            throw_format(name, std::string(kind.message) + std::string(converts ? in_documentation : ""));
        }
    }
    if (is_web_page(text)) {
        throw_format(name, "is a web page (HTML or XML), not a table; perhaps a log-in page was saved in its place");
    }
    const std::string_view begin = after_blanks(text);
    if (begin.starts_with('{')) {
        throw_format(name, "looks like JSON; the program gru4rec reads one object per line (JSON lines)");
    }
    if (begin.starts_with('[') && (begin.starts_with("[\n") || after_blanks(begin.substr(1)).starts_with('{'))) {
        throw_format(name, "looks like a JSON array; write one object per line, for example with: jq -c '.[]' " + name);
    }
}

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
