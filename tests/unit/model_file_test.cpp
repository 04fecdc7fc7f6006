#include "gru4rec/io/model_file.hpp"

#include "support/contains.hpp"
#include "support/safetensors_parts.hpp"
#include "support/small_models.hpp"
#include "support/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <numeric>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using gru4rec::FormatError;
using gru4rec::Index;
using gru4rec::Model;
using gru4rec::TensorView;
using gru4rec::detail::Metadata;
using gru4rec::detail::SafetensorsFile;
using small_models::Settings;

/// Every kind of table, cell and width that a model can have.
const std::vector<Settings> kinds = {
    {{"gru_variant", "reset_before"}},
    {{"gru_variant", "reset_after"}},
    {{"layers", "3/2/17"}},
    {{"layers", "3/2/17"}, {"gru_variant", "reset_after"}},
    {{"constrained_embedding", "0"}, {"embedding", "2"}},
    {{"constrained_embedding", "0"}, {"embedding", "layersize"}, {"gru_variant", "reset_after"}},
    {{"constrained_embedding", "0"}, {"layers", "3/2"}},
    {{"constrained_embedding", "0"}, {"layers", "1"}, {"gru_variant", "reset_after"}},
    {{"input", "history"}, {"input_decay", "0.8"}, {"history_max", "5"}},
    {{"deep_input", "1"}, {"layers", "3/2/17"}, {"input", "history"}},
    {{"deep_input", "1"}, {"layers", "3/2"}, {"constrained_embedding", "0"}, {"embedding", "2"}},
    {{"deep_input", "1"}, {"layers", "3/2/17"}, {"constrained_embedding", "0"}},
    {{"deep_input", "1"}, {"layers", "3/2/17"}, {"constrained_embedding", "0"}, {"gru_variant", "reset_after"}},
};

template <class Use>
std::string message_of(Use&& use) {
    try {
        use();
    } catch (const FormatError& error) {
        return error.what();
    }
    return "no FormatError";
}

/// Copies a file with other metadata. Tensors may be renamed; an empty new name leaves a tensor out.
void rewrite(const std::filesystem::path& from, const std::filesystem::path& to, const Metadata& metadata,
             const std::map<std::string, std::string>& renamed = {}) {
    SafetensorsFile file(from);
    std::vector<std::vector<float>> values;
    std::vector<gru4rec::detail::TensorSource> tensors;
    for (const gru4rec::TensorInfo& tensor : file.tensors()) {
        const auto found = renamed.find(tensor.name);
        const std::string name = found == renamed.end() ? tensor.name : found->second;
        if (!name.empty()) {
            values.push_back(file.values<float>(tensor));
            const bool is_vector = tensor.shape.size() == 1;
            const Index cols = is_vector ? 1 : tensor.shape[1];
            tensors.emplace_back(
                TensorView<const float>{name, tensor.shape[0], cols, is_vector, values.back().data(), cols, 1, false});
        }
    }
    gru4rec::detail::write_safetensors(to, metadata, tensors);
}

Metadata items_only(const std::string& items) { return {{"items", items}}; }

std::string items_of(const Model<float>& model) {
    std::string text;
    for (Index i = 0; i < model.n_items(); ++i) {
        text += (i == 0 ? "" : "\t") + std::string(model.items().id(gru4rec::to_item(i)));
    }
    return text;
}

template <class Scalar>
const TensorView<const Scalar> tensor_of(const Model<Scalar>& model, const std::string& name) {
    for (const auto& view : model.tensors()) {
        if (view.name == name) {
            return view;
        }
    }
    throw std::runtime_error("no tensor " + name);
}

}  // namespace

