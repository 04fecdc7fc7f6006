#include "gru4rec/model/hyperparameters.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using gru4rec::Hyperparameters;
using Entries = std::vector<std::pair<std::string, std::string>>;

Hyperparameters with(const Entries& settings) {
    Hyperparameters p;
    for (const auto& [name, value] : settings) {
        p.set(name, value);
    }
    return p;
}

/// A value other than the default for every field.
const Entries changed = {{"layers", "7/300/1"},
                         {"loss", "bpr-max"},
                         {"final_act", "selu-1.05-1.67"},
                         {"hidden_act", "leaky-0.001"},
                         {"gru_variant", "reset_after"},
                         {"constrained_embedding", "false"},
                         {"embedding", "17"},
                         {"input", "history"},
                         {"input_decay", "0.5"},
                         {"history_max", "7"},
                         {"deep_input", "true"},
                         {"batch_size", "5"},
                         {"n_epochs", "3"},
                         {"bptt", "4"},
                         {"learning_rate", "0.3333333333333333"},
                         {"momentum", "0.1"},
                         {"adapt", "adam"},
                         {"adapt_params", "0.8/0.99"},
                         {"lmbd", "1e-06"},
                         {"grad_cap", "2.5"},
                         {"lr_decay", "0.7"},
                         {"dropout_p_embed", "0.25"},
                         {"dropout_p_hidden", "0.4"},
                         {"n_sample", "0"},
                         {"sample_alpha", "0.2"},
                         {"mask_duplicates", "true"},
                         {"logq", "0.5"},
                         {"smoothing", "0.05"},
                         {"pairwise_mean", "true"},
                         {"bpreg", "1.95"},
                         {"elu_param", "0"},
                         {"sigma", "0.01"},
                         {"init_as_normal", "true"},
                         {"session_order", "random"}};

/// The message of the error that the last setting causes; the others are valid.
std::string refused(const Entries& settings) {
    const Hyperparameters p = with(settings);
    try {
        p.validate();
    } catch (const gru4rec::ConfigError& error) {
        return error.what();
    }
    return "accepted";
}

std::string refused_text(std::string_view name, std::string_view value) {
    Hyperparameters p;
    try {
        p.set(name, value);
    } catch (const gru4rec::ConfigError& error) {
        CHECK(p == Hyperparameters{});  // unchanged
        return error.what();
    }
    return "accepted";
}

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("the defaults are those of the published code") {
    const Hyperparameters p;
    const Entries expected = {{"layers", "100"},
                              {"loss", "cross-entropy"},
                              {"hidden_act", "tanh"},
                              {"gru_variant", "reset_before"},
                              {"constrained_embedding", "true"},
                              {"embedding", "0"},
                              {"input", "last"},
                              {"input_decay", "0.9"},
                              {"history_max", "20"},
                              {"deep_input", "false"},
                              {"batch_size", "32"},
                              {"n_epochs", "10"},
                              {"bptt", "1"},
                              {"momentum", "0"},
                              {"adapt", "adagrad"},
                              {"lmbd", "0"},
                              {"grad_cap", "0"},
                              {"lr_decay", "1"},
                              {"dropout_p_embed", "0"},
                              {"dropout_p_hidden", "0"},
                              {"n_sample", "2048"},
                              {"sample_alpha", "0.5"},
                              {"mask_duplicates", "false"},
                              {"logq", "0"},
                              {"smoothing", "0"},
                              {"pairwise_mean", "false"},
                              {"bpreg", "1"},
                              {"elu_param", "0.5"},
                              {"sigma", "0"},
                              {"init_as_normal", "false"},
                              {"session_order", "time"}};
    std::map<std::string, std::string> entries;
    for (const auto& [name, value] : p.entries()) {
        CHECK(entries.emplace(name, value).second);
    }
    for (const auto& entry : expected) {
        CAPTURE(entry.first);
        CHECK(entries[entry.first] == entry.second);
    }
    CHECK(entries.find("learning_rate") == entries.end());  // unset: the rule's own
    CHECK_NOTHROW(p.validate());
}

