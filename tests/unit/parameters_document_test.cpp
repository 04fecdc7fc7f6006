// docs/parameters.md against the code: names, defaults and ranges.
#include "gru4rec/model/hyperparameters.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <regex>
#include <stdexcept>
#include <string>
#include <vector>

#ifdef GRU4REC_TESTS_DIR

namespace {

using gru4rec::Hyperparameters;

struct Row {
    std::string name;
    std::string default_value;
    std::string range;
};

/// The rows `| \`name\` | default | range | ...` of the document.
std::vector<Row> documented_rows() {
    std::ifstream file(GRU4REC_TESTS_DIR "/../docs/parameters.md");
    const std::regex pattern(R"(^\| `(\w+)` \| *(.*?) *\| *(.*?) *\|.*)");
    std::vector<Row> rows;
    std::smatch match;
    for (std::string line; std::getline(file, line);) {
        if (std::regex_match(line, match, pattern)) {
            rows.push_back({match[1], match[2], match[3]});
        }
    }
    return rows;
}

/// Whether the parameter takes this value, with the other parameters that it needs.
bool takes(const std::string& name, const std::string& value) {
    Hyperparameters parameters;
    try {
        if (name == "embedding") {
            parameters.constrained_embedding = false;
        }
        if (name == "smoothing" || name == "logq") {
            parameters.loss = gru4rec::LossKind::cross_entropy;
        }
        parameters.set(name, value);
        parameters.validate();
        return true;
    } catch (const std::invalid_argument&) {
        return false;
    }
}

struct Bound {
    std::string value;
    bool inside;
};

/// Values at the ends of a range and just outside: "1 .. 1000", "[0, 1)", "(0, 1]", ">= 0", "> 0".
std::vector<Bound> bounds_of(const std::string& range) {
    std::smatch match;
    if (std::regex_search(range, match, std::regex(R"((\d+) \.\. (\d+))"))) {
        const long long low = std::stoll(match[1]);
        const long long high = std::stoll(match[2]);
        return {{std::to_string(low), true},
                {std::to_string(low - 1), false},
                {std::to_string(high), true},
                {std::to_string(high + 1), false}};
    }
    if (std::regex_search(range, match, std::regex(R"(([\[(])(\d+), (\d+)([\])]))"))) {
        return {{match[2], match[1] == "["},
                {match[2].str() == "0" ? "-1e-9" : "0.999999999", false},
                {match[3], match[4] == "]"},
                {match[3].str() + ".000001", false}};
    }
    if (std::regex_search(range, match, std::regex(R"(>(=?) (\d+))"))) {
        return {{match[2], match[1] == "="}, {"-1e-9", false}, {"1e9", true}};
    }
    return {};
}

}  // namespace

TEST_CASE("the document of parameters has every parameter, in the order of the code, and no other") {
    std::vector<std::string> documented;
    for (const Row& row : documented_rows()) {
        documented.push_back(row.name);
    }
    // entries() leaves out what is unset
    const Hyperparameters all{.final_act = gru4rec::Activation{}, .learning_rate = 1.0, .adapt_params = {0.5}};
    std::vector<std::string> known;
    for (const auto& [name, value] : all.entries()) {
        known.push_back(name);
    }
    CHECK(documented == known);
}

TEST_CASE("the defaults in the document of parameters are those of the code") {
    const auto entries = Hyperparameters{}.entries();
    const std::map<std::string, std::string> defaults(entries.begin(), entries.end());
    for (const Row& row : documented_rows()) {
        CAPTURE(row.name);
        if (const auto found = defaults.find(row.name); found != defaults.end()) {
            CHECK(row.default_value == found->second);
        } else {  // unset: the document says what it then is
            CHECK_FALSE(row.default_value.empty());
        }
    }
    const auto text_of = [](const char* name) {
        const auto rows = documented_rows();
        return std::find_if(rows.begin(), rows.end(), [&](const Row& row) { return row.name == name; })->default_value;
    };
    CHECK(text_of("learning_rate") == "0.05; adadelta 1");
    CHECK(Hyperparameters{}.effective_learning_rate() == 0.05);
    CHECK(Hyperparameters{.adapt = gru4rec::Adapt::adadelta}.effective_learning_rate() == 1);
}

TEST_CASE("the ranges in the document of parameters are those that validation allows") {
    int n_ranges = 0;
    for (const Row& row : documented_rows()) {
        const std::vector<Bound> bounds = bounds_of(row.range);
        n_ranges += bounds.empty() ? 0 : 1;
        for (const Bound& bound : bounds) {
            if (row.name == "final_act" || row.name == "hidden_act" || row.name == "adapt_params") {
                continue;  // their ranges are of parts of the text
            }
            CAPTURE(row.name);
            CAPTURE(bound.value);
            CHECK(takes(row.name, bound.value) == bound.inside);
        }
    }
    CHECK(n_ranges >= 23);
}

TEST_CASE("the choices in the document of parameters are those of the code") {
    int n_choices = 0;
    for (const Row& row : documented_rows()) {
        if (row.range.empty() || !bounds_of(row.range).empty() || row.range.find(", ") == std::string::npos) {
            continue;
        }
        ++n_choices;
        std::string rest = row.range;
        for (std::size_t end = 0; end != std::string::npos; rest.erase(0, end + 2)) {
            end = rest.find(", ");
            CAPTURE(row.name);
            CAPTURE(rest);
            Hyperparameters parameters;
            CHECK_NOTHROW(parameters.set(row.name, rest.substr(0, end)));
            if (end == std::string::npos) {
                break;
            }
        }
    }
    CHECK(n_choices == 10);  // loss, gru_variant, input, adapt, session_order, and five that are true or false
}

#endif