TEST_CASE_TEMPLATE("a loaded model equals the saved one to the bit, whatever its kind", Scalar, float, double) {
    const TemporaryFolder folder;
    for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
        CAPTURE(kind);
        const Model<Scalar> model = small_models::make<Scalar>(kinds[kind]);
        save_model(model, folder / "a");
        const Model<Scalar> loaded = gru4rec::load_model<Scalar>(folder / "a");
        CHECK(small_models::same(model, loaded));
        save_model(loaded, folder / "b");
        CHECK(read_bytes(folder / "a") == read_bytes(folder / "b"));
    }
}

TEST_CASE("the size of a model is known before it is allocated, whatever its kind") {
    for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
        CAPTURE(kind);
        const Model<float> model = small_models::make<float>(kinds[kind]);
        double n_weights = 0;
        for (const auto& view : model.tensors()) {
            const bool second_bias = view.name.ends_with("bias_hh");  // not counted: a lower bound
            n_weights += second_bias ? 0 : static_cast<double>(view.rows * view.cols);
        }
        CHECK(gru4rec::detail::least_weights(model.hyperparameters(), model.n_items()) == n_weights);
    }
}

TEST_CASE("the tensors of a file have the names and shapes of the PyTorch model") {
    const TemporaryFolder folder;
    const auto shapes = [&](const Settings& settings) {
        save_model(small_models::make<float>(settings), folder / "m");
        std::map<std::string, std::vector<Index>> result;
        for (const auto& tensor : gru4rec::inspect_model(folder / "m").tensors) {
            result[tensor.name] = tensor.shape;
        }
        return result;
    };
    using Shapes = std::map<std::string, std::vector<Index>>;
    CHECK(shapes({{"layers", "3/2"}, {"gru_variant", "reset_after"}}) == Shapes{{"G.0.weight_ih", {9, 2}},
                                                                                {"G.0.weight_hh", {9, 3}},
                                                                                {"G.0.bias_ih", {9}},
                                                                                {"G.0.bias_hh", {9}},
                                                                                {"G.1.weight_ih", {6, 3}},
                                                                                {"G.1.weight_hh", {6, 2}},
                                                                                {"G.1.bias_ih", {6}},
                                                                                {"G.1.bias_hh", {6}},
                                                                                {"Wy.weight", {5, 2}},
                                                                                {"By.weight", {5, 1}}});
    CHECK(shapes({{"constrained_embedding", "0"}, {"embedding", "4"}}) == Shapes{{"E.weight", {5, 4}},
                                                                                 {"G.0.Wx", {4, 9}},
                                                                                 {"G.0.Bh", {9}},
                                                                                 {"G.0.Wrz", {3, 6}},
                                                                                 {"G.0.Wh", {3, 3}},
                                                                                 {"Wy.weight", {5, 3}},
                                                                                 {"By.weight", {5, 1}}});
    CHECK(shapes({{"constrained_embedding", "0"}, {"layers", "3/2"}}) == Shapes{{"GE.Wx0.weight", {5, 9}},
                                                                                {"GE.Bh0", {9}},
                                                                                {"GE.Wrz0", {3, 6}},
                                                                                {"GE.Wh0", {3, 3}},
                                                                                {"G.1.Wx", {3, 6}},
                                                                                {"G.1.Bh", {6}},
                                                                                {"G.1.Wrz", {2, 4}},
                                                                                {"G.1.Wh", {2, 2}},
                                                                                {"Wy.weight", {5, 2}},
                                                                                {"By.weight", {5, 1}}});
    CHECK(shapes({{"constrained_embedding", "0"}, {"gru_variant", "reset_after"}}) == Shapes{{"GE.weight_ih", {5, 9}},
                                                                                             {"GE.weight_hh", {9, 3}},
                                                                                             {"GE.bias_ih", {9}},
                                                                                             {"GE.bias_hh", {9}},
                                                                                             {"Wy.weight", {5, 3}},
                                                                                             {"By.weight", {5, 1}}});
}