TEST_CASE("every field is set and listed by its name, and is restored from its text") {
    std::set<std::string> names;
    for (const auto& field : changed) {
        const auto& [name, value] = field;
        CAPTURE(field.first);
        names.insert(name);
        const Hyperparameters p = with({{name, value}});
        CHECK(p != Hyperparameters{});
        bool is_listed = false;
        for (const auto& [entry, text] : p.entries()) {
            is_listed = is_listed || (entry == name && text == value);
        }
        CHECK(is_listed);
        CHECK(with(p.entries()) == p);
    }
    const Hyperparameters all = with(changed);
    CHECK(all.entries() == changed);
    CHECK(with(all.entries()) == all);
    // No field is missing from the list above.
    for (const gru4rec::ParameterDescription& parameter : Hyperparameters::describe()) {
        CHECK(names.contains(parameter.name));
    }
    CHECK(names.size() == Hyperparameters::describe().size());
}

TEST_CASE("each name of a choice is known") {
    for (const std::string value : {"cross-entropy", "bpr", "top1", "bpr-max", "top1-max"}) {
        CHECK(to_string(with({{"loss", value}}).loss) == value);
    }
    for (const std::string value : {"sgd", "adagrad", "rmsprop", "adadelta", "adam"}) {
        CHECK(with(with({{"adapt", value}}).entries()) == with({{"adapt", value}}));
    }
    for (const std::string value : {"time", "file", "random"}) {
        CHECK(with(with({{"session_order", value}}).entries()) == with({{"session_order", value}}));
    }
    for (const std::string value : {"last", "history"}) {
        CHECK(with(with({{"input", value}}).entries()) == with({{"input", value}}));
    }
    CHECK(to_string(with({{"gru_variant", "reset_after"}}).gru_variant) == "reset_after");
    CHECK(with({{"mask_duplicates", "1"}}) == with({{"mask_duplicates", "true"}}));
    CHECK(with({{"constrained_embedding", "0"}}) == with({{"constrained_embedding", "false"}}));
}

TEST_CASE("numbers survive the conversion to text to the last bit") {
    Hyperparameters p;
    p.learning_rate = 0.1 + 0.2;
    p.bpreg = (std::numeric_limits<double>::min)();
    p.elu_param = 1e25;
    p.lmbd = 5e-324;
    p.final_act = gru4rec::Activation{gru4rec::ActivationKind::selu, 1e-7, 1.0 / 3};
    p.hidden_act = {gru4rec::ActivationKind::elu, 2e-5};
    CHECK(with(p.entries()) == p);
}

TEST_CASE("layersize means the width of the first layer, and has no number in text") {
    const auto p = with({{"constrained_embedding", "false"}, {"embedding", "layersize"}, {"layers", "9/4"}});
    CHECK(p.embedding_width() == 9);
    CHECK(!p.one_hot());
    CHECK_NOTHROW(p.validate());
    CHECK(with(p.entries()) == p);
    CHECK(with({{"embedding", "layersize"}}).entries()[5].second == "layersize");
    CHECK(holds(refused_text("embedding", "-1"), "embedding = '-1', expected 0 <= embedding <= 65536, or layersize"));
    CHECK(with({{"constrained_embedding", "false"}}).one_hot());
    CHECK(with({{"constrained_embedding", "false"}, {"embedding", "6"}}).embedding_width() == 6);
    CHECK(Hyperparameters{}.embedding_width() == 0);
}

TEST_CASE("parameters that are unset follow from the loss and the rule") {
    using Kind = gru4rec::ActivationKind;
    CHECK(with({{"loss", "bpr"}}).effective_final_act().kind == Kind::tanh);
    CHECK(with({{"loss", "top1"}}).effective_final_act().kind == Kind::tanh);
    CHECK(with({{"loss", "bpr-max"}}).effective_final_act() == gru4rec::Activation{Kind::elu, 0.5});
    CHECK(with({{"loss", "top1-max"}, {"elu_param", "0.3"}}).effective_final_act() ==
          gru4rec::Activation{Kind::elu, 0.3});
    CHECK(with({{"loss", "top1-max"}, {"elu_param", "0"}}).effective_final_act().kind == Kind::linear);
    CHECK(with({{"loss", "bpr"}, {"final_act", "relu"}}).effective_final_act().kind == Kind::relu);
    CHECK(Hyperparameters{}.effective_learning_rate() == 0.05);
    CHECK(with({{"adapt", "adadelta"}}).effective_learning_rate() == 1);
    CHECK(with({{"adapt", "adadelta"}, {"learning_rate", "0.2"}}).effective_learning_rate() == 0.2);
}

