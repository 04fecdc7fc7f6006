#include "cli/containers.hpp"

#include "gru4rec/core/error.hpp"
#include "gru4rec/data/text_stream.hpp"
#include "support/contains.hpp"
#include "support/packed.hpp"
#include "support/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Packed files give the bytes that were packed, or one error that names the file.
namespace {

using cli::Container;
using gru4rec::FormatError;
using gru4rec::IoError;
using gru4rec::TextStream;
using packed::File;

struct Text {
    std::string name;
    std::string content;

    bool operator==(const Text&) const = default;
};

std::string read_all(TextStream& stream, std::size_t piece = 1000) {
    std::string text;
    std::vector<char> buffer(piece);
    while (const std::size_t count = stream.read(buffer)) {
        text.append(buffer.data(), count);
    }
    return text;
}

std::vector<Text> texts_of(Container container) {
    std::vector<Text> texts;
    while (auto stream = container.next()) {
        texts.push_back({stream->name, read_all(*stream)});
    }
    CHECK_FALSE(container.next().has_value());
    return texts;
}

/// As from a pipe.
std::vector<Text> texts_of(const std::string& bytes) {
    return texts_of(Container(gru4rec::text_stream("clicks", bytes)));
}

template <class Act>
std::string error_of(const Act& act) {
    try {
        static_cast<void>(act());
    } catch (const FormatError& error) {
        return error.what();
    }
    return "no error";
}

std::string table_of(int n_rows) {
    std::string table = "SessionId,ItemId,Time\n";
    for (int i = 0; i < n_rows; ++i) {
        table += std::to_string(i / 3) + "," + std::to_string(70000 + i * 37 % 30) + "," +
                 std::to_string(1431216000 + 61 * i) + "\n";
    }
    return table;
}

const std::string small = "SessionId,ItemId\n1,70004\n1,70000\n";

struct Filter {
    const char* name;
    void (*add)(archive*);
};
const std::vector<Filter> filters = {
    {"gzip", packed::gzip}, {"bzip2", packed::bzip2}, {"xz", packed::xz}, {"zstd", packed::zstd}};

std::string corpus_file(const std::string& name) {
    return read_bytes(std::string(GRU4REC_TESTS_DIR) + "/fuzz/corpus/container/" + name);
}

/// A small file of every kind whose content a checksum guards. One file each: nothing guards the names in a zip file.
std::vector<Text> guarded_files() {
    return {{"gzip", packed::pack(small, packed::gzip)},
            {"bzip2", packed::pack(small, packed::bzip2)},
            {"xz", packed::pack(small, packed::xz)},
            {"zstd", corpus_file("csv.zst")},
            {"zip", packed::zip_of({{"a.csv", small}})},
            {"stored zip", packed::stored_zip_of({{"a.csv", small}})},
            {"streamed zip", corpus_file("streamed.zip")},
            {"tar in gzip", packed::tar_of({{"a.csv", small}}, packed::gzip)}};
}

/// What damaged bytes may give: the texts as they were, one error, or, where the first bytes no longer tell a packed
/// file, the bytes.
template <class Open>
void require_right_or_refused(const std::string& bytes, const std::vector<std::string>& right, const Open& open) {
    try {
        Container container = open();
        if (container.format().empty()) {
            REQUIRE(texts_of(std::move(container)).front().content == bytes);
            return;
        }
        for (const Text& text : texts_of(std::move(container))) {
            REQUIRE(std::find(right.begin(), right.end(), text.content) != right.end());
        }
    } catch (const FormatError& error) {
        REQUIRE(contains(error.what(), "clicks"));
    }
}

}  // namespace