TEST_CASE("the metadata holds what the document lists and nothing else") {
    const TemporaryFolder folder;
    save_model(small_models::make<float>({{"loss", "bpr-max"}, {"layers", "3/2"}}), folder / "m");
    const SafetensorsFile file(folder / "m");
    std::set<std::string> names;
    for (const auto& [name, value] : file.metadata()) {
        names.insert(name);
    }
    CHECK(names ==
          std::set<std::string>{"format", "format_version", "hyperparameters", "items", "supports", "content_hash"});
    CHECK(file.metadata().at("items") == "17\tshoe \"red\"\t\xc3\xa9t\xc3\xa9\t4\t-5");
    CHECK(file.metadata().at("supports") == "1\t11\t21\t31\t41");
    CHECK(contains(file.metadata().at("hyperparameters"), R"("layers":"3/2")"));
    CHECK(contains(file.metadata().at("hyperparameters"), R"("loss":"bpr-max")"));
}

TEST_CASE("all hyper-parameters are saved and loaded, set and unset") {
    const TemporaryFolder folder;
    const Settings settings = {{"layers", "3/2"},           {"loss", "bpr-max"},        {"final_act", "elu-0.25"},
                               {"hidden_act", "leaky-0.1"}, {"batch_size", "7"},        {"learning_rate", "0.1"},
                               {"momentum", "0.3"},         {"adapt", "adam"},          {"adapt_params", "0.8/0.99"},
                               {"lmbd", "1e-07"},           {"lr_decay", "0.9"},        {"dropout_p_hidden", "0.2"},
                               {"sample_alpha", "0.75"},    {"session_order", "random"}};
    const Model<float> model = small_models::make<float>(settings);
    save_model(model, folder / "m");
    CHECK(gru4rec::load_model<float>(folder / "m").hyperparameters() == model.hyperparameters());
    CHECK(gru4rec::inspect_model(folder / "m").hyperparameters == model.hyperparameters().entries());
}

TEST_CASE("a float model widens exactly and a double model is rounded") {
    const TemporaryFolder folder;
    for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
        CAPTURE(kind);
        const Model<float> single = small_models::make<float>(kinds[kind]);
        const Model<double> exact = small_models::make<double>(kinds[kind]);
        save_model(single, folder / "f32");
        save_model(exact, folder / "f64");
        CHECK(gru4rec::inspect_model(folder / "f32").dtype == "F32");
        CHECK(gru4rec::inspect_model(folder / "f64").dtype == "F64");
        const Model<double> widened = gru4rec::load_model<double>(folder / "f32");
        CHECK(small_models::same(gru4rec::load_model<float>(folder / "f64"), single));
        for (std::size_t t = 0; t < single.tensors().size(); ++t) {
            const auto a = single.tensors()[t];
            const auto b = widened.tensors()[t];
            for (Index r = 0; r < a.rows; ++r) {
                for (Index c = 0; c < a.cols; ++c) {
                    CHECK(double{a(r, c)} == b(r, c));
                }
            }
        }
    }
}

TEST_CASE("a double beyond the range of float is refused in float, by tensor and row") {
    const TemporaryFolder folder;
    Model<double> model = small_models::make<double>({});
    for (const auto& view : model.tensors()) {
        if (view.name == "Wy.weight") {
            view(2, 1) = -1e39;
        }
    }
    save_model(model, folder / "m");
    CHECK(small_models::same(gru4rec::load_model<double>(folder / "m"), model));
    const std::string message = message_of([&] { (void)gru4rec::load_model<float>(folder / "m"); });
    CHECK(contains(message, "tensor \"Wy.weight\": row 2: expected finite numbers within the range of float"));
}