TEST_CASE("a value out of range is refused by a message with its name, its value and the range") {
    struct Case {
        Entries settings;  // the last one is wrong
        std::string value, range;
    };
    const std::vector<Case> cases = {
        {{{"layers", "0"}}, "0", "1 <= units <= 65536"},
        {{{"layers", "100/-3"}}, "-3", "1 <= units"},
        {{{"layers", "65537"}}, "65537", "65536"},
        {{{"constrained_embedding", "false"}, {"embedding", "65537"}}, "65537", "0 <= embedding <= 65536"},
        {{{"embedding", "50"}}, "50", "constrained_embedding"},
        {{{"input_decay", "0"}}, "0", "0 < input_decay <= 1"},
        {{{"input_decay", "1.01"}}, "1.01", "0 < input_decay <= 1"},
        {{{"history_max", "0"}}, "0", "1 <= history_max <= 1000"},
        {{{"history_max", "1001"}}, "1001", "1 <= history_max <= 1000"},
        {{{"deep_input", "true"}}, "true", "deep_input = false with one layer"},
        {{{"batch_size", "0"}}, "0", "1 <= batch_size"},
        {{{"batch_size", "-5"}}, "-5", "1 <= batch_size"},
        {{{"batch_size", "1000001"}}, "1000001", "batch_size <= 1000000"},
        {{{"n_epochs", "0"}}, "0", "1 <= n_epochs <= 1000000"},
        {{{"n_epochs", "1000001"}}, "1000001", "1 <= n_epochs <= 1000000"},
        {{{"bptt", "0"}}, "0", "1 <= bptt <= 1000"},
        {{{"bptt", "-1"}}, "-1", "1 <= bptt <= 1000"},
        {{{"bptt", "1001"}}, "1001", "1 <= bptt <= 1000"},
        {{{"learning_rate", "0"}}, "0", "learning_rate > 0"},
        {{{"learning_rate", "-0.1"}}, "-0.1", "learning_rate > 0"},
        {{{"learning_rate", "inf"}}, "inf", "learning_rate > 0"},
        {{{"momentum", "1"}}, "1", "0 <= momentum < 1"},
        {{{"momentum", "-0.1"}}, "-0.1", "0 <= momentum < 1"},
        {{{"adapt", "adam"}, {"adapt_params", "0.9"}}, "0.9", "b1/b2 for adam"},
        {{{"adapt", "rmsprop"}, {"adapt_params", "0.9/0.8"}}, "0.9/0.8", "one decay for rmsprop"},
        {{{"adapt", "adagrad"}, {"adapt_params", "0.9"}}, "0.9", "none for sgd and adagrad"},
        {{{"adapt", "adadelta"}, {"adapt_params", "1"}}, "1", "0 <= decay < 1"},
        {{{"lmbd", "-1"}}, "-1", "lmbd >= 0"},
        {{{"grad_cap", "-1"}}, "-1", "grad_cap >= 0"},
        {{{"grad_cap", "inf"}}, "inf", "grad_cap >= 0"},
        {{{"lmbd", "inf"}}, "inf", "lmbd >= 0"},
        {{{"lr_decay", "0"}}, "0", "0 < lr_decay <= 1"},
        {{{"lr_decay", "1.01"}}, "1.01", "0 < lr_decay <= 1"},
        {{{"dropout_p_embed", "1"}}, "1", "0 <= dropout_p_embed < 1"},
        {{{"dropout_p_hidden", "-0.2"}}, "-0.2", "0 <= dropout_p_hidden < 1"},
        {{{"dropout_p_hidden", "1"}}, "1", "0 <= dropout_p_hidden < 1"},
        {{{"constrained_embedding", "false"}, {"dropout_p_embed", "0.1"}}, "0.1", "one-hot"},
        {{{"n_sample", "-1"}}, "-1", "0 <= n_sample"},
        {{{"n_sample", "10000001"}}, "10000001", "n_sample <= 10000000"},
        {{{"batch_size", "1"}, {"n_sample", "0"}}, "0", "batch_size = 1"},
        {{{"sample_alpha", "1.7"}}, "1.7", "0 <= sample_alpha <= 1"},
        {{{"sample_alpha", "-0.1"}}, "-0.1", "0 <= sample_alpha <= 1"},
        {{{"logq", "-1"}}, "-1", "logq >= 0"},
        {{{"loss", "top1"}, {"logq", "1"}}, "1", "logq = 0 with loss = top1"},
        {{{"smoothing", "1"}}, "1", "0 <= smoothing < 1"},
        {{{"loss", "bpr"}, {"smoothing", "0.1"}}, "0.1", "smoothing = 0 with loss = bpr"},
        {{{"loss", "bpr-max"}, {"pairwise_mean", "true"}}, "true", "bpr-max"},
        {{{"pairwise_mean", "true"}}, "true", "cross-entropy"},
        {{{"bpreg", "-1"}}, "-1", "bpreg >= 0"},
        {{{"elu_param", "-0.5"}}, "-0.5", "elu_param >= 0"},
        {{{"sigma", "-0.5"}}, "-0.5", "sigma >= 0"},
        {{{"final_act", "tanh"}}, "tanh", "cross-entropy"},
        {{{"final_act", "linear"}}, "linear", "cross-entropy"},
        {{{"gru_variant", "reset_after"}, {"hidden_act", "relu"}}, "relu", "reset_after"},
    };
    for (const Case& c : cases) {
        const std::string& name = c.settings.back().first;
        const std::string message = refused(c.settings);
        CAPTURE(message);
        CAPTURE(name);
        CHECK(holds(message, "gru4rec: " + name + " = " + c.value + ", must satisfy "));
        CHECK(holds(message, c.range));
    }
    Hyperparameters none;
    none.layers.clear();
    CHECK_THROWS_WITH_AS(none.validate(), doctest::Contains("layers"), gru4rec::ConfigError);
    none = {};
    none.embedding = -2;
    none.constrained_embedding = false;
    CHECK_THROWS_WITH_AS(none.validate(), doctest::Contains("embedding = -2"), gru4rec::ConfigError);
}

