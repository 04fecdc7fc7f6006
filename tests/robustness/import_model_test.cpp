// What import_model meets in files of other programs: hostile or merely wrong.
#include "gru4rec/io/import_model.hpp"
#include "gru4rec/io/model_file.hpp"

#include "support/contains.hpp"
#include "support/hostile_tensors.hpp"
#include "support/safetensors_parts.hpp"
#include "support/small_models.hpp"
#include "support/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <vector>

namespace {

using gru4rec::FormatError;
using gru4rec::Index;
using gru4rec::Model;
using gru4rec::TensorInfo;

const std::vector<std::string> ids = {"a", "b", "\xc3\xa9", "4"};

/// A folder with a file of weights, and the outcome of importing a changed copy of it.
struct Bench {
    explicit Bench(const small_models::Settings& settings = {{"gru_variant", "reset_after"}})
        : model(small_models::make<float>(settings, ids)) {
        save_model(model, folder / "model");
        Parts weights(folder / "model");
        weights.metadata = {{"items", "a\tb\t\xc3\xa9\t4"}};
        write_bytes(folder / "good", weights.bytes());
    }

    /// The FormatError's message without the path; "accepted" if there is none.
    [[nodiscard]] std::string outcome(const std::string& bytes, const gru4rec::ImportOptions& options = {}) const {
        std::filesystem::remove(folder / "copy");
        write_bytes(folder / "copy", bytes);
        try {
            (void)gru4rec::import_model<float>(folder / "copy", options);
        } catch (const FormatError& error) {
            const std::string message = error.what();
            const std::string path = folder.path().string() + "/";
            CHECK(message.starts_with(path));
            return message.substr(path.size());
        }
        return "accepted";
    }

    /// The outcome with these item ids in a file.
    [[nodiscard]] std::string outcome_of_ids(const std::string& text) const {
        write_bytes(folder / "ids.txt", text);
        return outcome(read_bytes(folder / "good"), {.items = folder / "ids.txt"});
    }

    TemporaryFolder folder;
    Model<float> model;
};

}  // namespace

TEST_CASE("tensors that are not those of a model are refused by name, with what was expected and found") {
    const Bench bench;
    const Parts good(bench.folder / "good");
    REQUIRE(bench.outcome(good.bytes()) == "accepted");
    const auto outcome_of = [&](const std::string& bytes) { return bench.outcome(bytes); };
    const ChangedParts<decltype(outcome_of)> file{good, outcome_of};

    for (const TensorInfo& tensor : good.tensors) {
        CAPTURE(tensor.name);
        const std::string named = "copy: tensor \"" + tensor.name + "\": ";
        const std::string missing = file.with([&](Parts& parts) { parts.erase(tensor.name); });
        CHECK(contains(missing, "expected F32 or F64 ("));
        CHECK(contains(missing, "found n"));
        CHECK(contains(file.with([&](Parts& parts) { parts.tensor(tensor.name).name = "other"; }),
                       "expected F32 or F64 ("));
        CHECK(contains(file.with([&](Parts& parts) { parts.tensor(tensor.name).dtype = "I32"; }),
                       named + "dtype: expected F32 or F64, found I32"));
        CHECK(contains(file.with([&](Parts& parts) { parts.tensor(tensor.name).shape.push_back(1); }),
                       "shape: expected"));
        CHECK(contains(file.with([&](Parts& parts) {
            std::vector<Index>& shape = parts.tensor(tensor.name).shape;
            shape = {shape.size() == 1 ? shape[0] : shape[0] * shape[1]};
            shape.push_back(1);
            shape.push_back(1);
        }),
                       named + "shape: expected ("));
    }
    CHECK(contains(file.with([](Parts& parts) { parts.append_empty("gru.bias"); }),
                   "copy: tensor \"gru.bias\": expected no such tensor, found F32 (0)"));
    CHECK(contains(file.with([](Parts& parts) {
        for (TensorInfo& tensor : parts.tensors) {
            tensor.name = "model." + tensor.name;
        }
    }),
                   "copy: tensor \"Wy.weight\": expected F32 or F64 (items, units of the last layer), found none, but "
                   "\"model.G.0.weight_ih\", "));
    CHECK(contains(file.with([](Parts& parts) {
        parts.tensors.clear();
        parts.data.clear();
    }),
                   "found none, but no tensors"));
    CHECK(
        contains(file.with([](Parts& parts) {
            std::swap(parts.tensor("G.0.weight_hh").shape[0], parts.tensor("G.0.weight_hh").shape[1]);
        }),
                 "tensor \"G.0.weight_hh\": shape: expected (3 units, units) with at most 65536 units, found (3, 9)"));
    CHECK(contains(
        file.with(
            [](Parts& parts) { std::swap(parts.tensor("Wy.weight").shape[0], parts.tensor("Wy.weight").shape[1]); }),
        "tensor \"Wy.weight\": shape: expected (4, 4), a row for each id of the entry \"items\", found (3, 4)"));
    const std::string infinite = file.with([](Parts& parts) {
        parts.data.replace(parts.tensor("Wy.weight").begin, 4, std::string("\x00\x00\x80\x7f", 4));
    });
    CHECK(contains(infinite, "tensor \"Wy.weight\": row 0: expected finite numbers"));
}

