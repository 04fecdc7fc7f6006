#include "gru4rec/core/text.hpp"
#include "gru4rec/model/hyperparameters.hpp"

#include <doctest/doctest.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

using gru4rec::detail::edit_distance;
using gru4rec::detail::near_miss;

TEST_CASE("letters to change are counted") {
    CHECK(edit_distance("", "") == 0);
    CHECK(edit_distance("abc", "") == 3);
    CHECK(edit_distance("", "abc") == 3);
    CHECK(edit_distance("kitten", "sitting") == 3);
    CHECK(edit_distance("layers", "layer") == 1);
    CHECK(edit_distance("abc", "abc") == 0);
}

TEST_CASE("what was meant is found by initials, parts and typing errors") {
    const std::vector<std::string_view> known = {"layers", "lr_decay", "learning_rate", "n_epochs", "batch_size"};
    CHECK(near_miss("lr", known) == "learning_rate");
    CHECK(near_miss("bs", known) == "batch_size");
    CHECK(near_miss("epochs", known) == "n_epochs");
    CHECK(near_miss("batch", known) == "batch_size");
    CHECK(near_miss("learning-rate", known) == "learning_rate");
    CHECK(near_miss("layer", known) == "layers");
    CHECK(near_miss("lyaers", known) == "layers");
    CHECK(near_miss("", known).empty());
    CHECK(near_miss("l", known).empty());
    CHECK(near_miss("optimizer", known).empty());
    CHECK(near_miss(std::string(1000, 'n'), known).empty());
}

TEST_CASE("an unknown parameter is told with what was meant") {
    gru4rec::Hyperparameters p;
    CHECK_THROWS_WITH_AS(p.set("lr", "1"), doctest::Contains("'lr'; did you mean learning_rate? the parameters are"),
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(p.set("xyzzy", "1"), doctest::Contains("'xyzzy'; the parameters are"), std::invalid_argument);
}