TEST_CASE("a NaN is out of every range") {
    for (const std::string name :
         {"learning_rate", "momentum", "lmbd", "grad_cap", "lr_decay", "dropout_p_embed", "dropout_p_hidden",
          "sample_alpha", "logq", "smoothing", "bpreg", "elu_param", "sigma"}) {
        CAPTURE(name);
        CHECK(holds(refused({{name, "nan"}}), name + " = nan"));
    }
    CHECK(holds(refused({{"adapt", "rmsprop"}, {"adapt_params", "nan"}}), "adapt_params = nan"));
}

TEST_CASE("values at the ends of their ranges are accepted") {
    for (const Entries& settings :
         {Entries{{"layers", "1"}}, Entries{{"layers", "65536"}}, Entries{{"batch_size", "1"}, {"n_sample", "1"}},
          Entries{{"batch_size", "2"}, {"n_sample", "0"}}, Entries{{"sample_alpha", "0"}},
          Entries{{"sample_alpha", "1"}}, Entries{{"input_decay", "1"}}, Entries{{"history_max", "1"}},
          Entries{{"history_max", "1000"}}, Entries{{"bptt", "1000"}},
          Entries{{"deep_input", "true"}, {"layers", "9/8"}}, Entries{{"momentum", "0.999"}},
          Entries{{"lr_decay", "1"}}, Entries{{"dropout_p_hidden", "0.999"}},
          Entries{{"constrained_embedding", "false"}, {"dropout_p_hidden", "0.5"}},
          Entries{{"adapt", "adam"}, {"adapt_params", "0/0"}},
          Entries{{"gru_variant", "reset_after"}, {"hidden_act", "tanh"}},
          Entries{{"loss", "top1-max"}, {"final_act", "selu-1-1"}}}) {
        CHECK(refused(settings) == "accepted");
    }
}

