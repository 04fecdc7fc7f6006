#include "gru4rec/io/import_model.hpp"
#include "gru4rec/io/model_file.hpp"

#include "support/contains.hpp"
#include "support/safetensors_parts.hpp"
#include "support/small_models.hpp"
#include "support/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace {

using gru4rec::FormatError;
using gru4rec::import_model;
using gru4rec::ImportedModel;
using gru4rec::ImportOptions;
using gru4rec::Model;
using gru4rec::detail::Metadata;
using small_models::Settings;

const std::vector<std::string> ids = {"17", "shoe \"red\"", "\xc3\xa9t\xc3\xa9", "4", "-5"};

/// Every kind of network, and what defines it, besides the parameters.
const std::vector<Settings> kinds = {
    {},
    {{"gru_variant", "reset_after"}},
    {{"layers", "3/2/17"}},
    {{"layers", "3/2/17"}, {"gru_variant", "reset_after"}},
    {{"constrained_embedding", "0"}, {"embedding", "2"}},
    {{"constrained_embedding", "0"}, {"embedding", "3"}, {"gru_variant", "reset_after"}},
    {{"constrained_embedding", "0"}, {"layers", "3/2"}},
    {{"constrained_embedding", "0"}, {"layers", "1"}, {"gru_variant", "reset_after"}},
    {{"constrained_embedding", "0"}, {"layers", "3/2"}, {"gru_variant", "reset_after"}},
    {{"deep_input", "1"}, {"layers", "3/2/17"}},
    {{"deep_input", "1"}, {"layers", "3/2"}, {"gru_variant", "reset_after"}},
    {{"deep_input", "1"}, {"layers", "3/2"}, {"constrained_embedding", "0"}, {"embedding", "2"}},
    {{"deep_input", "1"}, {"layers", "3/2/17"}, {"constrained_embedding", "0"}},
    {{"deep_input", "1"}, {"layers", "3/2/17"}, {"constrained_embedding", "0"}, {"gru_variant", "reset_after"}},
};

std::string tab_separated(const std::vector<std::string>& texts) {
    std::string all;
    for (const std::string& text : texts) {
        all += (all.empty() ? "" : "\t") + text;
    }
    return all;
}

/// A folder with the file `w`, which holds a model's weights and only `metadata` beside them.
template <class Scalar = float>
struct Weights {
    explicit Weights(const Settings& settings = {}, const Metadata& metadata = {{"items", tab_separated(ids)}})
        : model(small_models::make<Scalar>(settings)) {
        save_model(model, folder / "m");
        with([&](Parts& parts) { parts.metadata = metadata; });
    }

    template <class Change>
    void with(const Change& change) {
        Parts parts(std::filesystem::exists(folder / "w") ? folder / "w" : folder / "m");
        change(parts);
        write_bytes(folder / "w", parts.bytes());
    }

    [[nodiscard]] ImportedModel<Scalar> imported(const ImportOptions& options = {}) const {
        return import_model<Scalar>(folder / "w", options);
    }

    /// What is thrown, without the path.
    [[nodiscard]] std::string refusal(const ImportOptions& options = {}) const {
        try {
            (void)imported(options);
        } catch (const FormatError& error) {
            const std::string message = error.what();
            CHECK(message.starts_with(folder.path().string()));
            return message.substr(folder.path().string().size() + 1);
        } catch (const gru4rec::ConfigError& error) {
            return error.what();
        }
        return "accepted";
    }

    [[nodiscard]] ImportOptions items_in(const std::string& text) const {
        write_bytes(folder / "ids.txt", text);
        return {.items = folder / "ids.txt"};
    }

    TemporaryFolder folder;
    Model<Scalar> model;
};

/// The same weights, items and parameters of the network.
template <class Scalar>
void check_same_network(const Model<Scalar>& a, const Model<Scalar>& b) {
    CHECK(a.items() == b.items());
    const auto of_a = a.tensors();
    const auto of_b = b.tensors();
    REQUIRE(of_a.size() == of_b.size());
    for (std::size_t i = 0; i < of_a.size(); ++i) {
        CAPTURE(of_a[i].name);
        REQUIRE(of_a[i].name == of_b[i].name);
        REQUIRE(of_a[i].rows == of_b[i].rows);
        REQUIRE(of_a[i].cols == of_b[i].cols);
        for (gru4rec::Index r = 0; r < of_a[i].rows; ++r) {
            for (gru4rec::Index c = 0; c < of_a[i].cols; ++c) {
                CHECK(of_a[i](r, c) == of_b[i](r, c));
            }
        }
    }
    CHECK(a.hyperparameters().layers == b.hyperparameters().layers);
    CHECK(a.hyperparameters().gru_variant == b.hyperparameters().gru_variant);
    CHECK(a.hyperparameters().constrained_embedding == b.hyperparameters().constrained_embedding);
    CHECK(a.hyperparameters().embedding == b.hyperparameters().embedding);
    CHECK(a.hyperparameters().deep_input == b.hyperparameters().deep_input);
}

