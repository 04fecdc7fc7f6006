#ifndef GRU4REC_IO_WEIGHTS_HPP
#define GRU4REC_IO_WEIGHTS_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/core/views.hpp"
#include "gru4rec/io/file_format.hpp"
#include "gru4rec/io/safetensors.hpp"
#include "gru4rec/io/safetensors_header.hpp"
#include "gru4rec/version.hpp"

#include <cmath>
#include <cstddef>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

// Copies tensors between a safetensors file and a model: matched by name and shape, checked, hashed.
namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

[[nodiscard]] inline std::string tensor_field(std::string_view name) { return "tensor " + quote(name); }

template <class Scalar>
void require_finite(const TensorView<const Scalar>& view, const std::filesystem::path& path) {
    for (Index r = 0; r < view.rows; ++r) {
        for (Index c = 0; c < view.cols; ++c) {
            if (!std::isfinite(view(r, c))) {
                throw_not_finite(path.string() + ": not saved: " + tensor_field(view.name) + ", row " +
                                 std::to_string(r) + " holds " + text_of(view(r, c)) +
                                 "; train again with a lower learning_rate");
            }
        }
    }
}

/// The model's tensors in the order of the file's.
///
/// @param hint  ends messages about tensors that do not fit; empty: a question about the parameters
/// @throws FormatError if one of the two has a tensor that the other lacks, or shapes differ
template <class Scalar>
[[nodiscard]] std::vector<TensorView<Scalar>> match_tensors(const SafetensorsFile& file,
                                                            std::span<const TensorView<Scalar>> views,
                                                            Index n_file_items, std::string_view hint = {}) {
    const auto hinted = [&](std::string_view question) { return std::string(hint.empty() ? question : hint); };
    const std::span<const TensorInfo> tensors = file.tensors();
    std::vector<const TensorView<Scalar>*> view_of(tensors.size());
    for (const TensorView<Scalar>& view : views) {
        const TensorInfo* tensor = file.find(view.name);
        const std::vector<Index> shape = shape_in_file(view, n_file_items);
        if (tensor == nullptr) {
            throw_format(file, tensor_field(view.name),
                         "expected F32 or F64 " + shape_text(shape) + ", found none" +
                             hinted("; do layers, gru_variant, embedding and constrained_embedding fit this file?"));
        }
        if (tensor->dtype != "F32" && tensor->dtype != "F64") {
            throw_format(file, tensor_field(view.name),
                         "dtype: expected F32 or F64, found " + tensor->dtype +
                             "; convert it before saving (PyTorch: tensor.float())");
        }
        if (tensor->shape != shape) {
            throw_format(file, tensor_field(view.name),
                         "shape: expected " + shape_text(shape) + ", found " + tensor->shape_text() +
                             hinted("; do layers, embedding and the number of items fit this file?"));
        }
        at(view_of, tensor - tensors.data()) = &view;
    }
    std::vector<TensorView<Scalar>> matched;
    for (std::size_t i = 0; i < tensors.size(); ++i) {
        if (view_of[i] == nullptr) {
            throw_format(file, tensor_field(tensors[i].name),
                         "expected no such tensor, found " + tensors[i].dtype + " " + tensors[i].shape_text() +
                             hinted("; do layers, gru_variant, embedding and constrained_embedding fit this file?"));
        }
        matched.push_back(*view_of[i]);
    }
    return matched;
}

/// Stores the values of one tensor, row by row, as blocks of bytes arrive.
template <class Scalar>
class TensorFiller {
  public:
    /// @param rows  row r of the file goes to row rows[r] of the view, and is dropped if that is -1; empty: to row r
    TensorFiller(const TensorInfo& info, TensorView<Scalar> view, std::span<const Index> rows)
        : info_(&info), view_(std::move(view)), rows_(view_.by_item ? rows : std::span<const Index>()) {}

    void store(std::span<const std::byte> bytes) {
        if (info_->dtype == "F32") {
            store_as<float>(bytes);
        } else {
            store_as<double>(bytes);
        }
    }

    /// @throws FormatError if a value was not finite
    void require_finite(const SafetensorsFile& file) const {
        if (bad_row_ >= 0) {
            throw_format(file, tensor_field(info_->name),
                         "row " + std::to_string(bad_row_) + ": expected finite numbers" +
                             (std::is_same_v<Scalar, float> ? " within the range of float" : "") + ", found " +
                             text_of(bad_value_));
        }
    }

  private:
    template <class Stored>
    void store_as(std::span<const std::byte> bytes) {
        for (std::size_t byte = 0; byte < bytes.size(); byte += sizeof(Stored)) {
            const auto stored = from_little_endian<Stored>(bytes.data() + byte);
            // Checked before the conversion: that of a double beyond the range of float is undefined.
            const bool fits = std::abs(static_cast<double>(stored)) <= double{(std::numeric_limits<Scalar>::max)()};
            if (!fits && bad_row_ < 0) {
                bad_row_ = row_;
                bad_value_ = static_cast<double>(stored);
            }
            const Index to = rows_.empty() ? row_ : at(rows_, row_);
            if (fits && to >= 0) {
                view_(to, col_) = static_cast<Scalar>(stored);
            }
            if (++col_ == view_.cols) {
                col_ = 0;
                ++row_;
            }
        }
    }

    const TensorInfo* info_;
    TensorView<Scalar> view_;
    std::span<const Index> rows_;
    Index row_ = 0;
    Index col_ = 0;
    Index bad_row_ = -1;
    double bad_value_ = 0;
};

/// Fills the tensors of a model. @param matched  from match_tensors() @param rows  as in TensorFiller
template <class Scalar>
void fill_tensors(SafetensorsFile& file, std::span<const TensorView<Scalar>> matched, std::span<const Index> rows) {
    std::vector<TensorFiller<Scalar>> fillers;
    for (std::size_t i = 0; i < matched.size(); ++i) {
        fillers.emplace_back(file.tensors()[i], matched[i], rows);
    }
    read_hashed(file, [&](std::size_t i, std::span<const std::byte> bytes) { fillers[i].store(bytes); });
    for (const TensorFiller<Scalar>& filler : fillers) {
        filler.require_finite(file);
    }
}

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
