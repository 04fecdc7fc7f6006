#ifndef GRU4REC_TESTS_SUPPORT_LIBRARY_STEP_IMPL_HPP
#define GRU4REC_TESTS_SUPPORT_LIBRARY_STEP_IMPL_HPP

#include "gru4rec/model/model.hpp"
#include "gru4rec/model/passes.hpp"
#include "gru4rec/train/training_step.hpp"
#include "support/library_step.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace library_step {

namespace detail {

using gru4rec::Index;
using gru4rec::ItemIndex;

[[nodiscard]] inline Index index(std::size_t i) { return static_cast<Index>(i); }

[[nodiscard]] inline std::vector<ItemIndex> to_items(const std::vector<std::size_t>& items) {
    std::vector<ItemIndex> result;
    for (const std::size_t item : items) {
        result.push_back(gru4rec::to_item(index(item)));
    }
    return result;
}

[[nodiscard]] inline gru4rec::Hyperparameters parameters(const Entries& settings) {
    gru4rec::Hyperparameters result;
    for (const auto& [name, value] : settings) {
        result.set(name, value);
    }
    return result;
}

[[nodiscard]] inline gru4rec::ItemMap numbered_items(std::size_t n) {
    gru4rec::ItemMap items;
    for (std::size_t i = 0; i < n; ++i) {
        items.insert(std::to_string(i));
    }
    return items;
}

/// The twin keeps a layer's bias as one row.
template <class View>
[[nodiscard]] bool is_one_row(const View& view) {
    return view.is_vector && view.name != "By.weight";
}

template <class Scalar>
[[nodiscard]] naive::Matrix copy(gru4rec::LaneMatrix<Scalar> columns, std::size_t lanes, Index n_features) {
    naive::Matrix result(lanes, static_cast<std::size_t>(n_features));
    for (std::size_t m = 0; m < lanes; ++m) {
        for (Index k = 0; k < n_features; ++k) {
            result(m, static_cast<std::size_t>(k)) = static_cast<double>(columns.column(k)[m]);
        }
    }
    return result;
}

template <class Scalar>
[[nodiscard]] bool is_zero_behind(const gru4rec::detail::PaddedMatrix<Scalar>& parameter) {
    for (Index r = 0; r < parameter.rows(); ++r) {
        const Scalar* const row = parameter.row(r);
        if (!std::all_of(row + parameter.cols(), row + parameter.stride(), [](Scalar v) { return v == Scalar(0); })) {
            return false;
        }
    }
    return true;
}

}  // namespace detail

template <class Scalar>
struct LibraryStep<Scalar>::Parts {
    Parts(const Entries& settings, const std::vector<std::int64_t>& supports, std::uint64_t seed)
        : model(detail::parameters(settings), detail::numbered_items(supports.size()), supports, seed),
          step(model.network(), model.supports(), model.hyperparameters(),
               gru4rec::detail::make_loss<Scalar>(model.hyperparameters())) {
        for (const auto& view : model.tensors()) {
            views.emplace(view.name, view);
        }
    }

    [[nodiscard]] gru4rec::detail::DropoutStep dropout(const Batch& batch) const {
        const gru4rec::Hyperparameters& p = model.hyperparameters();
        return {p.dropout_p_embed, p.dropout_p_hidden, 7, 3, batch.dropout_step};
    }

    [[nodiscard]] gru4rec::MiniBatch batch_of(const Batch& batch) {
        targets = detail::to_items(batch.targets);
        if (batch.weighted.items.empty()) {
            inputs = detail::to_items(batch.inputs);
            return {inputs, targets, batch.previous_lane};
        }
        inputs = detail::to_items(batch.weighted.items);
        return {gru4rec::detail::LaneInputs(inputs, batch.weighted.weights, batch.weighted.ends), targets,
                batch.previous_lane};
    }

    gru4rec::Model<Scalar> model;
    gru4rec::detail::TrainingStep<Scalar> step;
    std::map<std::string, gru4rec::TensorView<Scalar>> views;
    std::vector<gru4rec::ItemIndex> inputs, targets, sampled;
    std::vector<std::int32_t> counts;
};

template <class Scalar>
LibraryStep<Scalar>::LibraryStep(const Entries& settings, const std::vector<std::int64_t>& supports, std::uint64_t seed)
    : parts_(std::make_unique<Parts>(settings, supports, seed)) {}

template <class Scalar>
LibraryStep<Scalar>::~LibraryStep() = default;

template <class Scalar>
naive::Settings LibraryStep<Scalar>::settings() const {
    return naive::settings_from_text(parts_->model.hyperparameters().entries());
}

