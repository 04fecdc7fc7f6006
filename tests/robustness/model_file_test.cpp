#include "gru4rec/io/model_file.hpp"

#include "support/contains.hpp"
#include "support/hostile_tensors.hpp"
#include "support/safetensors_parts.hpp"
#include "support/small_models.hpp"
#include "support/sweep.hpp"
#include "support/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#include "support/file_size_limit.hpp"
#endif

namespace {

using gru4rec::FormatError;
using gru4rec::Index;
using gru4rec::Model;
using gru4rec::TensorInfo;
using gru4rec::detail::SafetensorsFile;

/// A folder with a model file, and the outcome of loading a changed copy of it.
struct Bench {
    Bench()
        : model(small_models::make<float>({{"gru_variant", "reset_after"}}, {"a", "b", "\xc3\xa9", "4"})),
          before(small_models::make<float>({{"gru_variant", "reset_after"}}, {"a", "b", "\xc3\xa9", "4"}, 7)) {
        save_model(model, folder / "good");
        good = read_bytes(folder / "good");
    }

    /// The FormatError's message; "same" if the copy loads as the same model, "DIFFERENT" if as another one.
    [[nodiscard]] std::string outcome(const std::string& bytes) {
        write_copy(bytes);
        std::string result;
        try {
            result = small_models::same(gru4rec::load_model<float>(folder / "copy"), model) ? "same" : "DIFFERENT";
        } catch (const FormatError& error) {
            result = error.what();
            CHECK(result.starts_with((folder / "copy").string() + ": "));
        }
        return result;
    }

    /// The same for load_weights, which must not change the model if it throws.
    [[nodiscard]] std::string outcome_of_weights(const std::string& bytes) {
        write_copy(bytes);
        Model<float> target = before;
        try {
            load_weights(target, folder / "copy");
            return small_models::same(target, model) ? "same" : "DIFFERENT";
        } catch (const FormatError& error) {
            CHECK(small_models::same(target, before));
            return error.what();
        }
    }

    /// As a new inode: some file systems wait for the disk when a file is truncated and rewritten.
    void write_copy(const std::string& bytes) const {
        std::filesystem::remove(folder / "copy");
        write_bytes(folder / "copy", bytes);
    }

    TemporaryFolder folder;
    Model<float> model;
    Model<float> before;
    std::string good;
};

}  // namespace

TEST_CASE("a model file that is truncated anywhere is refused") {
    Bench bench;
    CHECK(bench.outcome(bench.good) == "same");
    CHECK(bench.outcome_of_weights(bench.good) == "same");
    for (std::size_t n = 0; n < bench.good.size(); ++n) {
        CAPTURE(n);
        const std::string cut = bench.good.substr(0, n);
        const std::string outcome = bench.outcome(cut);
        CHECK(outcome != "same");
        CHECK(outcome != "DIFFERENT");
        CHECK_THROWS_AS((void)gru4rec::inspect_model(bench.folder / "copy"), FormatError);
        CHECK(bench.outcome_of_weights(cut) == outcome);
    }
    MESSAGE("cuts of a model file: ", bench.good.size());
    for (const std::string& more : {std::string(1, '\0'), std::string("x"), bench.good}) {
        CHECK(contains(bench.outcome(bench.good + more), "too many"));
    }
}

TEST_CASE("a model file with any byte changed is refused, unless the byte is white space of JSON") {
    Bench bench;
    const std::size_t data_begin = bench.good.size() - SafetensorsFile(bench.folder / "good").data_size();
    std::size_t n_same = 0;
    std::uint64_t n_changes = 0;
    std::uint64_t n_loaded = 0;
    for (std::size_t at = 0; at < bench.good.size(); ++at) {
        for (const unsigned mask : {0x01U, 0x02U, 0x04U, 0x08U, 0x10U, 0x20U, 0x40U, 0x80U, 0x29U, 0xffU}) {
            if (!sweep::visits(n_changes++)) {
                continue;
            }
            std::string changed = bench.good;
            changed[at] = static_cast<char>(static_cast<unsigned char>(changed[at]) ^ mask);
            CAPTURE(at);
            CAPTURE(mask);
            ++n_loaded;
            const std::string outcome = bench.outcome(changed);
            CHECK(outcome != "DIFFERENT");
            CHECK(bench.outcome_of_weights(changed) != "DIFFERENT");
            n_same += outcome == "same" ? 1U : 0U;
            if (outcome == "same") {  // white space of JSON
                CHECK(at < data_begin);
                CHECK(contains("\t\n\r ", std::string(1, changed[at])));
            }
        }
    }
    MESSAGE("changes of a byte of a model file: ", n_loaded, "; that did not matter: ", n_same);
}