TEST_CASE("weights with sizes, shapes or offsets at the ends of their types are refused by name") {
    const Bench bench;
    std::size_t n = 0;
    for (const hostile::Copy& copy : hostile::copies_of(Parts(bench.folder / "good"))) {
        CAPTURE(copy.what);
        CHECK(contains(bench.outcome(copy.bytes), copy.complaint));
        ++n;
    }
    MESSAGE("files of weights with hostile sizes: ", n);
}

TEST_CASE("weights that are not finite are refused by tensor and row") {
    const Bench bench;
    const Parts good(bench.folder / "good");
    for (const TensorInfo& tensor : good.tensors) {
        for (const unsigned which : {0U, 1U, 2U}) {
            Parts parts = good;
            parts.data.replace(tensor.end - 4, 4, hostile::not_finite("F32", which));
            CHECK(contains(bench.outcome(parts.bytes()), "copy: tensor \"" + tensor.name + "\": row " +
                                                             std::to_string(tensor.shape.front() - 1) +
                                                             ": expected finite numbers"));
        }
    }
}

TEST_CASE("tensors of half precision get a hint") {
    const Bench bench;
    Parts parts(bench.folder / "good");
    std::string data;
    for (TensorInfo& tensor : parts.tensors) {
        const std::size_t size = (tensor.end - tensor.begin) / 2;
        tensor.begin = data.size();
        data += std::string(size, '\0');
        tensor.end = data.size();
        tensor.dtype = "BF16";
    }
    parts.data = data;
    CHECK(contains(bench.outcome(parts.bytes()), "dtype: expected F32 or F64, found BF16; convert it before saving"));
}

