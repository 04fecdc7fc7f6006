#ifndef GRU4REC_TESTS_SUPPORT_SMALL_MODELS_HPP
#define GRU4REC_TESTS_SUPPORT_SMALL_MODELS_HPP

#include "gru4rec/core/types.hpp"
#include "gru4rec/core/views.hpp"
#include "gru4rec/data/item_map.hpp"
#include "gru4rec/model/hyperparameters.hpp"
#include "gru4rec/model/model.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

/// Models of a few items whose weights are all different, biases too: what is swapped or left out shows.
namespace small_models {

using Settings = std::vector<std::pair<std::string, std::string>>;

[[nodiscard]] inline gru4rec::Hyperparameters parameters(const Settings& settings) {
    gru4rec::Hyperparameters result;
    result.layers = {3};
    result.n_sample = 4;
    for (const auto& [name, value] : settings) {
        result.set(name, value);
    }
    return result;
}

template <class Scalar>
void fill(gru4rec::Model<Scalar>& model, double first) {
    for (const gru4rec::TensorView<Scalar>& view : model.tensors()) {
        for (gru4rec::Index r = 0; r < view.rows; ++r) {
            for (gru4rec::Index c = 0; c < view.cols; ++c) {
                first += 0.015625;
                view(r, c) = static_cast<Scalar>(first / 3);
            }
        }
    }
}

template <class Scalar>
[[nodiscard]] gru4rec::Model<Scalar> make(const Settings& settings,
                                          const std::vector<std::string>& ids = {"17", "shoe \"red\"",
                                                                                 "\xc3\xa9t\xc3\xa9", "4", "-5"},
                                          double first = -2) {
    gru4rec::ItemMap items;
    std::vector<std::int64_t> supports;
    for (const std::string& id : ids) {
        items.insert(id);
        supports.push_back(static_cast<std::int64_t>(10 * supports.size() + 1));
    }
    gru4rec::Model<Scalar> model(parameters(settings), items, supports, 42);
    fill(model, first);
    return model;
}

/// Tensors, items, supports and hyper-parameters are the same, to the bit.
template <class Scalar>
[[nodiscard]] bool same(const gru4rec::Model<Scalar>& a, const gru4rec::Model<Scalar>& b) {
    const auto of_a = a.tensors();
    const auto of_b = b.tensors();
    bool same =
        a.hyperparameters() == b.hyperparameters() && a.items() == b.items() && of_a.size() == of_b.size() &&
        std::vector(a.supports().begin(), a.supports().end()) == std::vector(b.supports().begin(), b.supports().end());
    for (std::size_t i = 0; same && i < of_a.size(); ++i) {
        same = of_a[i].name == of_b[i].name && of_a[i].rows == of_b[i].rows && of_a[i].cols == of_b[i].cols;
        for (gru4rec::Index r = 0; same && r < of_a[i].rows; ++r) {
            for (gru4rec::Index c = 0; same && c < of_a[i].cols; ++c) {
                same = of_a[i](r, c) == of_b[i](r, c);
            }
        }
    }
    return same;
}

}  // namespace small_models

#endif