bool any_contains(const std::vector<std::string>& texts, const std::string& part) {
    bool any = false;
    for (const std::string& text : texts) {
        any = any || contains(text, part);
    }
    return any;
}

}  // namespace

TEST_CASE_TEMPLATE("the network is read off the tensors, whatever its kind", Scalar, float, double) {
    for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
        CAPTURE(kind);
        const Weights<Scalar> weights(kinds[kind]);
        const ImportedModel<Scalar> imported = weights.imported();
        check_same_network(weights.model, imported.model);
        save_model(imported.model, weights.folder / "saved");
        CHECK(small_models::same(gru4rec::load_model<Scalar>(weights.folder / "saved"), imported.model));
        // Given parameters that say the same are no contradiction.
        check_same_network(weights.model, weights.imported({.parameters = kinds[kind]}).model);
    }
}

TEST_CASE("the metadata may hold items and supports TAB-separated or as JSON lists") {
    Weights weights;
    for (const std::string& items :
         {tab_separated(ids), std::string(R"(["17", "shoe \"red\"", "\u00e9t\u00e9", 4, -5])"),
          std::string("[\n\t\"17\",\n\t\"shoe \\\"red\\\"\",\n\t\"\xc3\xa9t\xc3\xa9\",\n\t\"4\",\n\t\"-5\"\n]\n")}) {
        CAPTURE(items);
        weights.with([&](Parts& parts) { parts.metadata = {{"items", items}}; });
        CHECK(weights.imported().model.items() == weights.model.items());
        CHECK(gru4rec::inspect_model(weights.folder / "w").n_items == 5);
        Model<float> started = small_models::make<float>({}, ids, 7);
        load_weights(started, weights.folder / "w");
        CHECK(small_models::same(started, weights.model));
    }
    for (const std::string supports : {"3\t0\t4\t1\t5", "[3, 0, 4, \"1\", 5]"}) {
        weights.with([&](Parts& parts) { parts.metadata["supports"] = supports; });
        const ImportedModel<float> imported = weights.imported();
        const std::vector<std::int64_t> found(imported.model.supports().begin(), imported.model.supports().end());
        CHECK(found == std::vector<std::int64_t>{3, 0, 4, 1, 5});
        CHECK_FALSE(any_contains(imported.assumptions, "support"));
    }
}

TEST_CASE("ids in brackets stay as they are in TAB-separated text") {
    Weights weights;
    const std::vector<std::string> bracketed = {"[17", "x", "y", "z", "5]"};
    weights.with([&](Parts& parts) { parts.metadata = {{"items", tab_separated(bracketed)}}; });
    CHECK(weights.imported().model.items().id(gru4rec::to_item(0)) == "[17");
    // A model file of ours never holds a list.
    save_model(small_models::make<float>({}, {"[\"a\"]"}), weights.folder / "one");
    CHECK(gru4rec::load_model<float>(weights.folder / "one").items().id(gru4rec::to_item(0)) == "[\"a\"]");
}

TEST_CASE("a file of item ids takes the place of those in the metadata, which is said") {
    Weights weights({}, {});
    CHECK(contains(weights.refusal(), "w: items: expected the item ids in the metadata"));
    for (const std::string text : {"a\nb\nc\nd\ne\n", "a\nb\nc\nd\ne",
                                   "\xef\xbb\xbf"
                                   "a\r\nb\r\nc\r\nd\r\ne\r\n"}) {
        CAPTURE(text);
        const ImportedModel<float> imported = weights.imported(weights.items_in(text));
        CHECK(imported.model.n_items() == 5);
        CHECK(imported.model.items().id(gru4rec::to_item(0)) == "a");
        CHECK(imported.model.items().id(gru4rec::to_item(4)) == "e");
        CHECK_FALSE(any_contains(imported.assumptions, "ids.txt"));
    }
    weights.with([&](Parts& parts) { parts.metadata = {{"items", tab_separated(ids)}}; });
    const ImportedModel<float> imported = weights.imported(weights.items_in("a\nb\nc\nd\ne"));
    CHECK(imported.model.items().id(gru4rec::to_item(0)) == "a");
    CHECK(any_contains(imported.assumptions, "ids.txt instead of those in the metadata"));
}