TEST_CASE("every loss but cross-entropy accepts every activation") {
    for (const std::string loss : {"bpr", "top1", "bpr-max", "top1-max"}) {
        for (const std::string act : {"linear", "tanh", "relu", "leaky-0.1", "elu-1", "selu-1-1"}) {
            CHECK(refused({{"loss", loss}, {"final_act", act}}) == "accepted");
            CHECK(holds(refused({{"loss", "cross-entropy"}, {"final_act", act}}), "final_act = " + act));
        }
    }
}

TEST_CASE("text that is not a value of the field is refused by name, value and expectation, and changes nothing") {
    for (const auto& field : Entries{{"layers", ""},
                                     {"layers", "100/"},
                                     {"layers", "1.5"},
                                     {"layers", "100,50"},
                                     {"loss", "xe"},
                                     {"loss", "BPR"},
                                     {"final_act", "softmax"},
                                     {"hidden_act", "elu"},
                                     {"gru_variant", "gru"},
                                     {"constrained_embedding", "yes"},
                                     {"embedding", "wide"},
                                     {"input", "first"},
                                     {"input_decay", "much"},
                                     {"history_max", "1.5"},
                                     {"deep_input", "deep"},
                                     {"batch_size", "32.0"},
                                     {"batch_size", "99999999999"},
                                     {"n_epochs", "ten"},
                                     {"learning_rate", "0,1"},
                                     {"learning_rate", ""},
                                     {"momentum", " 0.1"},
                                     {"adapt", "adamw"},
                                     {"adapt_params", "0.9/"},
                                     {"sample_alpha", "1e999"},
                                     {"mask_duplicates", "TRUE"},
                                     {"session_order", "shuffled"}}) {
        CAPTURE(field.first);
        const std::string message = refused_text(field.first, field.second);
        CHECK(holds(message, "gru4rec: " + field.first + " = '" + field.second + "', expected "));
    }
    CHECK(holds(refused_text("loss", "xe"), "cross-entropy, bpr, top1, bpr-max or top1-max"));
    const std::string unknown = refused_text("learningrate", "0.1");
    CHECK(holds(unknown, "unknown parameter 'learningrate'"));
    CHECK(holds(unknown, "learning_rate"));
    CHECK(holds(unknown, "session_order"));
    CHECK(holds(refused_text("", "1"), "unknown parameter"));
}

TEST_CASE("docs/parameters.md lists every parameter with its default and its range") {
    std::ifstream document(std::filesystem::path(GRU4REC_TESTS_DIR) / ".." / "docs" / "parameters.md");
    REQUIRE(document);
    std::vector<std::string> rows;
    for (std::string line; std::getline(document, line);) {
        if (line.starts_with("| `")) {
            std::erase(line, '`');
            std::size_t end = 0;
            for (int column = 0; column < 3; ++column) {
                end = line.find(" | ", end + 1);
            }
            rows.push_back(line.substr(0, end));
        }
    }
    std::vector<std::string> expected;
    for (const auto& [name, default_value, range] : Hyperparameters::describe()) {
        expected.push_back("| " + name + " | " + default_value + " | " + range);
    }
    REQUIRE(rows.size() == expected.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
        CHECK(rows[i] == expected[i]);
    }
}

