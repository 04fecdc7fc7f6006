#ifndef GRU4REC_IO_IMPORT_MODEL_HPP
#define GRU4REC_IO_IMPORT_MODEL_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/file_bytes.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/core/views.hpp"
#include "gru4rec/data/item_map.hpp"
#include "gru4rec/io/file_format.hpp"
#include "gru4rec/io/model_metadata.hpp"
#include "gru4rec/io/network_shape.hpp"
#include "gru4rec/io/safetensors.hpp"
#include "gru4rec/io/safetensors_header.hpp"
#include "gru4rec/io/weights.hpp"
#include "gru4rec/model/hyperparameters.hpp"
#include "gru4rec/model/model.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Models of weights that another program, such as PyTorch, has saved.
namespace gru4rec {
inline namespace GRU4REC_ABI {

/// What a file of weights does not say about its model, or not correctly.
struct ImportOptions {
    /// Names and values as for Hyperparameters::set, applied in this order to those of the file. Those that define the
    /// network follow from the tensors.
    std::vector<std::pair<std::string, std::string>> parameters = {};
    /// A file with one item id per line, in the order of the rows; empty: the entry `items` of the metadata.
    std::filesystem::path items = {};
};

/// A model made from a file of another program.
template <class Scalar>
struct ImportedModel {
    Model<Scalar> model;                   ///< ready to use
    std::vector<std::string> assumptions;  ///< about what neither the file nor the options say
};

/// Makes a model of a safetensors file with the tensors of docs/file_format.md. The metadata may hold `items` and
/// `supports`, each TAB-separated or as a JSON list, and `hyperparameters`. Also takes a model file.
///
/// @throws IoError; FormatError naming file and tensor or field, what was expected and what was found; ConfigError for
///         a parameter that is out of range
template <class Scalar>
[[nodiscard]] ImportedModel<Scalar> import_model(const std::filesystem::path& path, const ImportOptions& options);

namespace detail {

/// The item ids of a file, one per line. A byte order mark, CR LF and a missing line end at the end are accepted.
///
/// @throws IoError; FormatError naming the line
[[nodiscard]] inline ItemMap read_item_file(const std::filesystem::path& path) {
    const FileBytes bytes(path);
    std::string_view text = bytes.view();
    text.remove_prefix(text.starts_with("\xef\xbb\xbf") ? 3 : 0);
    text.remove_suffix(text.ends_with('\n') ? 1 : 0);
    ItemMap items;
    for_each_part(text, '\n', [&](std::string_view id) {
        id.remove_suffix(id.ends_with('\r') ? 1 : 0);
        const Index before = items.size();
        const auto place = [&] { return path.string() + ":" + std::to_string(before + 1); };
        if (const std::string_view problem = item_id_problem(id); !problem.empty()) {
            throw_format(place(), bad_item_id(id, problem) + ", one per line");
        }
        const Index row = to_index(items.insert(id));
        if (items.size() == before) {
            throw_format(place(), "expected each item once, found " + quote(id) + ", which is in line " +
                                      std::to_string(row + 1) + " as well");
        }
    });
    return items;
}

[[nodiscard]] inline bool is_given(const ImportOptions& options, std::string_view name) {
    return std::any_of(options.parameters.begin(), options.parameters.end(),
                       [&](const auto& parameter) { return parameter.first == name; });
}

/// The parameters of the file and, instead of them, those of the options.
[[nodiscard]] inline Hyperparameters imported_parameters(const SafetensorsFile& file, const ImportOptions& options) {
    Hyperparameters p =
        find_entry(file, "hyperparameters") == nullptr ? read_network_shape(file) : read_hyperparameters(file);
    for (const auto& [name, value] : options.parameters) {
        p.set(name, value);
    }
    // Each of these is an error of its own beside another one that is given; the tensors tell better what does not fit.
    if (is_given(options, "constrained_embedding") && !is_given(options, "embedding") && p.constrained_embedding) {
        p.embedding = 0;
    }
    if (is_given(options, "embedding") && !is_given(options, "constrained_embedding") && p.embedding != 0) {
        p.constrained_embedding = false;
    }
    if (!is_given(options, "deep_input") && p.layers.size() == 1) {
        p.deep_input = false;
    }
    p.validate();
    return p;
}

/// @throws FormatError unless there is one id for each row of the output table
[[nodiscard]] inline ItemMap imported_items(const SafetensorsFile& file, const ImportOptions& options) {
    const TensorInfo& table = require_matrix(file, "Wy.weight", "(items, units of the last layer)");
    ItemMap items = options.items.empty() ? read_items(file) : read_item_file(options.items);
    if (items.size() != table.shape.front()) {
        throw_format(file, tensor_field(table.name),
                     "shape: expected " + shape_text(std::vector{items.size(), table.shape[1]}) +
                         ", a row for each id of " +
                         (options.items.empty() ? "the entry \"items\"" : options.items.string()) + ", found " +
                         table.shape_text());
    }
    return items;
}

/// Only what changes recommendations is named one by one.
[[nodiscard]] inline std::vector<std::string> assumptions_about(const SafetensorsFile& file,
                                                                const ImportOptions& options,
                                                                const Hyperparameters& p) {
    std::vector<std::string> assumptions;
    if (find_entry(file, "hyperparameters") == nullptr) {
        std::string unseen;
        for (const auto& [name, value] : p.entries()) {
            const bool matters = name == "input" ||
                                 (name == "hidden_act" && p.gru_variant == GruVariant::reset_before) ||
                                 (p.input == InputContent::history && (name == "input_decay" || name == "history_max"));
            if (matters && !is_given(options, name)) {
                unseen += (unseen.empty() ? "" : ", ") + name + "=" + value;
            }
        }
        if (!unseen.empty()) {
            assumptions.push_back(unseen + ": the tensors do not show it, and another value changes recommendations");
        }
        assumptions.push_back(
            "defaults for the other parameters that are not given: they matter if the model is trained further");
    }
    if (find_entry(file, "supports") == nullptr) {
        assumptions.push_back(
            "a support of 1 for every item: it matters to sessions without a known item, which get the most frequent "
            "items, and if the model is trained further");
    }
    if (!options.items.empty() && find_entry(file, "items") != nullptr) {
        assumptions.push_back("the item ids of " + options.items.string() + " instead of those in the metadata");
    }
    return assumptions;
}

}  // namespace detail

template <class Scalar>
ImportedModel<Scalar> import_model(const std::filesystem::path& path, const ImportOptions& options) {
    detail::SafetensorsFile file(path);
    if (detail::kind_of(file) != detail::FileKind::weights) {
        detail::require_kind(file, detail::FileKind::model);
    }
    ItemMap items = detail::imported_items(file, options);
    const Index n_items = items.size();
    Hyperparameters parameters = detail::imported_parameters(file, options);
    std::vector<std::string> assumptions = detail::assumptions_about(file, options, parameters);
    std::vector<std::int64_t> supports = detail::find_entry(file, "supports") == nullptr
                                             ? std::vector<std::int64_t>(static_cast<std::size_t>(n_items), 1)
                                             : detail::read_supports(file, n_items);
    detail::require_room(file, parameters, n_items);
    Model<Scalar> model = detail::as_format_error(file, "metadata", [&] {
        return Model<Scalar>::zeros(std::move(parameters), std::move(items), std::move(supports));
    });
    const std::vector<TensorView<Scalar>> views = model.tensors();
    const std::string hint = "; the tensors are those of " + detail::network_text(detail::read_network_shape(file));
    const auto matched = detail::match_tensors<Scalar>(file, views, n_items, hint);
    detail::fill_tensors<Scalar>(file, matched, {});
    return {std::move(model), std::move(assumptions)};
}

#if defined(GRU4REC_COMPILED)
extern template ImportedModel<float> import_model<float>(const std::filesystem::path&, const ImportOptions&);
extern template ImportedModel<double> import_model<double>(const std::filesystem::path&, const ImportOptions&);
#endif

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
