// Files that are no tables are called what they are.

#include "gru4rec/data/not_a_table.hpp"

#include "support/contains.hpp"
#include "support/table_text.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <utility>

namespace {

using support::read_text;

TEST_CASE("a file of another kind is named by its first bytes") {
    using namespace std::string_literals;
    const std::pair<std::string, std::string> files[] = {
        {"\x1f\x8b\x08"s, "looks like a gzip file; unpack it first"},
        {"BZh91AY"s, "looks like a bzip2 file; unpack it first"},
        {"\xfd"
         "7zXZ\0\0"s,
         "looks like an xz file; unpack it first"},
        {"\x28\xb5\x2f\xfd"s, "looks like a zstd file; unpack it first"},
        {"PK\x03\x04"s, "looks like a zip file or a spreadsheet (xlsx)"},
        {"7z\xbc\xaf\x27\x1c"s, "looks like a 7z file; unpack it first"},
        {"PAR1\x15"s, "is a Parquet file, not a table of text; docs/data.md"},
        {"ARROW1\0\0"s, "is an Arrow (Feather) file, not a table of text; docs/data.md"},
        {"Obj\x01"s, "is an Avro file, not a table of text"},
        {"\x89HDF\r\n"s, "is an HDF5 file, not a table of text"},
        {"SQLite format 3\0"s, "is an SQLite database, not a table of text"},
        {"\xd0\xcf\x11\xe0"s, "is an old Excel or Word file, not a table of text; export the sheet as CSV"},
        {"\x93NUMPY\x01"s, "is a NumPy array, not a table of text"},
        {"%PDF-1.7"s, "is a PDF file"},
        {"version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 12\n"s,
         "is a pointer of Git LFS, not the data; fetch the file with: git lfs pull"},
        {"\xff\xfeS\0e\0"s, "looks like UTF-16; save the file as UTF-8"},
        {"\xfe\xff\0S\0e"s, "looks like UTF-16; save the file as UTF-8"},
        {"\x80\x02}q\0."s, "is a Python pickle"},
        {"\x80\x03}q\0."s, "is a Python pickle"},
        {"\x80\x04\x95"s, "is a Python pickle, not a table of text; docs/data.md"},
        {"\x80\x05\x95"s, "is a Python pickle"},
    };
    CHECK(std::size(files) == gru4rec::detail::foreign_formats.size());
    for (const auto& file : files) {
        CAPTURE(file.second);
        CHECK(read_text(file.first).starts_with("file: " + file.second));
    }
}

TEST_CASE("a web page is one whatever its case and the blanks before it") {
    for (const char* page : {"<!DOCTYPE html>\n<html>", "<html lang=en>", "\n\n  <HTML>",
                             "\xef\xbb\xbf<?xml version=\"1.0\"?>", "<head>", "<body>"}) {
        CAPTURE(page);
        CHECK(contains(read_text(page), "file: is a web page (HTML or XML), not a table"));
    }
    CHECK(read_text("<a>,SessionId,ItemId,Time\n0,1,a,5\n") == "1:a@5");
}

TEST_CASE("JSON is called JSON, objects and arrays") {
    CHECK(contains(read_text("{\"session\": 1}\n"),
                   "file: looks like JSON; the program gru4rec reads one object per line"));
    CHECK(contains(read_text(" \n{}"), "looks like JSON;"));
    for (const char* array : {"[{\"a\": 1}]", "[\n  {\"a\": 1}]", "[\r\n{", "[ \t{", "\xef\xbb\xbf[{"}) {
        CAPTURE(array);
        CHECK(contains(read_text(array),
                       "file: looks like a JSON array; write one object per line, for example with: jq -c '.[]' file"));
    }
    CHECK(read_text("[x],SessionId,ItemId,Time\n0,1,a,5\n") == "1:a@5");
}

TEST_CASE("other bytes are no table either") {
    std::string bytes;
    for (int i = 1; i < 2000; ++i) {
        bytes += static_cast<char>(i * 37 % 256);
    }
    CHECK(read_text(bytes).starts_with("file:1: "));
    CHECK(read_text(std::string(5000, '\0')).starts_with("file:1: column \"SessionId\" is missing"));
    CHECK(read_text(std::string(5000, '\0')).size() < 1000);
}

}  // namespace
