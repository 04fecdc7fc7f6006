#ifndef GRU4REC_IO_MODEL_FILE_HPP
#define GRU4REC_IO_MODEL_FILE_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/core/views.hpp"
#include "gru4rec/data/item_map.hpp"
#include "gru4rec/io/safetensors.hpp"
#include "gru4rec/io/weights.hpp"
#include "gru4rec/model/hyperparameters.hpp"
#include "gru4rec/model/model.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Model files: safetensors with the tensors of Model::tensors() and metadata. Specified in docs/file_format.md.
namespace gru4rec {
inline namespace GRU4REC_ABI {

namespace detail {

inline constexpr std::string_view model_format = "gru4rec";
inline constexpr std::string_view model_format_version = "1";
/// Of checkpoints, which are no models: io/checkpoint.hpp.
inline constexpr std::string_view checkpoint_format = "gru4rec-checkpoint";

}  // namespace detail

/// What a file says of itself. For a plain weight file, one that was not written by save_model, only `dtype`,
/// `tensors`, `file_size` and, where it names its items, `n_items` are filled.
struct ModelInfo {
    std::string format_version;  ///< empty: no model, but a checkpoint or weights alone
    bool is_checkpoint = false;  ///< the state of a training run
    std::string dtype;           ///< of the first tensor: F32 or F64
    std::vector<detail::TensorInfo> tensors;
    std::vector<std::pair<std::string, std::string>> hyperparameters;  ///< as Hyperparameters::entries()
    Index n_items = 0;
    std::string content_hash;
    std::uint64_t file_size = 0;
};

namespace detail {

/// Calls `use`, which is given values from a file: what it refuses is the file's fault, not the caller's.
template <class Use>
decltype(auto) checked_by(const SafetensorsFile& file, std::string_view field, Use&& use) {
#if defined(__cpp_exceptions)
    try {
        return use();
    } catch (const std::invalid_argument& error) {
        constexpr std::string_view prefix = "gru4rec: ";
        std::string text = error.what();
        text.erase(0, text.starts_with(prefix) ? prefix.size() : 0);
        text.resize((std::min)(text.size(), std::size_t{1000}));
        throw_format(file, field, text);
    }
#else
    return use();
#endif
}

[[nodiscard]] inline bool is_of_format(const SafetensorsFile& file, std::string_view wanted) {
    const std::string* format = find_entry(file, "format");
    return format != nullptr && *format == wanted;
}

[[nodiscard]] inline bool is_model_file(const SafetensorsFile& file) { return is_of_format(file, model_format); }

inline void require_model_file(const SafetensorsFile& file) {
    if (!is_model_file(file)) {
        const std::string* format = find_entry(file, "format");
        throw_format(file, "format",
                     "expected \"gru4rec\" in the metadata, found " + (format ? detail::quote(*format) : "none") +
                         (is_of_format(file, checkpoint_format)
                              ? "; it is the checkpoint of a training run, go on with it (train --resume)"
                              : "; a file of weights alone is no model, but can start one (load_weights, train "
                                "--init)"));
    }
    if (const std::string& version = require_entry(file, "format_version"); version != model_format_version) {
        throw_format(
            file, "format_version",
            "expected 1, found " + detail::quote(version) + "; read it with the version of gru4rec that wrote it");
    }
    (void)require_entry(file, "content_hash");
}

[[nodiscard]] inline Hyperparameters read_hyperparameters(const SafetensorsFile& file) {
    constexpr std::string_view field = "hyperparameters";
    detail::Metadata entries;
    FlatObject(file.name() + ": " + std::string(field), entries).parse(require_entry(file, field));
    Hyperparameters result;
    checked_by(file, field, [&] {
        for (const auto& [name, value] : entries) {
            result.set(name, value);
        }
        result.validate();
    });
    return result;
}

[[nodiscard]] inline ItemMap read_items(const SafetensorsFile& file) {
    constexpr std::string_view field = "items";
    const std::string* text = find_entry(file, field);
    if (text == nullptr) {
        throw_format(file, field,
                     "expected the item ids, TAB-separated, in the metadata, found none; without them the rows of the "
                     "tables have no meaning");
    }
    ItemMap items;
    for_each_part(*text, '\t', [&](std::string_view id) {
        const Index before = items.size();
        const Index row = to_index(checked_by(file, field, [&] { return items.insert(id); }));
        if (items.size() == before) {
            throw_format(file, field,
                         "expected each item once, found " + detail::quote(id) + " as number " +
                             std::to_string(row + 1) + " and again as number " + std::to_string(before + 1));
        }
    });
    return items;
}

[[nodiscard]] inline std::vector<std::int64_t> read_supports(const SafetensorsFile& file, Index n_items) {
    constexpr std::string_view field = "supports";
    std::vector<std::int64_t> supports;
    for_each_part(require_entry(file, field), '\t', [&](std::string_view part) {
        const auto support = parse_number<std::int64_t>(part);
        if (!support || *support < 0) {
            throw_format(file, field,
                         "number " + std::to_string(supports.size() + 1) + ": expected a whole number >= 0, found " +
                             detail::quote(part));
        }
        supports.push_back(*support);
    });
    if (static_cast<Index>(supports.size()) != n_items) {
        throw_format(file, field,
                     "expected " + std::to_string(n_items) + " numbers, one for each item, found " +
                         std::to_string(supports.size()));
    }
    return supports;
}

/// A model of these hyper-parameters has at least this many weights. In double, which cannot overflow here.
[[nodiscard]] inline double least_weights(const Hyperparameters& p, Index n_items) {
    const double x_width = p.one_hot() ? 0 : p.constrained_embedding ? p.layers.back() : p.embedding_width();
    double table_width = p.embedding_width() + p.layers.back() + 1.0;
    double n = 0;
    double width = x_width;
    for (std::size_t l = 0; l < p.layers.size(); ++l) {
        const double units = p.layers[l];
        table_width += p.one_hot() && (l == 0 || p.deep_input) ? 3 * units : 0;
        n += 3 * units * (width + units + 1);
        width = units + (p.deep_input ? x_width : 0);
    }
    return n + static_cast<double>(n_items) * table_width;
}

/// Nothing is allocated for a model that the file cannot hold. The file may fall short by some tensors, so that the
/// message can be the one which names them, see match_tensors().
inline void require_room(const SafetensorsFile& file, const Hyperparameters& p, Index n_items) {
    constexpr double slack = 4;
    const double n_bytes = 4 * least_weights(p, n_items);
    if (n_bytes > slack * static_cast<double>(file.size())) {
        throw_format(file, "hyperparameters",
                     "expected a model that fits in the file's " + std::to_string(file.size()) +
                         " bytes, found layers = " + field_text(p.layers) + " with " + std::to_string(n_items) +
                         " items, which takes more");
    }
}

template <class Scalar>
void require_finite(const TensorView<const Scalar>& view, const std::filesystem::path& path) {
    for (Index r = 0; r < view.rows; ++r) {
        for (Index c = 0; c < view.cols; ++c) {
            if (!std::isfinite(view(r, c))) {
                raise<NonFiniteError>(path.string() + ": not saved: " + tensor_field(view.name) + ", row " +
                                      std::to_string(r) + " holds " + text_of(view(r, c)) +
                                      "; train again with a lower learning_rate");
            }
        }
    }
}

/// Adds what gives a model's tensors their meaning: hyper-parameters, item ids and supports.
template <class Scalar>
void describe(const Model<Scalar>& model, detail::Metadata& metadata) {
    const auto entries = model.hyperparameters().entries();
    metadata["hyperparameters"] = json_object(detail::Metadata(entries.begin(), entries.end()));
    std::string& items = metadata["items"];
    std::string& supports = metadata["supports"];
    for (Index i = 0; i < model.n_items(); ++i) {
        const std::string_view separator = i == 0 ? "" : "\t";
        items.append(separator).append(model.items().id(to_item(i)));
        supports.append(separator).append(format_number(model.supports()[static_cast<std::size_t>(i)]));
    }
}

/// Writes a safetensors file with the hash of its content. @throws as write_safetensors
inline void write_hashed(const std::filesystem::path& path, detail::Metadata metadata,
                         const std::vector<TensorSource>& tensors) {
    ContentHash hash;
    hash_metadata(hash, metadata);
    const std::vector<TensorInfo> infos = tensor_infos(tensors);
    for (std::size_t i = 0; i < tensors.size(); ++i) {
        hash_tensor_info(hash, infos[i]);
        visit_bytes(tensors[i], [&](std::span<const std::byte> bytes) { hash.update(bytes); });
    }
    metadata["content_hash"] = hash.hex();
    write_safetensors(path, metadata, tensors);
}

}  // namespace detail

/// Writes a model: everything that evaluating, recommending and further training need, but no state of the optimiser.
/// The same model gives the same bytes; an existing file is replaced at once or not at all.
///
/// @throws IoError, NonFiniteError (a weight is not finite), std::invalid_argument (more than 100 MB of item ids)
template <class Scalar>
void save_model(const Model<Scalar>& model, const std::filesystem::path& path) {
    const std::vector<TensorView<const Scalar>> views = model.tensors();
    for (const TensorView<const Scalar>& view : views) {
        detail::require_finite(view, path);
    }
    detail::Metadata metadata = {{"format", std::string(detail::model_format)},
                                 {"format_version", std::string(detail::model_format_version)}};
    detail::describe(model, metadata);
    detail::write_hashed(path, std::move(metadata), {views.begin(), views.end()});
}

/// Reads a model that save_model wrote, of either precision: F32 widens exactly, F64 is rounded to float.
///
/// @throws IoError, FormatError naming file, field, expectation and finding
template <class Scalar>
[[nodiscard]] Model<Scalar> load_model(const std::filesystem::path& path) {
    detail::SafetensorsFile file(path);
    detail::require_model_file(file);
    Hyperparameters hyperparameters = detail::read_hyperparameters(file);
    ItemMap items = detail::read_items(file);
    const Index n_items = items.size();
    std::vector<std::int64_t> supports = detail::read_supports(file, n_items);
    detail::require_room(file, hyperparameters, n_items);
    auto model = detail::checked_by(file, "metadata", [&] {
        return Model<Scalar>::zeros(std::move(hyperparameters), std::move(items), std::move(supports));
    });
    const std::vector<TensorView<Scalar>> views = model.tensors();
    const auto matched = detail::match_tensors<Scalar>(file, views, n_items);
    detail::fill_tensors<Scalar>(file, matched, {});
    return model;
}

/// Replaces the weights of a model by those of a file with the same tensors, rows of the tables matched by item id: a
/// model file, or any safetensors file whose metadata names its `items`, TAB-separated. Items that only the file has
/// are left out; hyper-parameters and supports stay the model's.
///
/// @throws IoError, FormatError; the model is then as before
template <class Scalar>
void load_weights(Model<Scalar>& model, const std::filesystem::path& path) {
    detail::SafetensorsFile file(path);
    if (detail::is_model_file(file)) {
        detail::require_model_file(file);
    }
    const ItemMap file_items = detail::read_items(file);
    std::string lacking;
    Index n_lacking = 0;
    std::vector<Index> rows(static_cast<std::size_t>(file_items.size()), -1);
    for (Index i = 0; i < model.n_items(); ++i) {
        const std::string_view id = model.items().id(to_item(i));
        if (const std::optional<ItemIndex> row = file_items.find(id)) {
            rows[static_cast<std::size_t>(to_index(*row))] = i;
        } else if (++n_lacking <= 5) {
            lacking += lacking.empty() ? "" : ", ";
            lacking += detail::quote(id);
        }
    }
    if (n_lacking > 0) {
        detail::throw_format(file, "items",
                             "expected every item of the model, found " + std::to_string(n_lacking) + " of " +
                                 std::to_string(model.n_items()) + " lacking: " + lacking +
                                 (n_lacking > 5 ? ", ..." : ""));
    }
    const std::vector<TensorView<Scalar>> views = model.tensors();
    const auto matched = detail::match_tensors<Scalar>(file, views, file_items.size());

    // Read aside first, so that a file which turns out to be bad has changed nothing.
    std::vector<Scalar> values(detail::n_values(matched));
    const auto aside = detail::packed_at(values.data(), matched);
    detail::fill_tensors<Scalar>(file, aside, rows);
    detail::copy_values(aside, matched);
}

/// Reads what a model file, or a plain weight file, says of itself, and checks all of it but the weights' meaning; its
/// hash too.
///
/// @throws IoError, FormatError
[[nodiscard]] inline ModelInfo inspect_model(const std::filesystem::path& path) {
    detail::SafetensorsFile file(path);
    ModelInfo info;
    info.tensors.assign(file.tensors().begin(), file.tensors().end());
    info.dtype = info.tensors.empty() ? "" : info.tensors.front().dtype;
    info.file_size = file.size();
    info.is_checkpoint = detail::is_of_format(file, detail::checkpoint_format);
    if (detail::is_model_file(file)) {
        detail::require_model_file(file);
        info.format_version = detail::model_format_version;
        info.hyperparameters = detail::read_hyperparameters(file).entries();
    }
    if (detail::is_model_file(file) || detail::find_entry(file, "items") != nullptr) {
        info.n_items = detail::read_items(file).size();
    }
    if (detail::is_model_file(file)) {
        (void)detail::read_supports(file, info.n_items);
        info.content_hash = detail::require_entry(file, "content_hash");
    }
    detail::read_hashed(file, [](std::size_t, std::span<const std::byte>) {});
    return info;
}

#if defined(GRU4REC_COMPILED_IO)
extern template void save_model(const Model<float>&, const std::filesystem::path&);
extern template void save_model(const Model<double>&, const std::filesystem::path&);
extern template Model<float> load_model(const std::filesystem::path&);
extern template Model<double> load_model(const std::filesystem::path&);
extern template void load_weights(Model<float>&, const std::filesystem::path&);
extern template void load_weights(Model<double>&, const std::filesystem::path&);
#endif

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