TEST_CASE("a changed weight is reported as damage") {
    Bench bench;
    std::string changed = bench.good;
    changed[changed.size() - 5] = static_cast<char>(changed[changed.size() - 5] ^ 1);
    CHECK(contains(bench.outcome(changed), "content_hash: expected "));
    CHECK(contains(bench.outcome(changed), "the file is damaged"));
}

TEST_CASE("a header with hostile fields is refused even if the hash is right") {
    Bench bench;
    const Parts good(bench.folder / "good");
    REQUIRE(bench.outcome(good.bytes()) == "same");
    const auto outcome_of = [&](const std::string& bytes) { return bench.outcome(bytes); };
    const ChangedParts<decltype(outcome_of)> file{good, outcome_of};

    SUBCASE("metadata that is missing") {
        for (const auto& field : good.metadata) {
            const std::string& name = field.first;
            const std::string outcome = file.with([&](Parts& parts) { parts.metadata.erase(name); });
            CAPTURE(name);
            if (name == "content_hash") {  // of other programs
                CHECK(outcome == "same");
                continue;
            }
            CHECK(contains(outcome, name));
            CHECK(contains(outcome, "found none"));
        }
    }
    SUBCASE("the hash") {
        for (const std::string hash : {"", "0", "0123456789abcdef", "0123456789ABCDEF0"}) {
            std::string changed = bench.good;
            const std::string& old = good.metadata.at("content_hash");
            changed.replace(changed.find(old), old.size(),
                            hash + std::string(old.size() - std::min(old.size(), hash.size()), ' '));
            CHECK(bench.outcome(changed) != "same");
        }
    }
    SUBCASE("hyper-parameters") {
        const auto parameters = [&](const std::string& json) { return file.entry("hyperparameters", json); };
        CHECK(contains(parameters(""), "hyperparameters: expected JSON, found a syntax error"));
        CHECK(contains(parameters("[]"),
                       "hyperparameters: expected a JSON object of strings, each name once, found a list"));
        CHECK(contains(parameters("{\"layers\":3}"), "found 3"));
        CHECK(contains(parameters("{\"layers\":{\"layers\":\"3\"}}"), "found an object"));
        CHECK(contains(parameters("{\"layers\":\"3\",\"layers\":\"3\"}"), "\"layers\" twice"));
        CHECK(contains(parameters("\"layers\""), "found \"layers\""));
        CHECK(contains(parameters("{\"layers\":\"3\"} {}"), "syntax error"));
        CHECK(contains(parameters(std::string("{\"layers\":\"3\"}\0", 15)), "NUL"));
        CHECK(contains(parameters("{\"lairs\":\"3\"}"), "hyperparameters: unknown parameter 'lairs'"));
        CHECK(contains(parameters("{\"layers\":\"three\"}"), "hyperparameters: layers = 'three'"));
        CHECK(contains(parameters("{\"layers\":\"3\",\"momentum\":\"nan\"}"), "hyperparameters: momentum = nan"));
        CHECK(contains(parameters("{\"layers\":\"3\",\"loss\":\"bpr\",\"logq\":\"1\"}"), "hyperparameters: logq = 1"));
        CHECK(contains(parameters("{\"layers\":\"-3\"}"), "hyperparameters: layers = -3"));
        CHECK(contains(parameters("{\"layers\":\"\"}"), "hyperparameters: layers"));
        const std::string hostile = parameters("{\"layers\":\"\\u001b[31m" + std::string(100'000, 'x') + "\"}");
        CHECK(hostile.size() < 2000);
        CHECK_FALSE(contains(hostile, "\x1b"));
    }
    SUBCASE("hyper-parameters of a model that is not in the file") {
        const auto layers = [&](const std::string& text) {
            return file.entry("hyperparameters", R"({"gru_variant":"reset_after","layers":")" + text + "\"}");
        };
        CHECK(contains(layers("4"), "tensor \"G.0.weight_ih\": shape: expected (12, 4), found (9, 3)"));
        CHECK(contains(layers("3/3"), "tensor \"G.1.weight_ih\": expected F32 or F64 (9, 3), found none"));
        CHECK(contains(layers("65536"), "expected a model that fits in the file's"));
        CHECK(contains(layers("65536/65536/65536/65536"), "expected a model that fits in the file's"));
        std::string many = "1";
        for (int n = 0; n < 100'000; ++n) {
            many += "/65536";
        }
        CHECK(contains(layers(many), "fits in the file's"));
        CHECK(contains(layers(many), "FormatError") == false);
        CHECK(contains(file.entry("hyperparameters", R"({"layers":"3"})"),
                       "tensor \"G.0.Wx\": expected F32 or F64 (3, 9), found none"));
        CHECK(contains(
            file.entry("hyperparameters",
                       R"({"gru_variant":"reset_after","layers":"3","constrained_embedding":"0","embedding":"65536"})"),
            "fits in the file's"));
    }
    SUBCASE("items") {
        CHECK(contains(file.entry("items", "a\tb\tc\ta"),
                       "items: expected each item once, found \"a\" as item 1 and again as item 4"));
        CHECK(contains(file.entry("items", ""), "items: item id \"\" is empty"));
        CHECK(contains(file.entry("items", "a\tb\t\td"), "is empty"));
        CHECK(contains(file.entry("items", "a\tb\tc\td\t"), "is empty"));
        CHECK(contains(file.entry("items", "a\tb\tc\rd\te"), "line break"));
        CHECK(contains(file.entry("items", std::string("a\tb\tc\0d\te", 9)), "NUL"));
        CHECK(contains(file.entry("items", "a\tb\tc"), "supports: expected 3 integers, one for each item, found 4"));
        const std::string five = file.with([&](Parts& parts) {
            parts.metadata["items"] = "a\tb\tc\td\te";
            parts.metadata["supports"] = "1\t2\t3\t4\t5";
        });
        CHECK(contains(five, "tensor \"Wy.weight\": shape: expected (5, 3), found (4, 3)"));
        std::string many = "x";
        std::string supports = "1";
        for (int n = 0; n < 100'000; ++n) {
            many += "\t" + std::to_string(n);
            supports += "\t1";
        }
        CHECK(contains(file.with([&](Parts& parts) {
            parts.metadata["items"] = many;
            parts.metadata["supports"] = supports;
        }),
                       "shape: expected (100001, 3), found (4, 3)"));
    }
    SUBCASE("supports") {
        CHECK(contains(file.entry("supports", ""), "supports: item 1: expected an integer >= 0, found \"\""));
        CHECK(contains(file.entry("supports", "1\t2\t-3\t4"),
                       "supports: item 3: expected an integer >= 0, found \"-3\""));
        CHECK(contains(file.entry("supports", "1\t2\t3.5\t4"), "found \"3.5\""));
        CHECK(contains(file.entry("supports", "1\t2\t9223372036854775808\t4"), "found \"9223372036854775808\""));
        CHECK(contains(file.entry("supports", "1\t2\t3\t4\t5"),
                       "supports: expected 4 integers, one for each item, found 5"));
    }
    SUBCASE("tensors") {
        for (const TensorInfo& tensor : good.tensors) {
            CAPTURE(tensor.name);
            CHECK(contains(file.with([&](Parts& parts) { parts.erase(tensor.name); }),
                           "tensor \"" + tensor.name + "\": expected F32 or F64"));
            CHECK(contains(file.with([&](Parts& parts) { parts.tensor(tensor.name).name = "other"; }),
                           "tensor \"" + tensor.name + "\": expected F32 or F64"));
            CHECK(contains(file.with([&](Parts& parts) { parts.tensor(tensor.name).dtype = "I32"; }),
                           "tensor \"" + tensor.name + "\": dtype: expected F32 or F64, found I32"));
            CHECK(contains(file.with([&](Parts& parts) { parts.tensor(tensor.name).dtype = "F64"; }), "data_offsets"));
            CHECK(contains(file.with([&](Parts& parts) { parts.tensor(tensor.name).shape.push_back(1); }),
                           "tensor \"" + tensor.name + "\": shape"));
            CHECK(contains(file.with([&](Parts& parts) { parts.tensor(tensor.name).shape = {}; }), "data_offsets"));
            CHECK(contains(file.with([&](Parts& parts) { parts.tensor(tensor.name).shape.front() *= -1; }), "shape"));
            CHECK(contains(file.with([&](Parts& parts) { ++parts.tensor(tensor.name).end; }), "data_offsets"));
        }
        CHECK(contains(file.with([](Parts& parts) {
            std::swap(parts.tensor("Wy.weight").shape[0], parts.tensor("Wy.weight").shape[1]);
        }),
                       "tensor \"Wy.weight\": shape: expected (4, 3), found (3, 4)"));
        CHECK(contains(file.with([](Parts& parts) { parts.append_empty("more"); }),
                       "tensor \"more\": expected no such tensor"));
        CHECK(contains(file.with([](Parts& parts) {  // all at the same offset
            for (TensorInfo& tensor : parts.tensors) {
                tensor.end -= tensor.begin;
                tensor.begin = 0;
            }
        }),
                       "data_offsets"));
        CHECK(contains(file.with([](Parts& parts) {
            parts.tensors.clear();
            parts.data.clear();
        }),
                       "found none"));
    }
    SUBCASE("weights that are not finite") {
        for (const unsigned which : {0U, 1U, 2U}) {
            const std::string bad = hostile::not_finite("F32", which);
            const std::string outcome = file.with(
                [&](Parts& parts) { parts.data.replace(parts.tensor("Wy.weight").begin + 4 * (2 * 3 + 1), 4, bad); });
            CHECK(contains(outcome, "tensor \"Wy.weight\": row 2: expected finite numbers"));
            for (const TensorInfo& tensor : good.tensors) {
                for (const std::uint64_t at : {tensor.begin, tensor.end - 4}) {
                    Parts parts = good;
                    parts.data.replace(at, 4, bad);
                    const std::string complaint = "tensor \"" + tensor.name + "\": row ";
                    CHECK(contains(bench.outcome(parts.bytes()), complaint));
                    CHECK(contains(bench.outcome_of_weights(parts.bytes()), complaint));
                }
            }
        }
    }
    SUBCASE("weights in double that are not finite, or none in float") {
        save_model(small_models::make<double>({{"gru_variant", "reset_after"}}, {"a", "b", "\xc3\xa9", "4"}),
                   bench.folder / "double");
        const Parts in_double(bench.folder / "double");
        const std::string beyond_float("\0\0\0\0\0\0\xf0\x47", 8);  // 2^128
        for (const TensorInfo& tensor : in_double.tensors) {
            for (const std::string& bad : {hostile::not_finite("F64", 0), hostile::not_finite("F64", 1),
                                           hostile::not_finite("F64", 2), beyond_float}) {
                Parts parts = in_double;
                parts.data.replace(tensor.end - 8, 8, bad);
                CHECK(contains(bench.outcome(parts.bytes()),
                               "tensor \"" + tensor.name + "\": row " + std::to_string(tensor.shape.front() - 1) +
                                   ": expected finite numbers within the range of float"));
            }
        }
    }
    SUBCASE("bytes that are not UTF-8") {
        std::string changed = bench.good;
        changed.replace(changed.find("\xc3\xa9"), 2, "\xc3\x28");
        CHECK(contains(bench.outcome(changed), "invalid UTF-8"));
    }
    SUBCASE("nesting") {
        std::string header = "{\"__metadata__\":{\"format\":\"gru4rec\",\"items\":" + std::string(1'000'000, '[');
        CHECK(contains(bench.outcome(with_length(header, "")),
                       "metadata: expected a string for \"items\", found a list"));
        CHECK(contains(file.entry("hyperparameters", "{\"layers\":" + std::string(1'000'000, '[')), "found a list"));
    }
}

TEST_CASE("a model file with sizes, shapes or offsets at the ends of their types is refused by name") {
    Bench bench;
    std::size_t n = 0;
    for (const hostile::Copy& copy : hostile::copies_of(Parts(bench.folder / "good"))) {
        CAPTURE(copy.what);
        CHECK(contains(bench.outcome(copy.bytes), copy.complaint));
        CHECK(contains(bench.outcome_of_weights(copy.bytes), copy.complaint));
        ++n;
    }
    MESSAGE("model files with hostile sizes: ", n);
}

TEST_CASE("metadata that a later version may add is covered by the hash") {
    Bench bench;
    Parts parts(bench.folder / "good");
    parts.metadata["note"] = "hello";
    CHECK(bench.outcome(parts.bytes()) == "same");
    std::string changed = parts.bytes();
    changed.replace(changed.find("hello"), 5, "hallo");
    CHECK(contains(bench.outcome(changed), "the file is damaged"));
}

#if defined(__unix__) || defined(__APPLE__)

TEST_CASE("a full disk leaves the old model") {
    Bench bench;
    const Model<float> large = small_models::make<float>({{"layers", "300"}});
    {
        const FileSizeLimit limit(100'000);
        CHECK_THROWS_AS(save_model(large, bench.folder / "good"), gru4rec::IoError);
    }
    CHECK(read_bytes(bench.folder / "good") == bench.good);
    CHECK(bench.folder.n_files() == 1);
    CHECK_THROWS_AS(save_model(large, bench.folder / "absent" / "model"), gru4rec::IoError);
    if (std::filesystem::exists("/dev/full")) {
        CHECK_THROWS_AS(save_model(large, "/dev/full"), gru4rec::IoError);
    }
}

#endif
