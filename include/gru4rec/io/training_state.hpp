#ifndef GRU4REC_IO_TRAINING_STATE_HPP
#define GRU4REC_IO_TRAINING_STATE_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/core/views.hpp"
#include "gru4rec/io/file_format.hpp"
#include "gru4rec/io/safetensors.hpp"
#include "gru4rec/io/safetensors_header.hpp"
#include "gru4rec/io/weights.hpp"
#include "gru4rec/model/hyperparameters.hpp"
#include "gru4rec/optim/update.hpp"
#include "gru4rec/train/training_step.hpp"
#include "gru4rec/version.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

// The state of a training run as tensors and numbers of a checkpoint. The file is not trusted when read. Specified in
// docs/file_format.md#checkpoints.
namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// An entry of the metadata that is a JSON object of numbers.
class NumberEntries {
  public:
    NumberEntries(const SafetensorsFile& file, std::string_view entry)
        : file_(file),
          entry_(entry),
          values_(parse_json_object(file.name() + ": " + entry_, require_entry(file, entry))) {}

    /// @throws FormatError if there is no such number, or it is out of range

    template <class Number>
    [[nodiscard]] Number read(std::string_view name, Number low, Number high) const {
        const auto found = values_.find(name);
        const std::string_view text = found == values_.end() ? std::string_view() : found->second;
        const auto value = parse_number<Number>(text);
        if (!value || !(*value >= low && *value <= high)) {
            throw_format(file_, entry_ + ": " + std::string(name),
                         "expected a number from " + format_number(low) + " to " + format_number(high) + ", found " +
                             quote(text) + "; the file is damaged");
        }
        return *value;
    }

  private:
    const SafetensorsFile& file_;
    std::string entry_;
    Metadata values_;
};

/// The values that a tensor may hold.
enum class ValueRange { finite, not_negative };

/// Sums and means of squares are never negative. Adam's first moment, its state.0, may be.
[[nodiscard]] inline ValueRange range_of_state(std::string_view name, Adapt adapt) noexcept {
    const bool is_first_moment = adapt == Adapt::adam && name == "state.0";
    return name.starts_with("state.") && !is_first_moment ? ValueRange::not_negative : ValueRange::finite;
}

/// A tensor of a checkpoint, and its values in memory.
template <class Scalar>
struct StateTensor {
    TensorView<Scalar> view;
    ValueRange range = ValueRange::finite;
};

/// Counts of updates. A file stores them as 64-bit integers.
struct StateCounts {
    std::string name;
    AlignedBuffer<std::uint32_t>* counts = nullptr;
    bool by_item = false;
};

/// The state of the optimiser as tensors.
template <class Scalar>
struct OptimizerTensors {
    OptimizerTensors(TrainingStep<Scalar>& step, Adapt adapt) {
        step.visit_parameters([&](const ParameterInfo& parameter, OptimizedParameter<Scalar>& learned) {
            const bool by_item = parameter.by_item;
            learned.visit_memory([&]<class Memory>(const std::string& name, Memory& memory) {
                const std::string full = "optimizer." + parameter.name + "." + name;
                if constexpr (std::is_same_v<Memory, PaddedMatrix<Scalar>>) {
                    values.push_back({.view = {.name = full,
                                               .rows = memory.rows(),
                                               .cols = memory.cols(),
                                               .data = memory.data(),
                                               .row_stride = memory.stride(),
                                               .col_stride = 1,
                                               .by_item = by_item},
                                      .range = range_of_state(name, adapt)});
                } else {
                    counts.push_back({full, &memory, by_item});
                }
            });
        });
    }

    std::vector<StateTensor<Scalar>> values;
    std::vector<StateCounts> counts;
};

/// @throws FormatError unless the file has a tensor of this name, shape and type
template <class Value>
[[nodiscard]] const TensorInfo& require_tensor(const SafetensorsFile& file, const std::string& name,
                                               std::vector<Index> shape) {
    const TensorInfo* const tensor = file.find(name);
    const std::string expected = std::string(dtype_of<Value>()) + " " + shape_text(shape);
    if (tensor == nullptr) {
        throw_format(file, tensor_field(name), "expected " + expected + ", found none; the file is damaged");
    }
    const bool same_type = tensor->dtype == dtype_of<Value>();
    if (!same_type || tensor->shape != shape) {
        throw_format(file, tensor_field(name),
                     "expected " + expected + ", found " + tensor->dtype + " " + shape_text(tensor->shape) +
                         (same_type ? "; the file is damaged" : "; does the precision fit the checkpoint?"));
    }
    return *tensor;
}

/// Reads all tensors of a checkpoint in one pass and checks the hash: the bytes used are those that were hashed, even
/// if the file changes meanwhile.
class HashedPass {
  public:
    explicit HashedPass(SafetensorsFile& file) : file_(file), consumers_(file.tensors().size()) {}

