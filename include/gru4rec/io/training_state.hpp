#ifndef GRU4REC_IO_TRAINING_STATE_HPP
#define GRU4REC_IO_TRAINING_STATE_HPP

#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/core/views.hpp"
#include "gru4rec/data/item_map.hpp"
#include "gru4rec/io/model_file.hpp"
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
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

// What makes a file a checkpoint (docs/file_format.md#checkpoints), and how its numbers are read.
namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

inline constexpr std::string_view checkpoint_format_version = "1";

inline void require_checkpoint(const SafetensorsFile& file) {
    const std::string* format = find_entry(file, "format");
    if (format == nullptr || *format != checkpoint_format) {
        throw_format(
            file, "format",
            "expected \"gru4rec-checkpoint\" in the metadata, found " + (format ? quote(*format) : "none") +
                (is_model_file(file) ? "; training goes on from a model with load_model, train --continue" : ""));
    }
    if (const std::string& version = require_entry(file, "format_version"); version != checkpoint_format_version) {
        throw_format(file, "format_version",
                     "expected 1, found " + quote(version) + "; go on with the version of gru4rec that wrote it");
    }
    (void)require_entry(file, "content_hash");
}

/// An entry of the metadata that is a JSON object of numbers, read without trust.
class NumberEntries {
  public:
    NumberEntries(const SafetensorsFile& file, std::string_view entry) : file_(file), entry_(entry) {
        FlatObject(file.name() + ": " + entry_, values_).parse(require_entry(file, entry));
    }

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

// The state of a training run as tensors and numbers of a checkpoint (io/checkpoint.hpp), read without trust.

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
        step.visit_parameters([&](const ParameterInfo& parameter, OptimizedParameter<Scalar>& learned) {
            const bool by_item = parameter.by_item;
            learned.visit_memory([&]<class Memory>(const std::string& name, Memory& memory) {
                const std::string full = "optimizer." + parameter.name + "." + name;
                if constexpr (std::is_same_v<Memory, Parameter<Scalar>>) {
                    values.push_back({.view = {.name = full,
                                               .rows = memory.rows(),
                                               .cols = memory.cols(),
                                               .data = memory.data(),
                                               .row_stride = memory.stride(),
                                               .col_stride = 1,
                                               .by_item = by_item},
                                      .range = memory_range(name, adapt)});
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
    const bool same_type = tensor->dtype == dtype_of<Value>();
    if (!same_type || tensor->shape != shape) {
        throw_format(file, tensor_field(name),
                     "expected " + expected + ", found " + tensor->dtype + " " + shape_text(tensor->shape) +
                         (same_type ? "; the file is damaged" : "; is the precision that of the checkpoint?"));
    }
    return *tensor;
}

/// Reads a checkpoint in one pass, which also checks its hash: what is used are the bytes that were hashed, whatever
/// becomes of the file meanwhile.
class HashedPass {
  public:
    explicit HashedPass(SafetensorsFile& file) : file_(file), takers_(file.tensors().size()) {}

    /// Will show the values of a tensor, row by row, to `take(value)`. @throws FormatError where it is not there
    template <class Value, class Take>
    void expect(const std::string& name, const std::vector<Index>& shape, Take take) {
        taker_of(require_tensor<Value>(file_, name, shape)) =
            [take = std::move(take)](std::span<const std::byte> bytes) mutable {
                for (std::size_t at = 0; at < bytes.size(); at += sizeof(Value)) {
                    take(from_little_endian<Value>(bytes.data() + at));
                }
            };
    }

    /// For a tensor that may be there, to be hashed alone where nobody expects it.
    void pass_over(const std::string& name) {
        if (const TensorInfo* const tensor = file_.find(name); tensor != nullptr && !taker_of(*tensor)) {
            taker_of(*tensor) = [](std::span<const std::byte>) {};
        }
    }

    /// @throws FormatError for a tensor that nobody expects, and where the hash does not fit; IoError
    void read() {
        for (std::size_t i = 0; i < takers_.size(); ++i) {
            if (!takers_[i]) {
                throw_format(file_, tensor_field(file_.tensors()[i].name),
                             "expected no such tensor; the file is damaged");
            }
        }
        read_hashed(file_, [&](std::size_t i, std::span<const std::byte> bytes) { takers_[i](bytes); });
    }

  private:
    using Taker = std::function<void(std::span<const std::byte>)>;

    [[nodiscard]] Taker& taker_of(const TensorInfo& tensor) {
        return takers_[static_cast<std::size_t>(&tensor - file_.tensors().data())];
    }

    SafetensorsFile& file_;
    std::vector<Taker> takers_;
};

/// Values and counts of a file, kept aside until all of them have proved good.
template <class Scalar>
class StateAside {
  public:
    StateAside(std::vector<StateTensor<Scalar>> tensors, std::vector<StateCounts> counts)
        : tensors_(std::move(tensors)),
          counts_(std::move(counts)),
          values_(tensors_.size()),
          numbers_(counts_.size()) {}

    StateAside(const StateAside&) = delete;  // the pass keeps pointers into it
    StateAside& operator=(const StateAside&) = delete;

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

    /// To be called behind the pass. @throws FormatError for a value out of its range
    void check(const SafetensorsFile& file) const {
        for (std::size_t i = 0; i < tensors_.size(); ++i) {
            const bool from_zero = tensors_[i].range == ValueRange::from_zero;
            for (const Scalar value : values_[i]) {
                if (!std::isfinite(value) || (from_zero && value < 0)) {
                    throw_format(file, tensor_field(tensors_[i].view.name),
                                 std::string("expected finite numbers") + (from_zero ? " >= 0" : "") + ", found " +
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

    /// To where they belong. @param rows  the file's row r of an item goes to row rows[r]; empty: to row r
    void put(std::span<const Index> rows = {}) const {
        const auto row = [&](bool by_item, Index r) {
            return by_item && !rows.empty() ? rows[static_cast<std::size_t>(r)] : r;
        };
        for (std::size_t i = 0; i < tensors_.size(); ++i) {
            const TensorView<Scalar>& view = tensors_[i].view;
            for (std::size_t at = 0; at < values_[i].size(); ++at) {
                const auto n = static_cast<Index>(at);
                view(row(view.by_item, n / view.cols), n % view.cols) = values_[i][at];
            }
        }
        for (std::size_t i = 0; i < counts_.size(); ++i) {
            for (std::size_t r = 0; r < numbers_[i].size(); ++r) {
                (*counts_[i].counts)[row(counts_[i].by_item, static_cast<Index>(r))] =
                    static_cast<std::uint32_t>(numbers_[i][r]);
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