TEST_CASE("a weight that is not finite is neither saved nor loaded") {
    const TemporaryFolder folder;
    const Model<float> good = small_models::make<float>({});
    save_model(good, folder / "m");
    const std::string before = read_bytes(folder / "m");
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
        Model<float> model = small_models::make<float>({});
        for (const auto& view : model.tensors()) {
            if (view.name == "By.weight") {
                view(3, 0) = bad;
            }
        }
        std::string message;
        try {
            save_model(model, folder / "m");
        } catch (const gru4rec::NonFiniteError& error) {
            message = error.what();
        }
        CHECK(contains(message, "tensor \"By.weight\", row 3"));
        CHECK(read_bytes(folder / "m") == before);

        // The same for a file that another program wrote.
        const auto views = std::as_const(model).tensors();
        const std::vector<gru4rec::detail::TensorSource> tensors(views.begin(), views.end());
        gru4rec::detail::write_safetensors(folder / "w", items_only(items_of(model)), tensors);
        Model<float> target = small_models::make<float>({});
        CHECK(contains(message_of([&] { load_weights(target, folder / "w"); }), "tensor \"By.weight\": row 3"));
        CHECK(small_models::same(target, good));
    }
}

TEST_CASE("weights are matched by item id, and items that only the file has are left out") {
    const TemporaryFolder folder;
    for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
        CAPTURE(kind);
        const std::vector<std::string> ids = {"a", "b", "c"};
        const std::vector<std::string> of_file = {"c", "other", "a", "b", "more"};
        const Model<double> source = small_models::make<double>(kinds[kind], of_file, 5);
        save_model(source, folder / "m");
        Model<float> target = small_models::make<float>(kinds[kind], ids);
        const auto before = target.hyperparameters();
        load_weights(target, folder / "m");
        CHECK(target.hyperparameters() == before);
        CHECK(target.supports()[1] == 11);
        for (const auto& view : std::as_const(target).tensors()) {
            const auto from = tensor_of(source, view.name);
            for (Index r = 0; r < view.rows; ++r) {
                const std::array<Index, 3> rows = {2, 3, 0};
                for (Index c = 0; c < view.cols; ++c) {
                    CHECK(view(r, c) ==
                          static_cast<float>(from(view.by_item ? rows[static_cast<std::size_t>(r)] : r, c)));
                }
            }
        }
    }
}

TEST_CASE("weights that do not fit are refused and change nothing") {
    const TemporaryFolder folder;
    const Settings settings = {{"gru_variant", "reset_after"}};
    const Model<float> source = small_models::make<float>(settings, {"a", "b", "c"}, 5);
    save_model(source, folder / "m");
    const auto refusal = [&](const std::string& name, const Settings& target_settings = {},
                             const std::vector<std::string>& ids = {"a", "b", "c"}) {
        Model<float> target = small_models::make<float>(target_settings.empty() ? settings : target_settings, ids);
        const Model<float> before = target;
        const std::string message = message_of([&] { load_weights(target, folder / name); });
        if (message != "no FormatError") {
            CHECK(small_models::same(target, before));
        }
        return message;
    };
    CHECK(refusal("m") == "no FormatError");
    CHECK(contains(refusal("m", {}, {"a", "x", "b", "y", "1", "2", "3", "4"}),
                   R"(items: expected every item of the model, but 6 of 8 are missing: "x", "y", "1", "2", "3", ...)"));
    CHECK(contains(refusal("m", {{"gru_variant", "reset_before"}}), "tensor \"G.0.Wx\": expected F32 or F64 (3, 9)"));
    CHECK(contains(refusal("m", {{"gru_variant", "reset_after"}, {"layers", "2"}}),
                   "shape: expected (6, 2), found (9, 3)"));
    CHECK(contains(refusal("m", {{"gru_variant", "reset_after"}, {"layers", "3/3"}}), "tensor \"G.1."));

    rewrite(folder / "m", folder / "no items", {});
    CHECK(contains(refusal("no items"), "items: expected the item ids"));
    rewrite(folder / "m", folder / "twice", items_only("a\tb\ta"));
    CHECK(contains(refusal("twice"), "items: expected each item once, found \"a\" as item 1 and again as item 3"));
    rewrite(folder / "m", folder / "more items", items_only("a\tb\tc\td"));
    CHECK(contains(refusal("more items"), "shape: expected (4, "));
    rewrite(folder / "m", folder / "extra", items_only("a\tb\tc"), {{"By.weight", "G.1.bias_ih"}});
    CHECK(contains(refusal("extra"), "tensor \"By.weight\": expected F32 or F64 (3, 1), found none"));
    rewrite(folder / "m", folder / "plain", items_only("a\tb\tc"));
    CHECK(refusal("plain") == "no FormatError");
    save_model(small_models::make<float>({{"gru_variant", "reset_after"}, {"layers", "3/3"}}, {"a", "b", "c"}),
               folder / "two layers");
    CHECK(contains(refusal("two layers"), "tensor \"G.1.weight_ih\": expected no such tensor"));
    Metadata metadata = SafetensorsFile(folder / "m").metadata();
    metadata["content_hash"] = "0123456789abcdef";
    rewrite(folder / "m", folder / "damaged", metadata);
    CHECK(contains(refusal("damaged"), "the file is damaged"));
}

