#include "gru4rec/io/safetensors.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/io/weights.hpp"

#include "support/sweep.hpp"
#include "support/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

namespace {

using gru4rec::FormatError;
using gru4rec::Index;
using gru4rec::IoError;
using gru4rec::TensorView;
using gru4rec::detail::Metadata;
using gru4rec::detail::SafetensorsFile;
using gru4rec::detail::TensorSource;

/// A whole row-major matrix.
template <class Value>
TensorSource matrix(const std::string& name, const std::vector<Value>& values, Index rows, Index cols) {
    return TensorView<const Value>{name, rows, cols, false, values.data(), cols, 1, false};
}

template <class Value>
TensorSource vector(const std::string& name, const std::vector<Value>& values) {
    return TensorView<const Value>{name, static_cast<Index>(values.size()), 1, true, values.data(), 1, 1, false};
}

std::string file_with(std::uint64_t length, const std::string& rest) {
    std::string bytes;
    for (unsigned k = 0; k < 8; ++k) {
        bytes += static_cast<char>(length >> (8 * k));
    }
    return bytes + rest;
}

std::string file_with(const std::string& header, std::size_t n_data) {
    return file_with(header.size(), header + std::string(n_data, '\0'));
}

/// The message of the FormatError on opening a file of these bytes, without the path.
std::string refusal(const std::string& bytes) {
    const TemporaryFolder folder;
    const auto path = folder / "f";
    write_bytes(path, bytes);
    try {
        const SafetensorsFile file(path);
    } catch (const FormatError& error) {
        const std::string text = error.what();
        const std::string prefix = path.string() + ": ";
        REQUIRE(text.starts_with(prefix));
        return text.substr(prefix.size());
    }
    return "accepted";
}

std::string refusal(const std::string& header, std::size_t n_data) { return refusal(file_with(header, n_data)); }

struct Contains {
    std::string part;
    friend bool operator==(const std::string& text, const Contains& wanted) {
        return text.find(wanted.part) != std::string::npos;
    }
    friend std::ostream& operator<<(std::ostream& out, const Contains& wanted) { return out << "... " << wanted.part; }
};

}  // namespace

TEST_CASE("the bytes of a file follow the format") {
    const TemporaryFolder folder;
    const std::vector<float> values = {1.0F, -2.0F};
    const std::vector<TensorSource> tensors = {vector("v", values)};
    gru4rec::detail::write_safetensors(folder / "f", {{"b", "2"}, {"a", "x\t\"y\""}}, tensors);
    std::string header =
        R"({"__metadata__":{"a":"x\t\"y\"","b":"2"},"v":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
    header.resize((header.size() + 7) / 8 * 8, ' ');
    const std::string data("\x00\x00\x80\x3f\x00\x00\x00\xc0", 8);
    CHECK(read_bytes(folder / "f") == file_with(header.size(), header + data));
}

TEST_CASE("tensors of every type come back with names, shapes and values") {
    const TemporaryFolder folder;
    const double infinity = std::numeric_limits<double>::infinity();
    const std::vector<float> floats = {1.5F, -0.0F, std::numeric_limits<float>::denorm_min(), 3e38F, 0.1F, 7};
    const std::vector<double> doubles = {0.1, -infinity, 1e-320};
    const std::vector<std::int64_t> counts = {-1, std::numeric_limits<std::int64_t>::max()};
    const std::vector<TensorSource> tensors = {matrix("W \"\xc3\xa9\"\n", floats, 3, 2), vector("d", doubles),
                                               vector("n", counts), matrix("none", floats, 0, 2)};
    gru4rec::detail::write_safetensors(folder / "f", {}, tensors);
    SafetensorsFile file(folder / "f");
    CHECK(file.metadata().empty());
    REQUIRE(file.tensors().size() == 4);
    CHECK(file.tensors()[0].name == "W \"\xc3\xa9\"\n");
    CHECK(file.tensors()[0].shape == std::vector<Index>{3, 2});
    CHECK(file.tensors()[3].shape == std::vector<Index>{0, 2});
    CHECK(file.values<float>(file.tensors()[0]) == floats);
    CHECK(file.values<std::int64_t>(*file.find("n")) == counts);
    CHECK(file.values<double>(*file.find("d")) == doubles);
    CHECK(file.values<float>(*file.find("none")).empty());
    CHECK(file.find("absent") == nullptr);
    CHECK(file.data_size() == 6 * 4 + 3 * 8 + 2 * 8);
    CHECK((file.size() - file.data_size()) % 8 == 0);
    CHECK_THROWS_AS((void)file.values<double>(*file.find("n")), FormatError);
}

