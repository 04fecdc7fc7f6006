#include "gru4rec/version.hpp"

#include "bindings.hpp"

NB_MODULE(_core, module) {
    using namespace gru4rec_python;
    module.doc() = "The compiled part of gru4rec. Use the package: its classes take and return Python's own types.";
    module.attr("__version__") = GRU4REC_VERSION_STRING;
    bind_errors(module);
    bind_parameters(module);
    bind_dataset(module);
    bind_model(module);
    bind_evaluation(module);
    bind_training(module);
    bind_state_dict(module);
    bind_sessions(module);
}
