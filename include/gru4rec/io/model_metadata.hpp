#ifndef GRU4REC_IO_MODEL_METADATA_HPP
#define GRU4REC_IO_MODEL_METADATA_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/item_map.hpp"
#include "gru4rec/io/file_format.hpp"
#include "gru4rec/io/safetensors.hpp"
#include "gru4rec/io/safetensors_header.hpp"
#include "gru4rec/model/hyperparameters.hpp"
#include "gru4rec/model/model.hpp"
#include "gru4rec/model/parameter_text.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// Hyper-parameters, item ids and item supports as entries of a file's metadata.
namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Calls `use` with values from a file. Turns the ConfigError that invalid ones cause into a FormatError of the file.
template <class Use>
decltype(auto) as_format_error([[maybe_unused]] const SafetensorsFile& file, [[maybe_unused]] std::string_view field,
                               Use&& use) {
#if defined(__cpp_exceptions)
    try {
        return use();
    } catch (const ConfigError& error) {
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

[[nodiscard]] inline Hyperparameters read_hyperparameters(const SafetensorsFile& file) {
    constexpr std::string_view field = "hyperparameters";
    const Metadata entries = parse_json_object(file.name() + ": " + std::string(field), require_entry(file, field));
    Hyperparameters result;
    as_format_error(file, field, [&] {
        for (const auto& [name, value] : entries) {
            result.set(name, value);
        }
        result.validate();
    });
    return result;
}

/// Whether an entry of a file that another program wrote is a JSON list, not TAB-separated text. Neither JSON strings
/// nor ids contain a TAB, and TAB-separated text has no line breaks.
[[nodiscard]] inline bool is_json_list(std::string_view text) noexcept {
    const std::size_t begin = text.find_first_not_of(" \t\r\n");
    const std::size_t end = text.find_last_not_of(" \t\r\n");
    const bool has_brackets = begin != std::string_view::npos && text[begin] == '[' && text[end] == ']';
    return has_brackets && (text.find('\t') == std::string_view::npos || text.find('\n') != std::string_view::npos);
}

/// Calls `use(part)` for each element of an entry: of TAB-separated text, or of a JSON list unless the file is ours.
template <class Use>
void for_each_element(const SafetensorsFile& file, std::string_view field, Use&& use) {
    const std::string& text = require_entry(file, field);
    if (kind_of(file) == FileKind::weights && is_json_list(text)) {
        read_json_list(file.name() + ": " + std::string(field), text, use);
    } else {
        for_each_part(text, '\t', use);
    }
}

[[nodiscard]] inline ItemMap read_items(const SafetensorsFile& file) {
    constexpr std::string_view field = "items";
    if (find_entry(file, field) == nullptr) {
        throw_format(file, field,
                     "expected the item ids in the metadata, TAB-separated or as a JSON list, found none; without them "
                     "the rows of the tables have no meaning");
    }
    ItemMap items;
    for_each_element(file, field, [&](std::string_view id) {
        const Index before = items.size();
        const Index row = to_index(as_format_error(file, field, [&] { return items.insert(id); }));
        if (items.size() == before) {
            throw_format(file, field,
                         "expected each item once, found " + quote(id) + " as item " + std::to_string(row + 1) +
                             " and again as item " + std::to_string(before + 1));
        }
    });
    return items;
}

[[nodiscard]] inline std::vector<std::int64_t> read_supports(const SafetensorsFile& file, Index n_items) {
    constexpr std::string_view field = "supports";
    std::vector<std::int64_t> supports;
    for_each_element(file, field, [&](std::string_view part) {
        const auto support = parse_number<std::int64_t>(part);
        if (!support || *support < 0) {
            throw_format(
                file, field,
                "item " + std::to_string(supports.size() + 1) + ": expected an integer >= 0, found " + quote(part));
        }
        supports.push_back(*support);
    });
    if (static_cast<Index>(supports.size()) != n_items) {
        throw_format(file, field,
                     "expected " + std::to_string(n_items) + " integers, one for each item, found " +
                         std::to_string(supports.size()));
    }
    return supports;
}

/// A lower bound on the number of weights of a model, as a double because that cannot overflow here.
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

/// Refuses hyper-parameters whose model the file cannot hold, before anything is allocated for it. Files that lack only
/// some tensors pass: match_tensors() has a better message for them.
inline void require_room(const SafetensorsFile& file, const Hyperparameters& p, Index n_items) {
    constexpr double slack = 4;
    const double n_bytes = 4 * least_weights(p, n_items);
    if (n_bytes > slack * static_cast<double>(file.size())) {
        throw_format(file, "hyperparameters",
                     "expected a model that fits in the file's " + std::to_string(file.size()) +
                         " bytes, found layers = " + field_text(p.layers) + " with " + std::to_string(n_items) +
                         " items, which needs more");
    }
}

/// Adds hyper-parameters, item ids and supports.
template <class Scalar>
void write_metadata(const Model<Scalar>& model, Metadata& metadata) {
    const auto entries = model.hyperparameters().entries();
    metadata["hyperparameters"] = json_object(Metadata(entries.begin(), entries.end()));
    std::string& items = metadata["items"];
    std::string& supports = metadata["supports"];
    for (Index i = 0; i < model.n_items(); ++i) {
        const std::string_view separator = i == 0 ? "" : "\t";
        items.append(separator).append(model.items().id(to_item(i)));
        supports.append(separator).append(format_number(at(model.supports(), i)));
    }
}

/// The metadata of a model file, but for its hash.
template <class Scalar>
[[nodiscard]] Metadata model_metadata(const Model<Scalar>& model) {
    Metadata metadata = {{"format", std::string(model_format)}, {"format_version", std::string(model_format_version)}};
    write_metadata(model, metadata);
    return metadata;
}

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
