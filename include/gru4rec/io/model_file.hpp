#ifndef GRU4REC_IO_MODEL_FILE_HPP
#define GRU4REC_IO_MODEL_FILE_HPP

#include "gru4rec/core/text.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/core/views.hpp"
#include "gru4rec/data/item_map.hpp"
#include "gru4rec/io/file_format.hpp"
#include "gru4rec/io/model_metadata.hpp"
#include "gru4rec/io/safetensors.hpp"
#include "gru4rec/io/safetensors_header.hpp"
#include "gru4rec/io/weights.hpp"
#include "gru4rec/model/hyperparameters.hpp"
#include "gru4rec/model/model.hpp"
#include "gru4rec/version.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Model files: safetensors with the tensors of Model::tensors() and metadata. Specified in docs/file_format.md.
namespace gru4rec {
inline namespace GRU4REC_ABI {

/// Writes a model: all that evaluation, recommendation and further training need, without the state of the optimiser.
/// The same model produces the same bytes. An existing file is replaced atomically.
///
/// @throws IoError; NonFiniteError if a weight is not finite; ConfigError for more than 100 MB of item ids
template <class Scalar>
void save_model(const Model<Scalar>& model, const std::filesystem::path& path);

/// Reads a model that save_model wrote, of either precision: F32 widens exactly, F64 is rounded to float. Another
/// program may have saved it again, with tensors and metadata in another order, or without `content_hash`: then there
/// is no check for damage (has_content_hash).
///
/// @throws IoError; FormatError naming file and field, what was expected and what was found
template <class Scalar>
[[nodiscard]] Model<Scalar> load_model(const std::filesystem::path& path);

/// Replaces the weights of a model by those of a file with the same tensors: a model file, or any safetensors file
/// whose metadata lists its `items`, TAB-separated. Rows of tables are matched by item id; items that only the file
/// has are left out. Hyper-parameters and supports of the model stay.
///
/// @throws IoError, FormatError; the model is then unchanged
template <class Scalar>
void load_weights(Model<Scalar>& model, const std::filesystem::path& path);

/// The description of a file. For a file of weights, only `dtype`, `tensors`, `file_size` and, if the file lists
/// its items, `n_items` are set.
struct ModelInfo {
    std::string format_version;                                        ///< empty unless the file is a model
    bool is_checkpoint = false;                                        ///< the state of a training run
    std::string dtype;                                                 ///< of the first tensor: F32 or F64
    std::vector<TensorInfo> tensors;                                   ///< in the order of the file
    std::vector<std::pair<std::string, std::string>> hyperparameters;  ///< as Hyperparameters::entries()
    Index n_items = 0;                                                 ///< V
    std::string content_hash;     ///< of a model: 16 hexadecimal digits, docs/file_format.md. Empty if it has none:
                                  ///< damage to it goes unnoticed
    std::uint64_t file_size = 0;  ///< bytes
};

/// Describes a model file, a checkpoint or a file of weights. Checks metadata and hash.
///
/// @throws IoError, FormatError
/// @complexity reads the whole file
[[nodiscard]] inline ModelInfo inspect_model(const std::filesystem::path& path);

/// The type of a file's first tensor, such as F32 or F64; empty if it has none. Reads the header only.
///
/// @throws IoError, FormatError
[[nodiscard]] inline std::string stored_dtype(const std::filesystem::path& path) {
    const detail::SafetensorsFile file(path);
    return file.tensors().empty() ? std::string() : file.tensors().front().dtype;
}

/// Whether the file has a hash that functions which read it check. Reads the header only.
///
/// @throws IoError, FormatError
[[nodiscard]] inline bool has_content_hash(const std::filesystem::path& path) {
    return detail::find_entry(detail::SafetensorsFile(path), "content_hash") != nullptr;
}

template <class Scalar>
void save_model(const Model<Scalar>& model, const std::filesystem::path& path) {
    const std::vector<TensorView<const Scalar>> views = model.tensors();
    for (const TensorView<const Scalar>& view : views) {
        detail::require_finite(view, path);
    }
    detail::write_hashed(path, detail::model_metadata(model), {views.begin(), views.end()});
}

template <class Scalar>
Model<Scalar> load_model(const std::filesystem::path& path) {
    detail::SafetensorsFile file(path);
    detail::require_kind(file, detail::FileKind::model);
    Hyperparameters hyperparameters = detail::read_hyperparameters(file);
    ItemMap items = detail::read_items(file);
    const Index n_items = items.size();
    std::vector<std::int64_t> supports = detail::read_supports(file, n_items);
    detail::require_room(file, hyperparameters, n_items);
    auto model = detail::as_format_error(file, "metadata", [&] {
        return Model<Scalar>::zeros(std::move(hyperparameters), std::move(items), std::move(supports));
    });
    const std::vector<TensorView<Scalar>> views = model.tensors();
    const auto matched = detail::match_tensors<Scalar>(file, views, n_items);
    detail::fill_tensors<Scalar>(file, matched, {});
    return model;
}

template <class Scalar>
void load_weights(Model<Scalar>& model, const std::filesystem::path& path) {
    detail::SafetensorsFile file(path);
    if (detail::kind_of(file) == detail::FileKind::model) {
        detail::require_kind(file, detail::FileKind::model);
    }
    const ItemMap file_items = detail::read_items(file);
    std::string missing;
    Index n_missing = 0;
    std::vector<Index> rows(static_cast<std::size_t>(file_items.size()), -1);
    for (Index i = 0; i < model.n_items(); ++i) {
        const std::string_view id = model.items().id(to_item(i));
        if (const std::optional<ItemIndex> row = file_items.find(id)) {
            detail::at(rows, *row) = i;
        } else if (++n_missing <= 5) {
            missing += missing.empty() ? "" : ", ";
            missing += detail::quote(id);
        }
    }
    if (n_missing > 0) {
        detail::throw_format(file, "items",
                             "expected every item of the model, but " + std::to_string(n_missing) + " of " +
                                 std::to_string(model.n_items()) + " are missing: " + missing +
                                 (n_missing > 5 ? ", ..." : ""));
    }
    const std::vector<TensorView<Scalar>> views = model.tensors();
    const auto matched = detail::match_tensors<Scalar>(file, views, file_items.size());

    // Read into a buffer first, so that a bad file changes nothing.
    std::vector<Scalar> values(detail::n_values(matched));
    const auto buffer = detail::packed_at(values.data(), matched);
    detail::fill_tensors<Scalar>(file, buffer, rows);
    detail::copy_values(buffer, matched);
}

inline ModelInfo inspect_model(const std::filesystem::path& path) {
    detail::SafetensorsFile file(path);
    const detail::FileKind kind = detail::kind_of(file);
    const bool is_model = kind == detail::FileKind::model;
    ModelInfo info;
    info.tensors.assign(file.tensors().begin(), file.tensors().end());
    info.dtype = info.tensors.empty() ? "" : info.tensors.front().dtype;
    info.file_size = file.size();
    info.is_checkpoint = kind == detail::FileKind::checkpoint;
    if (kind != detail::FileKind::weights) {
        detail::require_kind(file, kind);
    }
    if (is_model) {
        info.format_version = detail::require_entry(file, "format_version");
        info.hyperparameters = detail::read_hyperparameters(file).entries();
    }
    if (is_model || detail::find_entry(file, "items") != nullptr) {
        info.n_items = detail::read_items(file).size();
    }
    if (is_model) {
        (void)detail::read_supports(file, info.n_items);
        const std::string* const hash = detail::find_entry(file, "content_hash");
        info.content_hash = hash == nullptr ? "" : *hash;
    }
    detail::read_hashed(file, [](std::size_t, std::span<const std::byte>) {});
    return info;
}

#if defined(GRU4REC_COMPILED)
extern template void save_model<float>(const Model<float>&, const std::filesystem::path&);
extern template void save_model<double>(const Model<double>&, const std::filesystem::path&);
extern template Model<float> load_model<float>(const std::filesystem::path&);
extern template Model<double> load_model<double>(const std::filesystem::path&);
extern template void load_weights<float>(Model<float>&, const std::filesystem::path&);
extern template void load_weights<double>(Model<double>&, const std::filesystem::path&);
#endif

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
