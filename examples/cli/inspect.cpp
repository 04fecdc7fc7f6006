#include "gru4rec/io/model_file.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <string>

#include "commands.hpp"
#include "engine.hpp"
#include "messages.hpp"

namespace cli {

namespace {

void print_text(const std::string& file, const gru4rec::ModelInfo& info) {
    const bool is_model = !info.format_version.empty();
    std::printf("file       %s, %llu bytes\n", file.c_str(), static_cast<unsigned long long>(info.file_size));
    if (is_model) {
        std::printf("format     gru4rec model, version %s\n", info.format_version.c_str());
    } else {
        std::printf("format     safetensors, not a model%s\n", info.is_checkpoint ? ": a checkpoint, for train --resume"
                                                               : info.n_items > 0
                                                                   ? ": weights only, for train --init or import"
                                                                   : "");
    }
    std::printf("precision  %s\n", info.dtype == "F64" ? "double" : info.dtype == "F32" ? "float" : info.dtype.c_str());
    if (is_model || info.n_items > 0) {
        std::printf("items      %td\n", info.n_items);
    }
    if (is_model) {
        std::printf("hash       %s\n", info.content_hash.empty() ? "none" : (info.content_hash + ", correct").c_str());
        std::printf("parameters\n");
    }
    for (const auto& [name, value] : info.hyperparameters) {
        std::printf("  %-22s %s\n", one_line(name).c_str(), one_line(value).c_str());
    }
    std::printf("tensors\n");
    std::size_t width = 0;
    for (const gru4rec::TensorInfo& tensor : info.tensors) {
        width = (std::max)(width, one_line(tensor.name).size());
    }
    for (const gru4rec::TensorInfo& tensor : info.tensors) {
        std::printf("  %-*s  %s  %s\n", static_cast<int>(width), one_line(tensor.name).c_str(),
                    one_line(tensor.dtype).c_str(), tensor.shape_text().c_str());
    }
}

void print_json(const std::string& file, const gru4rec::ModelInfo& info) {
    using Json = nlohmann::ordered_json;
    Json json = {{"file", file},
                 {"file_size", info.file_size},
                 {"format_version", info.format_version},
                 {"dtype", info.dtype},
                 {"items", info.n_items},
                 {"content_hash", info.content_hash},
                 {"params", Json::object()},
                 {"tensors", Json::array()}};
    for (const auto& [name, value] : info.hyperparameters) {
        json["params"][name] = value;
    }
    for (const gru4rec::TensorInfo& tensor : info.tensors) {
        json["tensors"].push_back({{"name", tensor.name}, {"dtype", tensor.dtype}, {"shape", tensor.shape}});
    }
    std::printf("%s\n", json.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
}

}  // namespace

bool holds_doubles(const std::string& path) { return gru4rec::stored_dtype(path) == "F64"; }

void tell_if_not_checked(const std::string& path) {
    if (!gru4rec::has_content_hash(path)) {
        tell(path + ": the model has no content_hash, so it was not checked for damage; gru4rec import writes one");
    }
}

ExitStatus inspect(const InspectOptions& options) {
    const gru4rec::ModelInfo info = gru4rec::inspect_model(options.model);
    if (!info.format_version.empty()) {
        tell_if_not_checked(options.model);
    }
    if (options.json) {
        print_json(options.model, info);
    } else {
        print_text(options.model, info);
    }
    return ExitStatus::ok;
}

}  // namespace cli
