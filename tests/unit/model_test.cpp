#include "gru4rec/model/model.hpp"

#include <doctest/doctest.h>

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using gru4rec::Hyperparameters;
using gru4rec::Index;
using gru4rec::ItemMap;
using gru4rec::Model;
using gru4rec::SessionState;

ItemMap items(int n) {
    ItemMap result;
    for (int i = 0; i < n; ++i) {
        result.insert(std::to_string(100 + i));
    }
    return result;
}

template <class Scalar>
std::vector<Scalar> numbers(const Model<Scalar>& model) {
    std::vector<Scalar> result;
    for (const auto& view : model.tensors()) {
        for (Index r = 0; r < view.rows; ++r) {
            for (Index c = 0; c < view.cols; ++c) {
                result.push_back(view(r, c));
            }
        }
    }
    return result;
}

}  // namespace

TEST_CASE("a model holds what it was made of, its weights a function of the seed") {
    Hyperparameters p;
    p.layers = {5, 3};
    const Model<float> model(p, items(4), {9, 0, 2, 1}, 7);
    CHECK(model.hyperparameters() == p);
    CHECK(model.items() == items(4));
    CHECK(model.n_items() == 4);
    CHECK(model.supports()[2] == 2);
    CHECK(numbers(model) == numbers(Model<float>(p, items(4), {1, 1, 1, 1}, 7)));
    CHECK(numbers(model) != numbers(Model<float>(p, items(4), {9, 0, 2, 1}, 8)));
    for (const float value : numbers(Model<float>::zeros(p, items(4), {9, 0, 2, 1}))) {
        CHECK(value == 0);
    }
}

TEST_CASE("a copy of a model has weights of its own") {
    Hyperparameters p;
    p.layers = {3};
    Model<double> model(p, items(2), {1, 1});
    Model<double> copy = model;
    copy.tensors().back()(1, 0) = 4;
    CHECK(model.tensors().back()(1, 0) == 0);
    CHECK(copy.tensors().back()(1, 0) == 4);
    const Model<double> moved = std::move(copy);
    CHECK(moved.tensors().back()(1, 0) == 4);
    // The output bias is a column of the output table.
    CHECK(moved.network().output_table().row(1)[3] == 4);
}

TEST_CASE("what cannot be a model is refused before it is built") {
    Hyperparameters p;
    CHECK_THROWS_WITH_AS(Model<float>(p, ItemMap(), {}), doctest::Contains("catalogue is empty"),
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(Model<float>(p, items(3), {1, 2}), doctest::Contains("2 given for 3"), std::invalid_argument);
    p.sample_alpha = 1.7;
    CHECK_THROWS_WITH_AS(Model<float>(p, items(1), {1}), doctest::Contains("sample_alpha = 1.7"),
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(static_cast<void>(Model<float>::zeros(p, items(1), {1})), doctest::Contains("sample_alpha"),
                         std::invalid_argument);
}

TEST_CASE("a session's state has a number for every unit, starts at zero and can be forgotten") {
    Hyperparameters p;
    p.layers = {5, 3};
    const Model<float> model(p, items(4), {9, 0, 2, 1}, 7);
    SessionState<float> state(model);
    CHECK(state.values().size() == 8);
    CHECK(state.n_events() == 0);
    state.values()[7] = 3;
    state.add_event(gru4rec::to_item(2));
    const SessionState<float> copy = state;
    state.reset();
    CHECK(state.values()[7] == 0);
    CHECK(state.n_events() == 0);
    CHECK(copy.values()[7] == 3);
    CHECK(copy.n_events() == 1);
    CHECK(copy.recent(0) == gru4rec::to_item(2));
}

TEST_CASE("a session's state remembers as many of the last items as are fed, over its whole length") {
    Hyperparameters p;
    p.input = gru4rec::InputContent::history;
    p.history_max = 3;
    const Model<float> model(p, items(8), std::vector<std::int64_t>(8, 1), 7);
    SessionState<float> state(model);
    for (Index event = 0; event < 8; ++event) {
        state.add_event(gru4rec::to_item(event));
        for (Index age = 0; age < 3 && age <= event; ++age) {
            CHECK(state.recent(age) == gru4rec::to_item(event - age));
        }
    }
    state.reset();
    state.add_event(gru4rec::to_item(5));
    CHECK(state.n_events() == 1);
    CHECK(state.recent(0) == gru4rec::to_item(5));
}