    /// Registers `consume(value)`, which read() calls with the values of a tensor, row by row.
    ///
    /// @throws FormatError if the file has no such tensor
    template <class Value, class Consume>
    void expect(const std::string& name, const std::vector<Index>& shape, Consume consume) {
        consumer_of(require_tensor<Value>(file_, name, shape)) =
            [consume = std::move(consume)](std::span<const std::byte> bytes) mutable {
                for (std::size_t byte = 0; byte < bytes.size(); byte += sizeof(Value)) {
                    consume(from_little_endian<Value>(bytes.data() + byte));
                }
            };
    }

    /// Ignores a tensor, if there is one of this name and it is not expected.
    void ignore(const std::string& name) {
        if (const TensorInfo* const tensor = file_.find(name); tensor != nullptr && !consumer_of(*tensor)) {
            consumer_of(*tensor) = [](std::span<const std::byte>) {};
        }
    }

    /// @throws FormatError for a tensor that is neither expected nor ignored, and for a wrong hash; IoError
    void read() {
        for (std::size_t i = 0; i < consumers_.size(); ++i) {
            if (!consumers_[i]) {
                throw_format(file_, tensor_field(file_.tensors()[i].name),
                             "expected no such tensor; the file is damaged");
            }
        }
        read_hashed(file_, [&](std::size_t i, std::span<const std::byte> bytes) { consumers_[i](bytes); });
    }

  private:
    using Consumer = std::function<void(std::span<const std::byte>)>;

    [[nodiscard]] Consumer& consumer_of(const TensorInfo& tensor) {
        return at(consumers_, &tensor - file_.tensors().data());
    }

    SafetensorsFile& file_;
    std::vector<Consumer> consumers_;
};

/// Buffers the values and counts of a file, so that the state changes only when all of them are valid.
template <class Scalar>
class StateBuffer {
  public:
    StateBuffer(std::vector<StateTensor<Scalar>> tensors, std::vector<StateCounts> counts)
        : tensors_(std::move(tensors)),
          counts_(std::move(counts)),
          values_(tensors_.size()),
          numbers_(counts_.size()) {}

    StateBuffer(const StateBuffer&) = delete;  // the pass holds pointers into it
    StateBuffer& operator=(const StateBuffer&) = delete;

    /// @param n_items  of the file
    void expect_in(HashedPass& pass, Index n_items) {
        for (std::size_t i = 0; i < tensors_.size(); ++i) {
            const TensorView<Scalar>& view = tensors_[i].view;
            pass.expect<Scalar>(view.name, shape_in_file(view, n_items),
                                [to = &values_[i]](Scalar value) { to->push_back(value); });
            values_[i].reserve(static_cast<std::size_t>((view.by_item ? n_items : view.rows) * view.cols));
        }
        for (std::size_t i = 0; i < counts_.size(); ++i) {
            const Index rows = counts_[i].by_item ? n_items : counts_[i].counts->size();
            pass.expect<std::int64_t>(counts_[i].name, {rows},
                                      [to = &numbers_[i]](std::int64_t n) { to->push_back(n); });
        }
    }

    /// @pre the pass has been read
    /// @throws FormatError for a value out of its range
    void check(const SafetensorsFile& file) const {
        for (std::size_t i = 0; i < tensors_.size(); ++i) {
            const bool not_negative = tensors_[i].range == ValueRange::not_negative;
            for (const Scalar value : values_[i]) {
                if (!std::isfinite(value) || (not_negative && value < 0)) {
                    throw_format(file, tensor_field(tensors_[i].view.name),
                                 std::string("expected finite numbers") + (not_negative ? " >= 0" : "") + ", found " +
                                     text_of(value));
                }
            }
        }
        for (std::size_t i = 0; i < counts_.size(); ++i) {
            for (const std::int64_t n : numbers_[i]) {
                if (n < 0 || n > std::int64_t{(std::numeric_limits<std::uint32_t>::max)()}) {
                    throw_format(file, tensor_field(counts_[i].name),
                                 "expected counts from 0 to 4294967295, found " + std::to_string(n));
                }
            }
        }
    }

    /// Copies everything into the state. @param rows  row r of an item in the file goes to row rows[r]; empty: to row r
    void restore(std::span<const Index> rows = {}) const {
        const auto row = [&](bool by_item, Index r) { return by_item && !rows.empty() ? at(rows, r) : r; };
        for (std::size_t i = 0; i < tensors_.size(); ++i) {
            const TensorView<Scalar>& view = tensors_[i].view;
            for (Index n = 0; n < std::ssize(values_[i]); ++n) {
                view(row(view.by_item, n / view.cols), n % view.cols) = at(values_[i], n);
            }
        }
        for (std::size_t i = 0; i < counts_.size(); ++i) {
            for (Index r = 0; r < std::ssize(numbers_[i]); ++r) {
                (*counts_[i].counts)[row(counts_[i].by_item, r)] = static_cast<std::uint32_t>(at(numbers_[i], r));
            }
        }
    }

  private:
    std::vector<StateTensor<Scalar>> tensors_;
    std::vector<StateCounts> counts_;
    std::vector<std::vector<Scalar>> values_;
    std::vector<std::vector<std::int64_t>> numbers_;
};

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