TEST_CASE("a plain weight file is not a model but can be inspected") {
    const TemporaryFolder folder;
    const Model<float> source = small_models::make<float>({});
    save_model(source, folder / "m");
    rewrite(folder / "m", folder / "w", items_only(items_of(source)));
    const std::string message = message_of([&] { (void)gru4rec::load_model<float>(folder / "w"); });
    CHECK(contains(message, (folder / "w").string() + ": format: expected \"gru4rec\""));
    CHECK(contains(message, "load_weights"));
    const gru4rec::ModelInfo info = gru4rec::inspect_model(folder / "w");
    CHECK(info.format_version.empty());
    CHECK(info.hyperparameters.empty());
    CHECK(info.n_items == 5);
    rewrite(folder / "m", folder / "w", {});
    CHECK(gru4rec::inspect_model(folder / "w").n_items == 0);
}

TEST_CASE("inspecting a model describes it") {
    const TemporaryFolder folder;
    save_model(small_models::make<double>({{"layers", "3/2"}}), folder / "m");
    const gru4rec::ModelInfo info = gru4rec::inspect_model(folder / "m");
    CHECK(info.format_version == "2");
    CHECK(info.dtype == "F64");
    CHECK(info.n_items == 5);
    CHECK(info.tensors.size() == 10);
    CHECK(info.content_hash.size() == 16);
    CHECK(info.file_size == std::filesystem::file_size(folder / "m"));
    CHECK(gru4rec::stored_dtype(folder / "m") == "F64");
}

TEST_CASE("a file of another format version is refused with a remedy") {
    const TemporaryFolder folder;
    save_model(small_models::make<float>({}), folder / "m");
    Metadata metadata = SafetensorsFile(folder / "m").metadata();
    metadata["format_version"] = "3";
    rewrite(folder / "m", folder / "n", metadata);
    const std::string message = message_of([&] { (void)gru4rec::load_model<float>(folder / "n"); });
    CHECK(contains(message, "format_version: expected 1 or 2, found \"3\"; read it with the version"));
}

// A change here is a change of the format.
TEST_CASE("the content hashes of a given model are pinned") {
    const TemporaryFolder folder;
    save_model(small_models::make<float>({{"gru_variant", "reset_after"}, {"layers", "2"}}, {"a", "b"}, 0),
               folder / "w");
    Metadata metadata = SafetensorsFile(folder / "w").metadata();
    metadata["hyperparameters"] = R"({"gru_variant":"reset_after","layers":"2"})";
    for (const auto& entry : Settings{{"1", "0073fc28c65ba3bf"}, {"2", "24fd19c7ac0b6dfd"}}) {
        const std::string& version = entry.first;
        CAPTURE(version);
        metadata["format_version"] = version;
        metadata["content_hash"] = entry.second;
        rewrite(folder / "w", folder / "m", metadata);
        CHECK_NOTHROW((void)gru4rec::load_model<float>(folder / "m"));
        CHECK(gru4rec::inspect_model(folder / "m").format_version == version);
    }
}