TEST_CASE("a packed file gives the text that was packed, whatever its name") {
    const TemporaryFolder folder;
    const std::string table = table_of(30000);
    for (const Filter& filter : filters) {
        CAPTURE(filter.name);
        const std::string bytes = packed::pack(table, filter.add);
        REQUIRE(bytes.size() < table.size() / 2);
        CHECK(texts_of(bytes) == std::vector<Text>{{"clicks", table}});
        const std::string path = (folder / "clicks.csv").string();
        write_bytes(path, bytes);
        Container container(path);
        CHECK(container.format() == filter.name);
        CHECK_FALSE(container.is_plain_file());
        CHECK(texts_of(std::move(container)) == std::vector<Text>{{path, table}});
    }
}

TEST_CASE("an empty text can be packed, and so can several, one after another") {
    for (const Filter& filter : filters) {
        CAPTURE(filter.name);
        const std::string nothing = packed::pack("", filter.add);
        CHECK(texts_of(nothing) == std::vector<Text>{{"clicks", ""}});
        const std::string twice = packed::pack(small, filter.add) + packed::pack("2,7\n", filter.add);
        CHECK(texts_of(twice) == std::vector<Text>{{"clicks", small + "2,7\n"}});
    }
    const std::string zeros_after = packed::pack(small, packed::gzip) + std::string(512, '\0');
    CHECK(texts_of(zeros_after) == std::vector<Text>{{"clicks", small}});
    const std::string more_after = packed::pack(small, packed::gzip) + "more";
    CHECK(contains(error_of([&] { return texts_of(more_after); }), "clicks: broken gzip file: "));
}

TEST_CASE("an archive gives its files in order, without folders and what macOS adds") {
    const std::vector<File> files = {{"logs/", ""},
                                     {"logs/oct.csv", small},
                                     {"logs/._oct.csv", "junk"},
                                     {"__MACOSX/logs/oct.csv", "junk"},
                                     {".DS_Store", "junk"},
                                     {"./b.csv", "x"},
                                     {"a.csv", ""}};
    const std::vector<Text> expected = {{"clicks/logs/oct.csv", small}, {"clicks/b.csv", "x"}, {"clicks/a.csv", ""}};
    CHECK(texts_of(packed::zip_of(files)) == expected);
    CHECK(texts_of(packed::tar_of(files)) == expected);
    for (const Filter& filter : filters) {
        CAPTURE(filter.name);
        const std::string bytes = packed::tar_of(files, filter.add);
        Container container(gru4rec::text_stream("clicks", bytes));
        CHECK(container.format() == std::string("tar in ") + filter.name);
        CHECK(texts_of(std::move(container)) == expected);
    }
    const TemporaryFolder folder;
    const std::string path = (folder / "clicks").string();
    write_bytes(path, packed::zip_of(files));
    CHECK(texts_of(Container(path)).at(0) == Text{path + "/logs/oct.csv", small});
}

TEST_CASE("a tar is read to its end: another one after it, and the checksum of what it is packed in") {
    const std::vector<Text> expected = {{"clicks/a.csv", small}, {"clicks/b.csv", "x"}};
    CHECK(texts_of(packed::tar_of({{"a.csv", small}}) + packed::tar_of({{"b.csv", "x"}})) == expected);
    CHECK(texts_of(packed::tar_of({{"a.csv", small}}, packed::gzip) + packed::tar_of({{"b.csv", "x"}}, packed::gzip)) ==
          expected);
    std::string wrong_sum = packed::tar_of({{"a.csv", small}}, packed::gzip);
    wrong_sum[wrong_sum.size() - 8] ^= 1;
    CHECK(contains(error_of([&] { return texts_of(wrong_sum); }), "broken gzip file"));
    const std::string padded =
        packed::pack(packed::tar_of({{"a.csv", small}}) + std::string(3'072'000, '\0'), packed::gzip);
    CHECK(texts_of(padded).size() == 1);
    CHECK(contains(error_of([&] { return texts_of(padded.substr(0, padded.size() - 9)); }), "broken gzip file"));
}

