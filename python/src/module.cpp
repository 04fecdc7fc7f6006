#include "gru4rec/version.hpp"

#include <string>

#include "bindings.hpp"
#include "support/engines.hpp"

namespace {

/// Throws ImportError if GRU4REC_ENGINE asks for another engine. A package with several engines has made its choice
/// before.
void require_wanted_engine() {
    const std::string problem = engines::problem_with(GRU4REC_ENGINE_NAME);
    if (!problem.empty()) {
        throw nanobind::import_error(("gru4rec: " + problem).c_str());
    }
}

}  // namespace

NB_MODULE(_core, module) {
    using namespace gru4rec_python;
    require_wanted_engine();
    // A daemon thread that the end of the process cuts off keeps its objects, which would be reported on stderr.
    nanobind::set_leak_warnings(false);
    module.doc() = "The compiled part of gru4rec. Use the package: its classes take and return Python's own types.";
    module.attr("__version__") = GRU4REC_VERSION_STRING;
    module.attr("__engine__") = GRU4REC_ENGINE_NAME;
    bind_errors(module);
    bind_parameters(module);
    bind_dataset(module);
    bind_model(module);
    bind_evaluation(module);
    bind_training(module);
    bind_state_dict(module);
    bind_sessions(module);
}