TEST_CASE("a model whose tensors another program has put in another order loads, whatever its kind and version") {
    const TemporaryFolder folder;
    for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
        CAPTURE(kind);
        const Model<double> model = small_models::make<double>(kinds[kind]);
        save_model(model, folder / "m");
        for (const std::string version : {"1", "2"}) {
            CAPTURE(version);
            Parts written(folder / "m");
            written.metadata["format_version"] = version;
            write_bytes(folder / "written", written.bytes());
            const Parts whole(folder / "written");
            std::vector<std::size_t> order(whole.tensors.size());
            std::iota(order.begin(), order.end(), std::size_t{0});
            const auto by_name = [&](std::size_t a, std::size_t b) {
                return whole.tensors[a].name < whole.tensors[b].name;
            };
            for (int round = 0; round < 4; ++round) {
                CAPTURE(round);
                if (round == 1) {
                    std::sort(order.begin(), order.end(), by_name);
                } else if (round > 1) {
                    std::rotate(order.begin(), order.begin() + 1, order.end());
                    std::reverse(order.begin() + 2, order.end());
                }
                Parts saved_again = whole;
                saved_again.reorder(order);
                write_bytes(folder / "again", saved_again.bytes_with_old_hash());
                CHECK(small_models::same(gru4rec::load_model<double>(folder / "again"), model));
                CHECK(gru4rec::inspect_model(folder / "again").content_hash == whole.metadata.at("content_hash"));
                std::string damaged = saved_again.bytes_with_old_hash();
                damaged[damaged.size() - 8] = static_cast<char>(damaged[damaged.size() - 8] ^ 1);
                write_bytes(folder / "again", damaged);
                CHECK(contains(message_of([&] { (void)gru4rec::load_model<double>(folder / "again"); }),
                               "the file is damaged"));
                // Version 1 hashed tensors in the order of the data: so may others have done.
                write_bytes(folder / "again", saved_again.bytes());
                CHECK(small_models::same(gru4rec::load_model<double>(folder / "again"), model));
            }
        }
    }
}

TEST_CASE("a model without a hash loads, and one can see that it has none") {
    const TemporaryFolder folder;
    const Model<float> model = small_models::make<float>({});
    save_model(model, folder / "m");
    CHECK(gru4rec::has_content_hash(folder / "m"));
    Metadata metadata = SafetensorsFile(folder / "m").metadata();
    metadata.erase("content_hash");
    rewrite(folder / "m", folder / "n", metadata);
    CHECK(small_models::same(gru4rec::load_model<float>(folder / "n"), model));
    CHECK_FALSE(gru4rec::has_content_hash(folder / "n"));
    const gru4rec::ModelInfo info = gru4rec::inspect_model(folder / "n");
    CHECK(info.content_hash.empty());
    CHECK(info.format_version == "2");
    CHECK(info.n_items == 5);
    for (const std::string name : {"content_hasi", "contenthash", "cont\nt_hash", "content-hash"}) {
        CAPTURE(name);
        Metadata renamed = metadata;
        renamed[name] = "0123456789abcdef";
        rewrite(folder / "m", folder / "n", renamed);
        const std::string message = message_of([&] { (void)gru4rec::load_model<float>(folder / "n"); });
        CHECK(contains(message, "metadata: expected an entry \"content_hash\", found \"cont"));
    }
}

