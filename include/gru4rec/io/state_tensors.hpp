#ifndef GRU4REC_IO_STATE_TENSORS_HPP
#define GRU4REC_IO_STATE_TENSORS_HPP

#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/tensor_view.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/io/safetensors.hpp"
#include "gru4rec/io/weights.hpp"
#include "gru4rec/model/hyperparameters.hpp"
#include "gru4rec/optim/update.hpp"
#include "gru4rec/train/training_step.hpp"
#include "gru4rec/version.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

// The state of a training run as tensors and numbers of a checkpoint (io/checkpoint.hpp), read without trust.
namespace gru4rec::inline GRU4REC_ABI::detail {

/// What values of a tensor are fit to be trained on.
enum class ValueRange { finite, from_zero };

/// Means of squares are never negative; the first moment of adam is no such thing.
[[nodiscard]] inline ValueRange memory_range(std::string_view name, Adapt adapt) noexcept {
    const bool is_moment = adapt == Adapt::adam && name == "state.0";
    return name.starts_with("state.") && !is_moment ? ValueRange::from_zero : ValueRange::finite;
}

/// A tensor of a checkpoint: where its values lie in memory.
template <class Scalar>
struct StateTensor {
    TensorView<Scalar> view;
    ValueRange range = ValueRange::finite;
};

/// Counts of updates, of which a file holds whole numbers of 64 bits.
struct StateCounts {
    std::string name;
    AlignedBuffer<std::uint32_t>* counts = nullptr;
    bool by_item = false;
};

/// The optimiser's memory as tensors.
template <class Scalar>
struct OptimizerMemory {
    OptimizerMemory(TrainingStep<Scalar>& step, Adapt adapt) {
        step.visit_learned([&](const std::string& parameter, Learned<Scalar>& learned) {
            const bool by_item = !parameter.starts_with("dense");
            learned.visit_memory([&]<class Memory>(const std::string& name, Memory& memory) {
                const std::string full = "optimizer." + parameter + "." + name;
                if constexpr (std::is_same_v<Memory, Parameter<Scalar>>) {
                    values.push_back(
                        {{full, memory.rows(), memory.cols(), false, memory.data(), memory.stride(), 1, by_item},
                         memory_range(name, adapt)});
                } else {
                    counts.push_back({full, &memory, by_item});
                }
            });
        });
    }

    std::vector<StateTensor<Scalar>> values;
    std::vector<StateCounts> counts;
};

/// The tensor of that name, shape and type, or an error that says what is there instead.
template <class Value>
[[nodiscard]] const TensorInfo& require_tensor(const SafetensorsFile& file, const std::string& name,
                                               std::vector<Index> shape) {
    const TensorInfo* const tensor = file.find(name);
    const std::string expected = std::string(dtype_of<Value>()) + " " + shape_text(shape);
    if (tensor == nullptr) {
        throw_format(file, tensor_field(name), "expected " + expected + ", found none; the file is damaged");
    }
    if (tensor->dtype != dtype_of<Value>() || tensor->shape != shape) {
        throw_format(file, tensor_field(name),
                     "expected " + expected + ", found " + tensor->dtype + " " + shape_text(tensor->shape) +
                         "; is the precision that of the checkpoint?");
    }
    return *tensor;
}

/// The values of a tensor, row by row, checked.
template <class Scalar>
[[nodiscard]] std::vector<Scalar> read_values(SafetensorsFile& file, const StateTensor<Scalar>& tensor, Index rows) {
    const TensorView<Scalar>& view = tensor.view;
    std::vector<Index> shape = {rows};
    if (!view.is_vector) {
        shape.push_back(view.cols);
    }
    std::vector<Scalar> values = file.values<Scalar>(require_tensor<Scalar>(file, view.name, shape));
    for (const Scalar value : values) {
        if (!std::isfinite(value) || (tensor.range == ValueRange::from_zero && value < 0)) {
            throw_format(file, tensor_field(view.name),
                         std::string("expected finite numbers") +
                             (tensor.range == ValueRange::from_zero ? " >= 0" : "") + ", found " + text_of(value));
        }
    }
    return values;
}

[[nodiscard]] inline std::vector<std::uint32_t> read_counts(SafetensorsFile& file, const StateCounts& tensor,
                                                            Index rows) {
    std::vector<std::uint32_t> counts;
    for (const std::int64_t n : file.values<std::int64_t>(require_tensor<std::int64_t>(file, tensor.name, {rows}))) {
        if (n < 0 || n > std::int64_t{(std::numeric_limits<std::uint32_t>::max)()}) {
            throw_format(file, tensor_field(tensor.name),
                         "expected counts from 0 to 4294967295, found " + std::to_string(n));
        }
        counts.push_back(static_cast<std::uint32_t>(n));
    }
    return counts;
}

/// Row r of the values goes to row rows[r] of the view; to row r where `rows` is empty or the rows are no items.
template <class Scalar>
void put_values(std::span<const Scalar> values, const TensorView<Scalar>& view, std::span<const Index> rows) {
    const auto n_rows = static_cast<Index>(values.size()) / (view.cols > 0 ? view.cols : 1);
    for (Index r = 0, at = 0; r < n_rows; ++r) {
        const Index to = rows.empty() || !view.by_item ? r : rows[static_cast<std::size_t>(r)];
        for (Index c = 0; c < view.cols; ++c, ++at) {
            view(to, c) = values[static_cast<std::size_t>(at)];
        }
    }
}

/// The same order as put_values.
template <class Scalar>
[[nodiscard]] bool same_values(std::span<const Scalar> values, const TensorView<Scalar>& view,
                               std::span<const Index> rows) {
    for (std::size_t at = 0; at < values.size(); ++at) {
        const Index r = static_cast<Index>(at) / view.cols;
        const Index of = view.by_item ? rows[static_cast<std::size_t>(r)] : r;
        if (view(of, static_cast<Index>(at) % view.cols) != values[at]) {
            return false;
        }
    }
    return true;
}

}  // namespace gru4rec::inline GRU4REC_ABI::detail

#endif