template <class Scalar>
naive::Weights LibraryStep<Scalar>::weights() const {
    naive::Weights result;
    for (const auto& [name, view] : parts_->views) {
        const auto rows = static_cast<std::size_t>(view.rows);
        const auto cols = static_cast<std::size_t>(view.cols);
        naive::Matrix matrix = detail::is_one_row(view) ? naive::Matrix(1, rows) : naive::Matrix(rows, cols);
        for (std::size_t i = 0; i < matrix.values.size(); ++i) {
            matrix.values[i] = static_cast<double>(view(detail::index(i) / view.cols, detail::index(i) % view.cols));
        }
        result.emplace(name, matrix);
    }
    return result;
}

template <class Scalar>
void LibraryStep<Scalar>::set_weights(const naive::Weights& weights) {
    if (weights.size() != parts_->views.size()) {
        throw std::logic_error("library step: the twin has other tensors");
    }
    for (const auto& [name, matrix] : weights) {
        const auto& view = parts_->views.at(name);
        const auto rows = static_cast<std::size_t>(view.rows);
        const auto cols = static_cast<std::size_t>(view.cols);
        naive::require_shape(matrix, detail::is_one_row(view) ? 1 : rows, detail::is_one_row(view) ? rows : cols, name);
        for (std::size_t i = 0; i < matrix.values.size(); ++i) {
            view(detail::index(i) / view.cols, detail::index(i) % view.cols) = static_cast<Scalar>(matrix.values[i]);
        }
    }
}

template <class Scalar>
Scalar& LibraryStep<Scalar>::weight(const std::string& name, std::size_t row, std::size_t col) {
    const auto& view = parts_->views.at(name);
    return detail::is_one_row(view) ? view(detail::index(col), 0) : view(detail::index(row), detail::index(col));
}

template <class Scalar>
bool LibraryStep<Scalar>::padding_is_zero() const {
    auto& network = parts_->model.network();
    bool zero = detail::is_zero_behind(network.output_table());
    for (gru4rec::Index t = 0; t < network.n_input_tables(); ++t) {
        zero = zero && detail::is_zero_behind(network.input_table(t));
    }
    network.visit_layer_parameters([&](gru4rec::detail::PaddedMatrix<Scalar>& parameter, gru4rec::Index) {
        zero = zero && detail::is_zero_behind(parameter);
    });
    return zero;
}

template <class Scalar>
std::vector<naive::Matrix> LibraryStep<Scalar>::states(std::size_t lanes) const {
    std::vector<naive::Matrix> result;
    for (auto& layer : parts_->step.tape().layers()) {
        result.push_back(detail::copy(layer.out(), lanes, layer.units()));
    }
    return result;
}

template <class Scalar>
void LibraryStep<Scalar>::leave(const std::vector<naive::Matrix>& states) {
    parts_->step.drop_window();
    for (std::size_t l = 0; l < states.size(); ++l) {
        auto& layer = parts_->step.tape().layers().at(l);
        for (std::size_t m = 0; m < states[l].rows; ++m) {
            for (std::size_t k = 0; k < states[l].cols; ++k) {
                layer.out().column(detail::index(k))[m] = static_cast<Scalar>(states[l](m, k));
            }
        }
    }
}

template <class Scalar>
void LibraryStep<Scalar>::reset_all_lanes() {
    parts_->step.reset();
}

template <class Scalar>
double LibraryStep<Scalar>::compute(const Batch& batch) {
    std::map<std::size_t, std::int32_t> drawn;
    for (const std::size_t item : batch.sampled) {
        ++drawn[item];
    }
    parts_->sampled.clear();
    parts_->counts.clear();
    for (const auto& [item, count] : drawn) {
        parts_->sampled.push_back(gru4rec::to_item(detail::index(item)));
        parts_->counts.push_back(count);
    }
    return parts_->step.compute_gradients(parts_->batch_of(batch), {parts_->sampled, parts_->counts},
                                          parts_->dropout(batch));
}

template <class Scalar>
void LibraryStep<Scalar>::update() {
    parts_->step.update();
}

template <class Scalar>
bool LibraryStep<Scalar>::window_is_full() const {
    return parts_->step.window_is_full();
}

template <class Scalar>
bool LibraryStep<Scalar>::between_windows() const {
    return parts_->step.between_windows();
}

template <class Scalar>
void LibraryStep<Scalar>::set_learning_rate(double rate) {
    parts_->step.optimizer().set_learning_rate(static_cast<Scalar>(rate));
}

template <class Scalar>
naive::Masks LibraryStep<Scalar>::masks(std::size_t lanes) const {
    naive::Masks result;
    const gru4rec::Hyperparameters& p = parts_->model.hyperparameters();
    auto& tape = parts_->step.tape();
    if (p.dropout_p_embed > 0) {
        result.embed = detail::copy(tape.mask(), lanes, parts_->model.network().input_row_width());
    }
    if (p.dropout_p_hidden > 0) {
        for (auto& layer : tape.layers()) {
            result.hidden.push_back(detail::copy(layer.mask(), lanes, layer.units()));
        }
    }
    return result;
}

}  // namespace library_step

#endif