TEST_CASE("an independent reader finds the same names, shapes and values") {
    const TemporaryFolder folder;
    const auto script = std::filesystem::path(GRU4REC_TESTS_DIR) / "support" / "read_safetensors.py";
    REQUIRE(std::filesystem::exists(script));
    if (std::system("python3 -c 'import numpy' >/dev/null 2>&1") != 0) {
        MESSAGE("skipped: needs python3 with numpy (Debian: python3-numpy)");
        return;
    }
    const auto check = [&]<class Scalar>(const Model<Scalar>& model) {
        save_model(model, folder / "m");
        const std::string command =
            "python3 '" + script.string() + "' '" + (folder / "m").string() + "' > '" + (folder / "out").string() + "'";
        REQUIRE(std::system(command.c_str()) == 0);
        std::map<std::string, std::string> lines;
        std::ifstream out(folder / "out");
        for (std::string line; std::getline(out, line);) {
            lines[line.substr(0, line.find(' '))] = line;
        }
        CHECK(lines.size() == model.tensors().size() + 6);
        CHECK(contains(lines["'items'"], R"('17\tshoe "red"\t\xe9t\xe9\t4\t-5')"));
        for (const auto& view : model.tensors()) {
            std::istringstream line(lines[view.name]);
            std::string word;
            CHECK((line >> word && word == view.name));
            CHECK((line >> word && word == (sizeof(Scalar) == 4 ? "float32" : "float64")));
            std::getline(line, word, ']');
            CHECK(word == " [" + std::to_string(view.rows) + (view.is_vector ? "" : ", " + std::to_string(view.cols)));
            for (Index r = 0; r < view.rows; ++r) {
                for (Index c = 0; c < view.cols; ++c) {
                    CHECK((line >> word && std::strtod(word.c_str(), nullptr) == double{view(r, c)}));
                }
            }
            const bool more = static_cast<bool>(line >> word);
            CHECK_FALSE(more);
        }
    };
    for (const Settings& settings : kinds) {
        check(small_models::make<float>(settings));
        check(small_models::make<double>(settings));
    }
}

TEST_CASE("the weights of the reference runs fit the models of their parameters") {
    const char* data = std::getenv("GRU4REC_TEST_DATA");
    if (data == nullptr || *data == '\0') {
        MESSAGE("skipped: GRU4REC_TEST_DATA is not set");
        return;
    }
    const std::vector<std::pair<std::string, Settings>> runs = {
        {"toy_xe_tied_logq", {{"layers", "96"}, {"gru_variant", "reset_after"}}},
        {"toy_bprmax_tied_2layers", {{"layers", "48/64"}, {"gru_variant", "reset_after"}}},
        {"toy_bprmax_embedding",
         {{"layers", "64"}, {"constrained_embedding", "0"}, {"embedding", "48"}, {"gru_variant", "reset_after"}}},
        {"toy_xe_onehot", {{"layers", "64"}, {"constrained_embedding", "0"}}}};
    const TemporaryFolder folder;
    for (const auto& entry : runs) {
        const std::string& run = entry.first;
        const Settings& settings = entry.second;
        CAPTURE(run);
        const auto path = std::filesystem::path(data) / "golden" / run / "init.safetensors";
        SafetensorsFile file(path);
        std::vector<std::string> ids;
        std::istringstream text(file.metadata().at("items"));
        for (std::string id; std::getline(text, id, '\t');) {
            ids.push_back(id);
        }
        Model<float> model = small_models::make<float>(settings, ids);
        load_weights(model, path);
        save_model(model, folder / "m");
        CHECK(small_models::same(gru4rec::load_model<float>(folder / "m"), model));
        SafetensorsFile saved(folder / "m");
        CHECK(saved.tensors().size() == file.tensors().size());
        for (const gru4rec::TensorInfo& tensor : file.tensors()) {
            const gru4rec::TensorInfo* found = saved.find(tensor.name);
            REQUIRE(found != nullptr);
            CHECK(found->shape == tensor.shape);
            CHECK(saved.values<float>(*found) == file.values<float>(tensor));
        }
        CHECK(gru4rec::inspect_model(path).n_items == 8600);
    }
}