TEST_CASE("what is assumed is said, and only that") {
    Weights weights;
    const auto assumed = [&](const Settings& parameters) {
        return weights.imported({.parameters = parameters}).assumptions;
    };
    std::vector<std::string> all = assumed({});
    REQUIRE(all.size() == 3);
    CHECK(all[0].starts_with("hidden_act=tanh, input=last: the tensors do not show it"));
    CHECK(contains(all[1], "defaults for the other parameters"));
    CHECK(contains(all[2], "a support of 1 for every item"));
    CHECK(assumed({{"hidden_act", "relu"}})[0].starts_with("input=last:"));
    CHECK(assumed({{"hidden_act", "relu"}, {"input", "history"}})[0].starts_with("input_decay=0.9, history_max=20:"));
    all = assumed({{"hidden_act", "relu"}, {"input", "last"}});
    CHECK(all.size() == 2);
    const ImportedModel<float> imported = weights.imported({.parameters = {{"hidden_act", "relu"}, {"loss", "bpr"}}});
    CHECK(gru4rec::to_string(imported.model.hyperparameters().hidden_act) == "relu");
    CHECK(imported.model.hyperparameters().loss == gru4rec::LossKind::bpr);
    CHECK(imported.model.supports()[4] == 1);
    const Weights after(Settings{{"gru_variant", "reset_after"}});
    CHECK(after.imported().assumptions[0].starts_with("input=last:"));
}

TEST_CASE("a model file keeps its parameters and supports, and gets those that are given") {
    const TemporaryFolder folder;
    const Model<float> model = small_models::make<float>({{"hidden_act", "relu"}, {"batch_size", "7"}});
    save_model(model, folder / "m");
    const ImportedModel<float> same = import_model<float>(folder / "m", {});
    CHECK(small_models::same(same.model, model));
    CHECK(same.assumptions.empty());
    const ImportedModel<float> other = import_model<float>(folder / "m", {.parameters = {{"batch_size", "9"}}});
    CHECK(other.model.hyperparameters().batch_size == 9);
    CHECK(gru4rec::to_string(other.model.hyperparameters().hidden_act) == "relu");
}

TEST_CASE("parameters that contradict the tensors are refused by tensor and shape") {
    Weights weights(Settings{{"layers", "3/2"}});
    const auto refusal = [&](const Settings& parameters) { return weights.refusal({.parameters = parameters}); };
    const std::string hint =
        "; the tensors are those of layers=3/2, gru_variant=reset_before, constrained_embedding=true";
    CHECK(refusal({{"layers", "3/4"}}) == "w: tensor \"G.0.Wx\": shape: expected (4, 9), found (2, 9)" + hint);
    CHECK(refusal({{"layers", "3/2/2"}}) == "w: tensor \"G.2.Wx\": expected F32 or F64 (2, 6), found none" + hint);
    CHECK(contains(refusal({{"layers", "3"}}), "expected (3, 9), found (2, 9)" + hint));
    CHECK(refusal({{"gru_variant", "reset_after"}}) ==
          "w: tensor \"G.0.weight_ih\": expected F32 or F64 (9, 2), found none" + hint);
    CHECK(refusal({{"constrained_embedding", "false"}}) ==
          "w: tensor \"GE.Wx0.weight\": expected F32 or F64 (5, 9), found none" + hint);
    CHECK(refusal({{"embedding", "4"}}) == "w: tensor \"E.weight\": expected F32 or F64 (5, 4), found none" + hint);
    CHECK(refusal({{"deep_input", "true"}}) == "w: tensor \"G.1.Wx\": shape: expected (5, 6), found (3, 6)" + hint);
    CHECK(contains(refusal({{"layers", "65536"}}), "expected a model that fits in the file's"));
    CHECK(contains(refusal({{"layers", "x"}}), "layers = 'x'"));
    CHECK(contains(refusal({{"lairs", "3"}}), "unknown parameter 'lairs'"));
    CHECK(contains(refusal({{"momentum", "1"}}), "momentum = 1"));

    const Weights separate(
        Settings{{"constrained_embedding", "0"}, {"embedding", "2"}, {"gru_variant", "reset_after"}});
    CHECK(contains(separate.refusal({.parameters = {{"constrained_embedding", "true"}}}),
                   "constrained_embedding=false, embedding=2"));
    CHECK(contains(separate.refusal({.parameters = {{"embedding", "3"}}}),
                   "w: tensor \"E.weight\": shape: expected (5, 3), found (5, 2)"));
    CHECK(contains(separate.refusal({.parameters = {{"hidden_act", "relu"}}}), "hidden_act = relu"));
}

TEST_CASE("a file with a hash is checked against it") {
    Weights weights({}, {{"items", tab_separated(ids)}, {"content_hash", ""}});
    CHECK(weights.refusal() == "accepted");
    std::string bytes = read_bytes(weights.folder / "w");
    bytes[bytes.size() - 2] = static_cast<char>(bytes[bytes.size() - 2] ^ 1);
    write_bytes(weights.folder / "w", bytes);
    CHECK(contains(weights.refusal(), "the file is damaged"));
}