TEST_CASE("the message of an unknown parameter suggests what was meant") {
    Hyperparameters p;
    CHECK_THROWS_WITH_AS(p.set("lr", "1"), doctest::Contains("'lr'; did you mean learning_rate? the parameters are"),
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(p.set("xyzzy", "1"), doctest::Contains("'xyzzy'; the parameters are"), std::invalid_argument);
}

TEST_CASE("a list that is set again replaces the first") {
    Hyperparameters p;
    p.set("layers", "100/50");
    p.set("layers", "7");
    CHECK(p.layers == std::vector<int>{7});
    std::vector<int> field{100, 50};
    CHECK(gru4rec::detail::read_field("7", field));
    CHECK(field == std::vector<int>{7});
}

TEST_CASE("True and False, as Python writes them, are booleans") {
    Hyperparameters p;
    p.set("constrained_embedding", "False");
    CHECK_FALSE(p.constrained_embedding);
    p.set("constrained_embedding", "True");
    CHECK(p.constrained_embedding);
    for (const char* const text : {"TRUE", "FALSE", "T", "yes", "true ", "None", ""}) {
        CAPTURE(text);
        CHECK(holds(refused_text("constrained_embedding", text), "expected true, false, 1 or 0"));
    }
}

TEST_CASE("names and values of other implementations are refused with what to write instead, which is taken") {
    struct Foreign {
        std::string name, value, advice;
        Entries instead;
    };
    for (const Foreign& foreign : std::vector<Foreign>{
             {"final_act", "softmax", "leave final_act out: loss=cross-entropy contains its softmax", {}},
             {"final_act", "softmax_logit", "leave final_act out: loss=cross-entropy contains its softmax", {}},
             {"final_act", "None", "leave final_act out for its default", {}},
             {"loss", "xe_logit", "write loss=cross-entropy", {{"loss", "cross-entropy"}}},
             {"loss", "xe", "write loss=cross-entropy", {{"loss", "cross-entropy"}}},
             {"loss", "cross_entropy", "write loss=cross-entropy", {{"loss", "cross-entropy"}}},
             {"loss", "bpr_max", "write loss=bpr-max", {{"loss", "bpr-max"}}},
             {"loss", "top1_max", "write loss=top1-max", {{"loss", "top1-max"}}},
             {"loss", "bpr-max-0.5", "write loss=bpr-max and bpreg=0.5", {{"loss", "bpr-max"}, {"bpreg", "0.5"}}},
             {"adapt", "None", "write adapt=sgd", {{"adapt", "sgd"}}},
             {"adapt", "", "write adapt=sgd", {{"adapt", "sgd"}}},
             {"adapt_params", "", "leave adapt_params out for its default", {}},
             {"adapt_params", "[]", "leave adapt_params out for its default", {}},
             {"adapt_params", "[0.9]", "write lists as a/b/c, without brackets", {{"adapt_params", "0.9"}}},
             {"layers", "[100]", "write lists as a/b/c, without brackets", {{"layers", "100"}}},
             {"learning_rate", "null", "leave learning_rate out for its default", {}},
             {"sample_store", "10000000", "leave it out: negatives are drawn when a step needs them", {}},
             {"sample_cache_max_size", "1", "leave it out: negatives are drawn when a step needs them", {}},
             {"store_type", "gpu", "leave it out: negatives are drawn when a step needs them", {}},
             {"decay", "0.9", "write adapt_params: one decay for rmsprop", {{"adapt_params", "0.9"}}},
             {"train_random_order", "True", "write session_order=random", {{"session_order", "random"}}},
             {"train_random_order", "False", "leave it out, or write session_order=time", {{"session_order", "time"}}},
             {"time_sort", "True", "leave it out, or write session_order=time", {{"session_order", "time"}}},
             {"time_sort", "False", "write session_order=file", {{"session_order", "file"}}},
             {"reset_after_session", "True", "leave it out: the hidden state", {}},
             {"device", "cuda:0", "leave it out: training runs on the CPU", {}},
             {"session_key", "SessionId", "leave it out: columns belong to the data", {}},
             {"item_key", "ItemId", "leave it out: columns belong to the data", {}},
             {"time_key", "Time", "leave it out: columns belong to the data", {}}}) {
        CAPTURE(foreign.name);
        CAPTURE(foreign.value);
        const std::string message = refused_text(foreign.name, foreign.value);
        CHECK(holds(message, "gru4rec: " + foreign.name + " = '" + foreign.value + "'"));
        CHECK(holds(message, "; " + foreign.advice));
        Hyperparameters p;
        for (const auto& entry : foreign.instead) {
            CHECK_NOTHROW(p.set(entry.first, entry.second));
        }
    }
    CHECK_FALSE(holds(refused_text("loss", "bpr-max-"), "write"));
    CHECK_FALSE(holds(refused_text("loss", "bpr-max-much"), "write"));
    CHECK_FALSE(holds(refused_text("final_act", "gelu"), "leave"));
    CHECK_FALSE(holds(refused_text("momentum", "None"), "; "));
}
