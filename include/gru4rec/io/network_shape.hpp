#ifndef GRU4REC_IO_NETWORK_SHAPE_HPP
#define GRU4REC_IO_NETWORK_SHAPE_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/io/file_format.hpp"
#include "gru4rec/io/model_metadata.hpp"
#include "gru4rec/io/safetensors.hpp"
#include "gru4rec/io/safetensors_header.hpp"
#include "gru4rec/io/weights.hpp"
#include "gru4rec/model/hyperparameters.hpp"
#include "gru4rec/model/parameter_text.hpp"
#include "gru4rec/version.hpp"

#include <cstddef>
#include <string>
#include <string_view>

// The parameters that define the network, read off the names and shapes of a file's tensors.
namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

inline constexpr Index widest_layer = 65536;  // and embedding

/// The names of a few tensors, for a message.
[[nodiscard]] inline std::string some_names(const SafetensorsFile& file) {
    constexpr std::size_t most = 5;
    std::string text;
    for (std::size_t i = 0; i < file.tensors().size() && i < most; ++i) {
        text += (text.empty() ? "" : ", ") + quote(file.tensors()[i].name);
    }
    return text.empty() ? "no tensors" : text + (file.tensors().size() > most ? ", ..." : "");
}

/// @param shape  as it should be, in words, for messages
/// @throws FormatError unless the file has such a matrix, no row or column of which is missing
[[nodiscard]] inline const TensorInfo& require_matrix(const SafetensorsFile& file, std::string_view name,
                                                      std::string_view shape) {
    const TensorInfo* const tensor = file.find(name);
    if (tensor == nullptr) {
        throw_format(file, tensor_field(name),
                     "expected F32 or F64 " + std::string(shape) + ", found none, but " + some_names(file) +
                         "; docs/file_format.md lists the names");
    }
    if (tensor->shape.size() != 2 || tensor->begin == tensor->end) {
        throw_format(file, tensor_field(name),
                     "shape: expected " + std::string(shape) + ", found " + tensor->shape_text());
    }
    return *tensor;
}

/// The matrix from hidden state to hidden state of a layer; nullptr if the file does not have that layer.
[[nodiscard]] inline const TensorInfo* find_recurrent(const SafetensorsFile& file, std::size_t layer) {
    const std::string prefix = "G." + std::to_string(layer) + ".";
    for (const std::string& name : {prefix + "Wh", prefix + "weight_hh"}) {
        if (const TensorInfo* const tensor = file.find(name)) {
            return tensor;
        }
    }
    const TensorInfo* const before = layer == 0 ? file.find("GE.Wh0") : nullptr;
    return layer == 0 && before == nullptr ? file.find("GE.weight_hh") : before;
}

/// The units of a layer.
[[nodiscard]] inline int units_of(const SafetensorsFile& file, const TensorInfo& recurrent) {
    const bool reset_after = recurrent.name.ends_with("weight_hh");
    const std::string expected = reset_after ? "(3 units, units)" : "(units, units)";
    const TensorInfo& matrix = require_matrix(file, recurrent.name, expected);
    const Index units = matrix.shape[1];
    if (units > widest_layer || matrix.shape[0] != (reset_after ? 3 : 1) * units) {
        throw_format(file, tensor_field(matrix.name),
                     "shape: expected " + expected + " with at most 65536 units, found " + matrix.shape_text());
    }
    return static_cast<int>(units);
}

/// Whether the second layer gets the input of the first as well.
[[nodiscard]] inline bool has_deep_input(const SafetensorsFile& file, const Hyperparameters& p) {
    if (p.layers.size() == 1 || p.one_hot()) {
        return file.find("GE.1.weight") != nullptr;
    }
    const bool reset_after = p.gru_variant == GruVariant::reset_after;
    const std::string_view name = reset_after ? "G.1.weight_ih" : "G.1.Wx";
    const TensorInfo& matrix =
        require_matrix(file, name, reset_after ? "(3 units, width of the input)" : "(width of the input, 3 units)");
    return matrix.shape[reset_after ? 1 : 0] != p.layers.front();
}

/// The parameters that define the network, except `hidden_act`; all others have their defaults.
///
/// @throws FormatError if the tensors are not those of docs/file_format.md. Not all of them are looked at
[[nodiscard]] inline Hyperparameters read_network_shape(const SafetensorsFile& file) {
    Hyperparameters p;
    p.layers.clear();
    while (const TensorInfo* const recurrent = find_recurrent(file, p.layers.size())) {
        if (p.layers.empty() && recurrent->name.ends_with("weight_hh")) {
            p.gru_variant = GruVariant::reset_after;
        }
        p.layers.push_back(units_of(file, *recurrent));
    }
    if (p.layers.empty()) {
        throw_format(
            file, tensor_field("G.0.Wh"),
            "expected F32 or F64 (units, units), or (3 units, units) as \"G.0.weight_hh\", found neither, but " +
                some_names(file) + "; docs/file_format.md lists the names");
    }
    const bool one_hot = find_recurrent(file, 0)->name.starts_with("GE.");
    const bool separate = !one_hot && file.find("E.weight") != nullptr;
    p.constrained_embedding = !one_hot && !separate;
    if (separate) {
        const TensorInfo& table = require_matrix(file, "E.weight", "(items, width of the embedding)");
        if (table.shape[1] > widest_layer) {
            throw_format(file, tensor_field(table.name),
                         "shape: expected at most 65536 columns, found " + table.shape_text());
        }
        p.embedding = static_cast<int>(table.shape[1]);
    }
    p.deep_input = has_deep_input(file, p);
    return p;
}

/// `layers=16, gru_variant=reset_before, constrained_embedding=true`
[[nodiscard]] inline std::string network_text(const Hyperparameters& p) {
    std::string text = "layers=" + field_text(p.layers) + ", gru_variant=" + to_string(p.gru_variant) +
                       ", constrained_embedding=" + field_text(p.constrained_embedding);
    text += p.constrained_embedding ? "" : ", embedding=" + field_text(p.embedding_width());
    return text + (p.deep_input ? ", deep_input=true" : "");
}

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