TEST_CASE("item ids that do not fit are refused by what is wrong with them") {
    const Bench bench;
    const Parts good(bench.folder / "good");
    const auto items = [&](const std::string& text) {
        Parts parts = good;
        parts.metadata["items"] = text;
        return bench.outcome(parts.bytes());
    };
    CHECK(contains(items("a\tb\tc\ta"),
                   "copy: items: expected each item once, found \"a\" as item 1 and again as item 4"));
    CHECK(contains(items("a\tb\tc"), "tensor \"Wy.weight\": shape: expected (3, 3), a row for each id of the entry"));
    CHECK(contains(items("a\tb\tc\td\te"),
                   "shape: expected (5, 3), a row for each id of the entry \"items\", found (4, 3)"));
    CHECK(contains(items(""), "items: item id \"\" is empty"));
    CHECK(contains(items("a\tb\t\td"), "is empty"));
    CHECK(items(R"(["a", "b", 3, "4"])") == "accepted");
    CHECK(contains(items(R"(["a", "b", "a", "4"])"),
                   "expected each item once, found \"a\" as item 1 and again as item 3"));
    CHECK(contains(items(R"([1, "1", 2, 3])"), "expected each item once, found \"1\""));
    CHECK(contains(items(R"(["a", "b", "c"])"), "shape: expected (3, 3)"));
    CHECK(contains(items("[]"), "shape: expected (0, 3)"));
    CHECK(contains(items(R"(["a", "b", "", "d"])"), "item id \"\" is empty"));
    CHECK(contains(items(R"(["a", "b", "x\ty", "d"])"), "contains a TAB"));
    CHECK(contains(items(R"(["a", "b", "x\u0000", "d"])"), "NUL"));
    CHECK(contains(items(R"(["a", "b", 70004.0, "d"])"),
                   "copy: items: expected a JSON list of strings and integers, found \"70004.0\""));
    CHECK(contains(items(R"(["a", "b", null, "d"])"), "found null"));
    CHECK(contains(items(R"([["a"], ["b"]])"), "found a list"));
    CHECK(contains(items(R"([{"id": "a"}])"), "found an object"));
    CHECK(contains(items(R"(["a", "b" "c"])"), "syntax error"));
    CHECK(contains(items("['a', 'b', 'c', 'd']"), "syntax error"));
    CHECK(contains(items("[" + std::string(1'000'000, '[') + "]"), "found a list"));
    std::string many = "[\"x\"";
    for (int n = 0; n < 200'000; ++n) {
        many += "," + std::to_string(n);
    }
    CHECK(contains(items(many + "]"), "shape: expected (200001, 3)"));
}

TEST_CASE("a file of item ids is refused by line") {
    const Bench bench;
    CHECK(bench.outcome_of_ids("1\n2\n3\n4\n") == "accepted");
    CHECK(contains(bench.outcome_of_ids(""), "ids.txt:1: item id \"\" is empty"));
    CHECK(contains(bench.outcome_of_ids("1\n2\n\n4\n"), "ids.txt:3: item id \"\" is empty"));
    CHECK(contains(bench.outcome_of_ids("1\n2\n3\n4\n\n"), "ids.txt:5: item id \"\" is empty"));
    CHECK(contains(bench.outcome_of_ids("1\n2\n3\n2\n"),
                   "ids.txt:4: expected each item once, found \"2\", which is in line 2 as well"));
    CHECK(contains(bench.outcome_of_ids("1\n2\t3\n4\n5\n"), "ids.txt:2: item id \"2\\x093\" contains a TAB"));
    CHECK(contains(bench.outcome_of_ids(std::string("1\n2\0\n3\n4\n", 9)), "ids.txt:2: "));
    CHECK(
        contains(bench.outcome_of_ids("1\n\xff\xfe\n3\n4\n"), "ids.txt:2: item id \"\\xff\\xfe\" is not valid UTF-8"));
    CHECK(contains(bench.outcome_of_ids("1\n2\n3\n"),
                   "copy: tensor \"Wy.weight\": shape: expected (3, 3), a row for each id of"));
    CHECK(contains(bench.outcome_of_ids("1\n2\n3\n4\n5"), "ids.txt, found (4, 3)"));
    CHECK_THROWS_AS((void)gru4rec::import_model<float>(bench.folder / "good", {.items = bench.folder / "absent"}),
                    gru4rec::IoError);
}