TEST_CASE("a file in an archive may have a name of any letters, but of letters") {
    CHECK(texts_of(packed::zip_of({{"b\xc3\xa9.csv", "x"}})) == std::vector<Text>{{"clicks/b\xc3\xa9.csv", "x"}});
    CHECK(contains(error_of([] {
                       return texts_of(packed::zip_of({{"a\nb.csv", "x"}}));
                   }),
                   "clicks: broken zip file: a file name holds control characters"));
}

TEST_CASE("the next file of an archive is found although the one before was not read") {
    Container container(gru4rec::text_stream("clicks", packed::zip_of({{"a", table_of(1000)}, {"b", small}})));
    auto first = container.next();
    auto second = container.next();
    REQUIRE(second.has_value());
    CHECK(read_all(*second) == small);
    CHECK_THROWS_AS(read_all(*first), std::logic_error);
}

TEST_CASE("packed files in an archive are unpacked, archives in it are refused") {
    const std::string gz = packed::pack(small, packed::gzip);
    CHECK(texts_of(packed::zip_of({{"a.csv.gz", gz}})) == std::vector<Text>{{"clicks/a.csv.gz", small}});
    const std::string zip = packed::zip_of({{"a.csv", small}});
    CHECK(contains(error_of([&] {
                       return texts_of(packed::tar_of({{"a.zip", zip}}));
                   }),
                   "clicks/a.zip: the format is zip, an archive within an archive; unpack it"));
    std::string layers = small;
    for (int layer = 0; layer < 3; ++layer) {
        layers = packed::pack(layers, packed::gzip);
    }
    CHECK(texts_of(layers).at(0).content == small);
    CHECK(contains(error_of([&] { return texts_of(packed::pack(layers, packed::gzip)); }), "packed more than 3 times"));
}

TEST_CASE("a file that is cut off gives the whole text or an error") {
    const TemporaryFolder folder;
    for (const Text& file : guarded_files()) {  // a lambda captures no structured binding in C++20 of clang 14
        const std::string& name = file.name;
        const std::string& bytes = file.content;
        CAPTURE(name);
        for (std::size_t size = 0; size < bytes.size(); ++size) {
            CAPTURE(size);
            const std::string part = bytes.substr(0, size);
            const std::vector<std::string> right = {
                small, table_of(0), read_bytes(std::string(GRU4REC_TESTS_DIR) + "/fuzz/corpus/container/plain.csv")};
            require_right_or_refused(part, right, [&] { return Container(gru4rec::text_stream("clicks", part)); });
            if (contains(name, "zip") && name != "gzip") {
                const std::string path = (folder / "clicks").string();
                write_bytes(path, part);
                require_right_or_refused(part, right, [&] { return Container(path); });
            }
        }
    }
}

TEST_CASE("a file with a changed byte gives the right text or an error") {
    const TemporaryFolder folder;
    const std::vector<std::string> right = {
        small, read_bytes(std::string(GRU4REC_TESTS_DIR) + "/fuzz/corpus/container/plain.csv")};
    for (const Text& file : guarded_files()) {  // a lambda captures no structured binding in C++20 of clang 14
        const std::string& name = file.name;
        const std::string& bytes = file.content;
        CAPTURE(name);
        for (std::size_t i = 0; i < bytes.size(); ++i) {
            CAPTURE(i);
            std::string changed = bytes;
            changed[i] = static_cast<char>(changed[i] ^ 0x10);
            require_right_or_refused(changed, right,
                                     [&] { return Container(gru4rec::text_stream("clicks", changed)); });
            if (contains(name, "zip") && name != "gzip") {
                const std::string path = (folder / "clicks").string();
                write_bytes(path, changed);
                require_right_or_refused(changed, right, [&] { return Container(path); });
            }
        }
    }
}

