#include "gru4rec/io/import_model.hpp"
#include "gru4rec/model/hyperparameters.hpp"

#include <cstdio>
#include <string>

#include "arguments.hpp"
#include "commands.hpp"
#include "engine.hpp"
#include "messages.hpp"

namespace cli {

namespace {

template <class Scalar>
void import_as(const ImportOptions& options, const gru4rec::ImportOptions& given) {
    const gru4rec::ImportedModel<Scalar> imported = import_weights<Scalar>(options.weights, given);
    save(imported.model, options.save);
    for (const std::string& assumption : imported.assumptions) {
        tell(options.weights + ": assumed " + assumption);
    }
    std::string parameters;
    for (const auto& [name, value] : imported.model.hyperparameters().entries()) {
        for (const char* const shown :
             {"layers", "hidden_act", "gru_variant", "constrained_embedding", "embedding", "input", "deep_input"}) {
            parameters += name == shown ? " " + name + "=" + value : "";
        }
    }
    std::printf("%s: %td items, precision %s,%s\n", options.save.c_str(), imported.model.n_items(),
                sizeof(Scalar) == sizeof(float) ? "float" : "double", parameters.c_str());
}

}  // namespace

ExitStatus import_model(const ImportOptions& options) {
    const gru4rec::ImportOptions given{.parameters = read_parameter_entries(options.params, options.param_file),
                                       .items = options.items};
    check_destinations(
        {{"--save", options.save}},
        {{"WEIGHTS", options.weights}, {"--items", options.items}, {"--param-file", options.param_file}});
    if (holds_doubles(options.weights)) {
        import_as<double>(options, given);
    } else {
        import_as<float>(options, given);
    }
    return ExitStatus::ok;
}

}  // namespace cli