TEST_CASE("supports and hyper-parameters of other programs are checked like our own") {
    const Bench bench;
    const Parts good(bench.folder / "good");
    const auto entry = [&](const std::string& name, const std::string& text) {
        Parts parts = good;
        parts.metadata[name] = text;
        return bench.outcome(parts.bytes());
    };
    CHECK(entry("supports", "[1, 2, 3, 4]") == "accepted");
    CHECK(contains(entry("supports", "[1, 2, 3]"), "supports: expected 4 integers, one for each item, found 3"));
    CHECK(contains(entry("supports", "[1, 2, -3, 4]"), "supports: item 3: expected an integer >= 0, found \"-3\""));
    CHECK(contains(entry("supports", "[1, 2, 3.5, 4]"), "supports: expected a JSON list of strings and integers"));
    CHECK(contains(entry("supports", "1\t2\tx\t4"), "supports: item 3: expected an integer >= 0, found \"x\""));
    CHECK(
        contains(entry("hyperparameters", "{\"layers\": [3]}"), "hyperparameters: expected a JSON object of strings"));
    CHECK(
        contains(entry("hyperparameters", R"({"layers":"4","gru_variant":"reset_after"})"),
                 "tensor \"G.0.weight_ih\": shape: expected (12, 4), found (9, 3); the tensors are those of layers=3, "
                 "gru_variant=reset_after"));
    CHECK(
        contains(entry("hyperparameters", R"({"layers":"65536","gru_variant":"reset_after"})"), "fits in the file's"));
    CHECK(contains(entry("format", "gru4rec-checkpoint"), "use it with train --resume"));
    CHECK(contains(entry("format", "gru4rec"), "expected an entry \"format_version\", found none"));
    Parts newer = good;
    newer.metadata["format"] = "gru4rec";
    newer.metadata["format_version"] = "3";
    CHECK(contains(bench.outcome(newer.bytes()), "format_version: expected 1 or 2, found \"3\"; read it with"));
    CHECK(entry("format", "pt") == "accepted");  // what PyTorch's own writer adds
}

TEST_CASE("a file of weights that is truncated anywhere is refused, and a changed byte changes nothing but values") {
    const Bench bench;
    const std::string good = read_bytes(bench.folder / "good");
    for (std::size_t n = 0; n < good.size(); ++n) {
        CAPTURE(n);
        CHECK(bench.outcome(good.substr(0, n)) != "accepted");
    }
    MESSAGE("cuts of a file of weights: ", good.size());
    const std::size_t header_end = good.size() - Parts(bench.folder / "good").data.size();
    std::size_t n_changes = 0;
    for (std::size_t at = 0; at < good.size(); ++at) {
        for (unsigned bit = 0; bit < 8; ++bit) {
            std::string changed = good;
            changed[at] = static_cast<char>(static_cast<unsigned char>(changed[at]) ^ 1U << bit);
            CAPTURE(at);
            CAPTURE(bit);
            const std::string outcome = bench.outcome(changed);  // a FormatError or a model: there is no hash
            if (at >= header_end) {
                CHECK((outcome == "accepted" || contains(outcome, "expected finite numbers")));
            }
            ++n_changes;
        }
    }
    MESSAGE("changes of a byte of a file of weights: ", n_changes);
}

TEST_CASE("a header cannot make the reader allocate more than the file holds") {
    const Bench bench;
    const auto with_tensors = [&](const std::string& tensors) {
        return bench.outcome(with_length(R"({"__metadata__":{"items":"a"})" + tensors + "}", ""));
    };
    const std::string big = R"(,"%":{"dtype":"F32","shape":[65536,65536],"data_offsets":[0,17179869184]})";
    CHECK(contains(with_tensors(big), "the file is truncated"));
    const auto empty = [](const std::string& name, const std::string& shape) {
        return ",\"" + name + R"(":{"dtype":"F32","shape":)" + shape + R"(,"data_offsets":[0,0]})";
    };
    CHECK(contains(with_tensors(empty("Wy.weight", "[1000000000,0]")), "tensor \"Wy.weight\": shape: expected"));
    CHECK(contains(with_tensors(empty("Wy.weight", "[0,1000000000]")), "tensor \"Wy.weight\": shape: expected"));
    std::string layers;
    for (int l = 0; l < 20'000; ++l) {
        layers += empty("G." + std::to_string(l) + ".Wh", "[0,0]");
    }
    CHECK(contains(with_tensors(layers), "tensor \"Wy.weight\": expected F32 or F64 (items, units of the last layer)"));
    CHECK(contains(bench.outcome(std::string("\xff\xff\xff\xff\xff\xff\xff\x7f", 8) + "{}"),
                   "header length: expected at most"));
    CHECK(contains(bench.outcome("<!DOCTYPE html><html></html>"), "header length"));
}