TEST_CASE("the messages for damaged files say what is damaged") {
    const std::string gz = packed::pack(small, packed::gzip);
    CHECK(error_of([&] { return texts_of(gz.substr(0, gz.size() - 9)); }) ==
          "clicks: broken gzip file: it ends too early; fetch it again or pack it again");
    std::string checksum = gz;
    checksum[gz.size() - 8] ^= 1;
    CHECK(contains(error_of([&] { return texts_of(checksum); }), "clicks: broken gzip file: incorrect data check"));
    CHECK(contains(error_of([] { return texts_of(corpus_file("truncated.zip").substr(0, 100)); }),
                   "clicks: broken zip file: "));
    CHECK(contains(error_of([] { return texts_of(corpus_file("encrypted.zip")); }),
                   "clicks/logs/oct.csv: the file is encrypted; unpack the archive with its password first"));
    CHECK(contains(error_of([] { return texts_of(corpus_file("lzma.zip")); }),
                   "clicks/logs/oct.csv: the kind of compression is not supported: ZIP 6.3 (lzma); pack it again"));
    CHECK(contains(error_of([] { return texts_of(corpus_file("empty.zip")); }), "clicks: the archive holds no file"));
    CHECK(contains(error_of([] { return texts_of(packed::zip_of({{"logs/", ""}})); }), "the archive holds no file"));
    CHECK(error_of([] { return texts_of(corpus_file("7zip")); }) ==
          "clicks: the format is 7-Zip, which this program cannot read; unpack it on the way: 7z x -so FILE | gru4rec "
          "... -");
}

TEST_CASE("a bomb is unpacked only as far as it is read") {
    const std::string zeros(std::size_t{16} << 20U, '\0');
    for (const Filter& filter : filters) {
        CAPTURE(filter.name);
        const auto bytes = std::make_shared<std::string>(packed::pack(zeros, filter.add));
        const auto n_taken = std::make_shared<std::size_t>(0);
        TextStream source{.name = "bomb", .read = [=](std::span<char> buffer) {
                              const std::size_t count =
                                  bytes->copy(buffer.data(), (std::min)(buffer.size(), std::size_t{16}), *n_taken);
                              *n_taken += count;
                              return count;
                          }};
        Container container(std::move(source));
        auto text = container.next();
        REQUIRE(text.has_value());
        std::vector<char> buffer(1000);
        REQUIRE(text->read(buffer) > 0);
        CHECK(*n_taken < bytes->size() / 2 + 2000);
        if (filter.add == packed::gzip) {
            CHECK(*n_taken < 3000);
        }
    }
}

TEST_CASE("a file that is not packed is told, and read as it is") {
    const TemporaryFolder folder;
    for (const std::string& content : {table_of(1000), std::string(), std::string("BZh is a word,PK too\n")}) {
        const std::string path = (folder / "clicks.gz").string();
        write_bytes(path, content);
        Container container(path);
        CHECK(container.format().empty());
        CHECK(container.is_plain_file());
        CHECK(texts_of(std::move(container)) == std::vector<Text>{{path, content}});
        CHECK(texts_of(content) == std::vector<Text>{{"clicks", content}});
        CHECK_FALSE(Container(gru4rec::text_stream("clicks", content)).is_plain_file());
    }
}

TEST_CASE("what cannot be opened or read is an error of the system, also below libarchive") {
    const TemporaryFolder folder;
    CHECK_THROWS_AS(Container((folder / "missing").string()), IoError);
    CHECK_THROWS_AS(Container(folder.path().string()), IoError);
    CHECK_THROWS_AS(Container("/dev/zero"), IoError);
    for (const std::string& bytes :
         {packed::pack(table_of(30000), packed::bzip2), packed::zip_of({{"a", table_of(9)}})}) {
        TextStream failing{.name = "clicks", .read = [&, used = std::size_t{0}](std::span<char> buffer) mutable {
                               if (used >= 600 || used == bytes.size()) {
                                   throw IoError("clicks: the disk is gone");
                               }
                               const std::size_t count =
                                   bytes.copy(buffer.data(), (std::min)(buffer.size(), std::size_t{300}), used);
                               used += count;
                               return count;
                           }};
        CHECK_THROWS_WITH_AS(texts_of(Container(std::move(failing))), "clicks: the disk is gone", IoError);
    }
}