TEST_CASE("a transposed, padded view is written as the matrix it views") {
    const TemporaryFolder folder;
    std::vector<double> storage(40, -1);
    const TensorView<const double> view{"w", 3, 5, false, storage.data(), 1, 8, false};
    std::vector<double> expected;
    for (Index r = 0; r < 3; ++r) {
        for (Index c = 0; c < 5; ++c) {
            storage[static_cast<std::size_t>(r + 8 * c)] = static_cast<double>(10 * r + c);
            expected.push_back(static_cast<double>(10 * r + c));
        }
    }
    const std::vector<TensorSource> tensors = {view};
    gru4rec::detail::write_safetensors(folder / "f", {}, tensors);
    SafetensorsFile file(folder / "f");
    CHECK(file.values<double>(file.tensors()[0]) == expected);
}

TEST_CASE("tensors larger than a block, of odd widths, are written and read completely") {
    const TemporaryFolder folder;
    std::vector<float> wide(3 * 20'011);
    std::vector<double> tall(50'021);
    std::iota(wide.begin(), wide.end(), 0.0F);
    std::iota(tall.begin(), tall.end(), 0.5);
    const std::vector<TensorSource> tensors = {matrix("wide", wide, 3, 20'011), vector("tall", tall)};
    gru4rec::detail::write_safetensors(folder / "f", {}, tensors);
    SafetensorsFile file(folder / "f");
    CHECK(file.values<double>(*file.find("tall")) == tall);  // not in the order of the file
    CHECK(file.values<float>(*file.find("wide")) == wide);
}

TEST_CASE("names and metadata that a header cannot hold are refused before anything is written") {
    const TemporaryFolder folder;
    const std::vector<float> values = {1};
    const std::vector<TensorSource> twice = {vector("v", values), vector("v", values)};
    CHECK_THROWS_AS(gru4rec::detail::write_safetensors(folder / "f", {}, twice), gru4rec::ConfigError);
    const std::vector<TensorSource> reserved = {vector("__metadata__", values)};
    CHECK_THROWS_AS(gru4rec::detail::write_safetensors(folder / "f", {}, reserved), gru4rec::ConfigError);
    CHECK_THROWS_AS(gru4rec::detail::write_safetensors(folder / "f", {{"a", "\xff"}}, {}), gru4rec::ConfigError);
    CHECK_THROWS_AS(gru4rec::detail::write_safetensors(folder / "f", {{"a", std::string(100'000'001, 'x')}}, {}),
                    gru4rec::ConfigError);
    CHECK(folder.n_files() == 0);
}

TEST_CASE("the error for an unreadable file names the file and the system's reason") {
    const TemporaryFolder folder;
    const auto message = [](const std::filesystem::path& path) -> std::string {
        try {
            const SafetensorsFile file(path);
        } catch (const IoError& error) {
            return error.what();
        }
        return "no IoError";
    };
    CHECK(message(folder / "absent") == Contains{(folder / "absent").string() + ": cannot read: No such file"});
    CHECK(message(folder.path()) == Contains{"expected a regular file"});
    CHECK(message("") == Contains{"cannot read"});
    if (std::filesystem::exists("/dev/zero")) {
        CHECK(message("/dev/zero") == Contains{"expected a regular file"});
    }
}

TEST_CASE("an impossible header length is refused") {
    CHECK(refusal("") == Contains{"header length: expected 8 bytes, found 0"});
    CHECK(refusal("1234567") == Contains{"header length: expected 8 bytes, found 7"});
    CHECK(refusal(file_with(3, "{}")) == Contains{"header length: expected at most 2 bytes, found 3"});
    CHECK(refusal(file_with(std::numeric_limits<std::uint64_t>::max(), "{}")) ==
          Contains{"expected at most 2 bytes, found 18446744073709551615"});
    CHECK(refusal(file_with(std::uint64_t{1} << 63U, "{}")) == Contains{"header length"});
    CHECK(refusal(file_with(0, "")) == Contains{"header: expected JSON that starts with '{'"});
    CHECK(refusal(file_with(100'000'001, std::string(100'000'001, ' '))) ==
          Contains{"expected at most 100000000 bytes"});
}

TEST_CASE("a header that is not JSON, or the wrong JSON, is refused") {
    CHECK(refusal(" {}", 0) == Contains{"starts with '{'"});
    CHECK(refusal("\xef\xbb\xbf{}", 0) == Contains{"starts with '{'"});
    CHECK(refusal("{", 0) == Contains{"syntax error"});
    CHECK(refusal("{}}", 0) == Contains{"syntax error"});
    CHECK(refusal("{} x", 0) == Contains{"syntax error"});
    CHECK(refusal(std::string("{}\0hidden", 9), 0) == Contains{"NUL"});
    CHECK(refusal("{\"a\xff\":1}", 0) == Contains{"invalid UTF-8"});
    CHECK(refusal("{\"__metadata__\":{\"a\":\"\xc3\"}}", 0) == Contains{"invalid UTF-8"});
    CHECK(refusal("{\"v\":[]}", 0) == Contains{"expected a JSON object for each tensor"});
    CHECK(refusal("{\"v\":1}", 0) == Contains{"found 1"});
    CHECK(refusal("{\"v\":null}", 0) == Contains{"found null"});
    CHECK(refusal("{\"v\":{\"v\":{}}}", 0) == Contains{"tensor \"v\": expected dtype (a string)"});
    CHECK(refusal("{\"__metadata__\":{\"a\":1}}", 0) == Contains{"metadata: expected a string for \"a\", found 1"});
    CHECK(refusal("{\"__metadata__\":{\"a\":{\"b\":\"c\"}}}", 0) == Contains{"found an object"});
    CHECK(refusal("{\"__metadata__\":[]}", 0) == Contains{"found a list"});
    CHECK(refusal("{\"__metadata__\":{\"a\":\"\",\"a\":\"\"}}", 0) == Contains{"\"a\" twice"});
    CHECK(refusal("{\"__metadata__\":{},\"__metadata__\":{}}", 0) == Contains{"\"__metadata__\" twice"});
    CHECK(refusal("{\"__metadata__\":{\"a\":\"\\u0000\\u0009\\ud83d\\ude00\"}}   \n", 0) == "accepted");
    CHECK(refusal("{\"__metadata__\":{\"a\":\"\\ud83d\"}}", 0) == Contains{"syntax error"});
}

TEST_CASE("nested JSON is refused at its first level, however deep it is") {
    const std::string deep(10'000'000, '[');
    CHECK(refusal("{\"v\":" + deep, 0) == Contains{"found a list"});
    CHECK(refusal("{\"v\":{\"shape\":" + deep, 0) == Contains{"found a list"});
    std::string objects = "{";
    for (int n = 0; n < 1'000'000; ++n) {
        objects += "\"v\":{";
    }
    CHECK(refusal(objects, 0) == Contains{"tensor \"v\""});
}

TEST_CASE("an invalid tensor is refused by name and field") {
    const auto tensor = [](const std::string& fields, std::size_t n_data) {
        return refusal("{\"v\":{" + fields + "}}", n_data);
    };
    CHECK(tensor(R"("dtype":"F32","shape":[2],"data_offsets":[0,8])", 8) == "accepted");
    CHECK(tensor(R"("dtype":"BF16","shape":[2],"data_offsets":[0,4])", 4) ==
          "accepted");  // unsupported only when it is read
    CHECK(tensor(R"("dtype":"F32","shape":[],"data_offsets":[0,4])", 4) == "accepted");  // a scalar
    const std::string largest = std::to_string((std::numeric_limits<gru4rec::Index>::max)());
    CHECK(tensor("\"dtype\":\"F32\",\"shape\":[" + largest + ",0],\"data_offsets\":[0,0]", 0) == "accepted");

    CHECK(tensor("", 0) == Contains{"tensor \"v\": expected dtype, found none"});
    CHECK(tensor(R"("dtype":"F32","shape":[2])", 8) == Contains{"expected data_offsets, found none"});
    CHECK(tensor(R"("dtype":"F32","data_offsets":[0,8])", 8) == Contains{"expected shape, found none"});
    CHECK(tensor(R"("dtype":"F32","dtype":"F32")", 8) == Contains{"\"dtype\" twice"});
    CHECK(tensor(R"("dtype":"F31","shape":[2],"data_offsets":[0,8])", 8) == Contains{"dtype: expected F32"});
    CHECK(tensor(R"("dtype":32)", 8) == Contains{"found 32"});
    CHECK(tensor(R"("dtype":["F32"])", 8) == Contains{"found a list"});
    CHECK(tensor(R"("stride":[1])", 8) == Contains{"found \"stride\""});

    CHECK(tensor(R"("shape":[-2])", 8) == Contains{"shape: at most 8 integers >= 0, found -2"});
    CHECK(tensor(R"("shape":[2.0])", 8) == Contains{"found \"2.0\""});
    CHECK(tensor(R"("shape":["2"])", 8) == Contains{"found \"2\""});
    CHECK(tensor(R"("shape":2)", 8) == Contains{"found 2"});
    CHECK(tensor(R"("shape":[9223372036854775808])", 8) == Contains{"fits in memory, found 9223372036854775808"});
    CHECK(tensor(R"("shape":[18446744073709551616])", 8) == Contains{"found \"18446744073709551616\""});
    CHECK(tensor(R"("shape":[1,1,1,1,1,1,1,1,1])", 8) == Contains{"at most 8"});
    CHECK(tensor(R"("dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0])", 0) ==
          Contains{"fits in memory"});
    CHECK(tensor(R"("dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0])", 0) ==
          Contains{"fits in memory"});
    CHECK(tensor(R"("dtype":"F32","shape":[3],"data_offsets":[0,8])", 8) ==
          Contains{"data_offsets: expected 12 bytes for F32 (3), found 0 to 8"});

    CHECK(tensor(R"("dtype":"F32","shape":[2],"data_offsets":[8,0])", 8) == Contains{"found 8 to 0"});
    CHECK(tensor(R"("data_offsets":[0,8,8])", 8) == Contains{"data_offsets: 2 integers >= 0, found 8"});
    CHECK(tensor(R"("data_offsets":[0])", 8) == Contains{"found 1 number(s)"});
    CHECK(tensor(R"("dtype":"F32","shape":[2],"data_offsets":[4,12])", 12) == Contains{"expected to begin at 0"});
    CHECK(tensor(R"("dtype":"F32","shape":[2],"data_offsets":[0,8])", 7) ==
          Contains{"data: expected 8 bytes after the header, found 7; the file is truncated"});
    CHECK(tensor(R"("dtype":"F32","shape":[2],"data_offsets":[0,8])", 9) == Contains{"found 9; too many"});
    CHECK(tensor(R"("dtype":"F32","shape":[4611686018427387903],"data_offsets":[0,18446744073709551612])", 8) ==
          Contains{sizeof(gru4rec::Index) == 8 ? "found 8; the file is truncated" : "fits in memory"});
}

TEST_CASE("tensors that overlap or leave a gap are refused") {
    const auto pair = [](const std::string& second, std::size_t n_data) {
        return refusal(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],)" +
                           ("\"data_offsets\":" + second + "}}"),
                       n_data);
    };
    CHECK(pair("[8,16]", 16) == "accepted");
    CHECK(pair("[0,8]", 8) == Contains{"data_offsets: expected to begin at 8"});
    CHECK(pair("[4,12]", 12) == Contains{"data_offsets: expected to begin at 8"});
    CHECK(pair("[12,20]", 20) == Contains{"data_offsets: expected to begin at 8"});
    CHECK(refusal(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{}})", 8) == Contains{"\"a\" twice"});
}

