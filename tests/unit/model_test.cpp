#include "gru4rec/model/model.hpp"
#include "gru4rec/model/session_state.hpp"

#include "gru4rec/data/dataset.hpp"

#include <doctest/doctest.h>

#include <Eigen/Core>

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/equal_values.hpp"

namespace {

using gru4rec::Hyperparameters;
using gru4rec::Index;
using gru4rec::ItemMap;
using gru4rec::Model;
using gru4rec::SessionState;
using gru4rec::to_item;

ItemMap items(int n) {
    ItemMap result;
    for (int i = 0; i < n; ++i) {
        result.insert(std::to_string(100 + i));
    }
    return result;
}

template <class Scalar>
std::vector<Scalar> weights(const Model<Scalar>& model) {
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
    CHECK(weights(model) == weights(Model<float>(p, items(4), {1, 1, 1, 1}, 7)));
    CHECK(weights(model) != weights(Model<float>(p, items(4), {9, 0, 2, 1}, 8)));
    for (const float value : weights(Model<float>::zeros(p, items(4), {9, 0, 2, 1}))) {
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

TEST_CASE("invalid arguments are refused before a model is built") {
    Hyperparameters p;
    CHECK_THROWS_WITH_AS(Model<float>(p, ItemMap(), {}), doctest::Contains("catalogue is empty"),
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(Model(gru4rec::Dataset(), p), doctest::Contains("catalogue is empty"), std::invalid_argument);
    CHECK_THROWS_WITH_AS(Model<float>(p, items(3), {1, 2}), doctest::Contains("2 given for 3"), std::invalid_argument);
    p.sample_alpha = 1.7;
    CHECK_THROWS_WITH_AS(Model<float>(p, items(1), {1}), doctest::Contains("sample_alpha = 1.7"),
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(static_cast<void>(Model<float>::zeros(p, items(1), {1})), doctest::Contains("sample_alpha"),
                         std::invalid_argument);
}

TEST_CASE("a session's state has a value for every unit, starts at zero and can be reset") {
    Hyperparameters p;
    p.layers = {5, 3};
    const Model<float> model(p, items(4), {9, 0, 2, 1}, 7);
    SessionState<float> state(model);
    CHECK(state.values().size() == 8);
    CHECK(state.n_events() == 0);
    state.values()[7] = 3;
    state.add_event(to_item(2));
    const SessionState<float> copy = state;
    state.reset();
    CHECK(state.values()[7] == 0);
    CHECK(state.n_events() == 0);
    CHECK(copy.values()[7] == 3);
    CHECK(copy.n_events() == 1);
    CHECK(copy.recent(0) == to_item(2));
}

TEST_CASE("a session's state remembers the last history_max items, however long the session") {
    Hyperparameters p;
    p.input = gru4rec::InputContent::history;
    p.history_max = 3;
    const Model<float> model(p, items(8), std::vector<std::int64_t>(8, 1), 7);
    SessionState<float> state(model);
    for (Index event = 0; event < 8; ++event) {
        state.add_event(to_item(event));
        for (Index age = 0; age < 3 && age <= event; ++age) {
            CHECK(state.recent(age) == to_item(event - age));
        }
    }
    state.reset();
    state.add_event(to_item(5));
    CHECK(state.n_events() == 1);
    CHECK(state.recent(0) == to_item(5));
}

TEST_CASE("a session of a model without history remembers one item, and no unknown ones") {
    const Model model({.layers = {5}}, items(4), std::array<std::int64_t, 4>{9, 0, 2, 1});
    SessionState state(model);
    state.add_event(to_item(3));
    CHECK_THROWS_WITH_AS(state.add_event(to_item(4)), doctest::Contains("item = 4"), gru4rec::ContractError);
    CHECK_THROWS_WITH_AS(state.add_event(gru4rec::ItemIndex{-1}), doctest::Contains("0 <= item < 4"),
                         gru4rec::ContractError);
    CHECK(state.n_events() == 1);
    CHECK(state.recent(0) == to_item(3));
}

namespace {

const std::vector<std::int64_t> session_ids = {1, 1, 2, 2, 2};
const std::vector<std::string> item_ids = {"a", "b", "b", "c", "b"};
const std::vector<std::int64_t> times = {1, 2, 3, 4, 5};

}  // namespace

TEST_CASE("a model of a data set has its items and supports; the scalar is float unless told otherwise") {
    const gru4rec::Dataset train = gru4rec::make_dataset(session_ids, item_ids, times);
    Model model(train, {.layers = {6}});
    static_assert(std::is_same_v<decltype(model), Model<float>>);
    CHECK(model.items() == train.items());
    CHECK(equal_values(model.supports(), train.supports()));
    CHECK(equal_values(model.supports(), std::vector{1, 3, 1}));
    CHECK(weights(model) == weights(Model<float>({.layers = {6}}, train.items(), train.supports(), 42)));
    CHECK(weights(Model(train, {.layers = {6}}, 7)) != weights(model));
    const Model<double> precise(train, {.layers = {6}}, 7);
    CHECK(weights(precise) == weights(Model<double>({.layers = {6}}, train.items(), {1, 3, 1}, 7)));
}

TEST_CASE("supports are a vector, a list, an array or any span of them") {
    const Hyperparameters p{.layers = {3}};
    const std::vector<std::int64_t> vector = {9, 0, 2, 1};
    const std::array<std::int64_t, 4> array = {9, 0, 2, 1};
    const Eigen::Vector<std::int64_t, 4> eigen{9, 0, 2, 1};
    std::vector<std::int64_t> writable = vector;
    for (const Model<float>& model :
         {Model<float>(p, items(4), vector), Model<float>(p, items(4), {9, 0, 2, 1}),
          Model<float>(p, items(4), {vector.begin(), vector.end()}), Model<float>(p, items(4), std::span(vector)),
          Model<float>(p, items(4), std::span(writable)), Model<float>(p, items(4), std::span(array)),
          Model<float>(p, items(4), array), Model(p, items(4), vector), Model(p, items(4), std::span(vector)),
          Model<float>(p, items(4), std::span(eigen.data(), 4))}) {
        CHECK(equal_values(model.supports(), vector));
    }
}

TEST_CASE("item vectors and biases are Eigen matrices over the model's own weights") {
    Model<float> model({.layers = {5, 3}, .constrained_embedding = false}, items(4), {9, 0, 2, 1}, 7);
    CHECK(model.item_vectors().rows() == 4);
    CHECK(model.item_vectors().cols() == 3);
    CHECK(model.item_biases().size() == 4);
    model.item_vectors() = Eigen::MatrixXf::Constant(4, 3, 0.5F);
    model.item_vectors()(2, 1) = 8;
    model.item_biases() << 1, 2, 3, 4;
    const Model<float>& read_only = model;
    CHECK(read_only.item_vectors()(2, 1) == 8);
    CHECK(read_only.item_vectors().sum() == 0.5F * 11 + 8);
    CHECK(read_only.item_biases() == Eigen::Vector4f(1, 2, 3, 4));
    for (const auto& view : read_only.tensors()) {
        for (Index i = 0; i < 4; ++i) {
            if (view.name == "By.weight") {
                CHECK(view(i, 0) == static_cast<float>(i + 1));
            } else if (view.name == "Wy.weight") {
                CHECK(view(i, 1) == (i == 2 ? 8 : 0.5F));
            }
        }
    }
    static_assert(!std::is_assignable_v<decltype(read_only.item_vectors()(0, 0)), float>);
    // The padding of the rows, which the kernels read, is untouched.
    const auto& table = model.network().output_table();
    for (Index i = 0; i < 4; ++i) {
        CHECK(std::all_of(table.row(i) + table.cols(), table.row(i) + table.stride(), [](float x) { return x == 0; }));
    }
}

TEST_CASE("input vectors are those of the model's input: one-hot, an embedding, or the item vectors") {
    const auto with = [](Hyperparameters p) { return Model<double>(std::move(p), items(4), {9, 0, 2, 1}, 7); };
    auto one_hot = with({.layers = {5, 3}, .constrained_embedding = false});
    CHECK(one_hot.input_vectors().rows() == 4);
    CHECK(one_hot.input_vectors().cols() == 15);
    CHECK(one_hot.input_vectors().norm() > 0);
    CHECK_THROWS_WITH_AS(static_cast<void>(one_hot.input_vectors(1)), doctest::Contains("layer = 1"),
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(static_cast<void>(std::as_const(one_hot).input_vectors(-1)),
                         doctest::Contains("0 <= layer < 1"), std::invalid_argument);
    auto deep = with({.layers = {5, 3}, .constrained_embedding = false, .deep_input = true});
    CHECK(deep.input_vectors(1).cols() == 9);
    auto embedding = with({.layers = {5}, .constrained_embedding = false, .embedding = 7});
    CHECK(embedding.input_vectors().cols() == 7);
    embedding.input_vectors()(3, 6) = 9;
    CHECK(std::as_const(embedding).input_vectors()(3, 6) == 9);
    CHECK(embedding.tensors().front()(3, 6) == 9);
    auto shared = with({.layers = {5}});
    CHECK(shared.input_vectors().cols() == 5);
    shared.input_vectors()(3, 4) = 9;
    CHECK(shared.item_vectors()(3, 4) == 9);
}

TEST_CASE("a session's hidden states are Eigen vectors, a layer each") {
    const Model<float> model({.layers = {5, 3}}, items(4), {9, 0, 2, 1}, 7);
    SessionState state(model);
    CHECK(state.hidden(0).size() == 5);
    CHECK(state.hidden(1).size() == 3);
    state.hidden(0).setConstant(2);
    state.hidden(1) = Eigen::Vector3f(3, 4, 5);
    CHECK(equal_values(state.values(), std::vector<float>{2, 2, 2, 2, 2, 3, 4, 5}));
    const SessionState<float> copy = state;
    state.reset();
    CHECK(copy.hidden(1) == Eigen::Vector3f(3, 4, 5));
    CHECK(state.hidden(1).isZero());
    CHECK_THROWS_WITH_AS(static_cast<void>(state.hidden(2)), doctest::Contains("layer = 2"), gru4rec::ContractError);
    CHECK_THROWS_WITH_AS(static_cast<void>(copy.hidden(-1)), doctest::Contains("0 <= layer < 2"),
                         gru4rec::ContractError);
}

TEST_CASE("a session fits models of equal layers, history and number of items, and outlives its own") {
    const auto model_of = [](Hyperparameters p, int n) {
        return Model<float>(std::move(p), items(n), std::vector<std::int64_t>(static_cast<std::size_t>(n), 1));
    };
    const Hyperparameters p{.layers = {5, 3}};
    auto model = model_of(p, 4);
    const SessionState state(model);
    CHECK(state.fits(model));
    CHECK(state.fits(model_of(p, 4)));
    CHECK_FALSE(state.fits(model_of(p, 5)));
    CHECK_FALSE(state.fits(model_of({.layers = {3, 5}}, 4)));
    CHECK_FALSE(state.fits(model_of({.layers = {8}}, 4)));
    CHECK_FALSE(state.fits(model.extended(items(5), std::vector<std::int64_t>(5, 1))));
    const Model<float> moved = std::move(model);
    CHECK(state.fits(moved));
    auto changed = moved;
    Hyperparameters history = p;
    history.input = gru4rec::InputContent::history;
    changed.set_hyperparameters(history);
    CHECK_FALSE(state.fits(changed));
    CHECK(SessionState(changed).fits(changed));
    const SessionState orphan(model_of(p, 4));
    CHECK(orphan.hidden(1).isZero());
}