TEST_CASE("tensors may be listed in another order than that of their data") {
    const TemporaryFolder folder;
    write_bytes(folder / "f", file_with(R"({"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]},)"
                                        R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
                                        8));
    const SafetensorsFile file(folder / "f");
    CHECK(file.tensors()[0].name == "a");
    CHECK(file.tensors()[1].name == "b");
    CHECK(file.find("a") == &file.tensors()[0]);
    CHECK(file.find("b") == &file.tensors()[1]);
    for (const std::string absent : {"", "aa", "c", "A"}) {
        CHECK(file.find(absent) == nullptr);
    }
}

TEST_CASE("a file of very many tensors is matched without a search for each, which would run into the time limit") {
    const TemporaryFolder folder;
    const float value = 1;
    std::vector<TensorView<const float>> views;
    for (int i = 0; i < sweep::part_of(200'000); ++i) {
        views.push_back({"layer." + std::to_string(i) + ".weight", 1, 1, true, &value, 1, 1, false});
    }
    gru4rec::detail::write_safetensors(folder / "f", {}, std::vector<TensorSource>(views.begin(), views.end()));
    std::reverse(views.begin(), views.end());
    const SafetensorsFile file(folder / "f");
    const auto matched = gru4rec::detail::match_tensors<const float>(file, views, 0);
    CHECK(std::equal(matched.begin(), matched.end(), views.rbegin(), views.rend(),
                     [](const auto& a, const auto& b) { return a.name == b.name; }));
}

TEST_CASE("a message shortens hostile names and escapes control characters") {
    const std::string name = "\\u001b[31m" + std::string(1'000'000, 'x');
    const std::string message = refusal("{\"" + name + "\":1}", 0);
    CHECK(message.size() < 500);
    const std::string dtype =
        refusal("{\"" + name + "\":{\"dtype\":\"" + name + "\",\"shape\":[],\"data_offsets\":[0,0]}}", 0);
    CHECK(dtype.size() < 500);
    CHECK(dtype == Contains{"\\x1b"});
}

TEST_CASE("a file that shrinks while it is read is refused") {
    const TemporaryFolder folder;
    const std::vector<double> values(10'000, 1.0);
    const std::vector<TensorSource> tensors = {vector("v", values)};
    gru4rec::detail::write_safetensors(folder / "f", {}, tensors);
    SafetensorsFile file(folder / "f");
    std::filesystem::resize_file(folder / "f", 1000);
    CHECK_THROWS_AS((void)file.values<double>(file.tensors()[0]), FormatError);
}

TEST_CASE("weight files of other programs can be read") {
    const char* data = std::getenv("GRU4REC_TEST_DATA");
    if (data == nullptr || *data == '\0') {
        MESSAGE("skipped: GRU4REC_TEST_DATA is not set");
        return;
    }
    for (const std::string run :
         {"toy_xe_tied_logq", "toy_bprmax_tied_2layers", "toy_bprmax_embedding", "toy_xe_onehot"}) {
        CAPTURE(run);
        SafetensorsFile file(std::filesystem::path(data) / "golden" / run / "init.safetensors");
        const gru4rec::TensorInfo* table = file.find("Wy.weight");
        REQUIRE(table != nullptr);
        CHECK(table->dtype == "F32");
        CHECK(table->shape.size() == 2);
        CHECK(table->shape.front() == 8600);
        CHECK(file.values<float>(*table).size() == static_cast<std::size_t>(table->shape[0] * table->shape[1]));
        CHECK(file.metadata().contains("items"));
    }
}
