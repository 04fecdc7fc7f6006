#include <nanobind/nanobind.h>

#include <cstdlib>
#include <string>

#include "support/engines.hpp"

// Compiled for the plain architecture, since it runs before the processor is known.
NB_MODULE(_choice, module) {
    module.def("choose", [] {
        const engines::Choice choice = engines::choose({GRU4REC_ENGINES}, std::getenv(engines::variable));
        if (!choice.problem.empty()) {
            throw nanobind::import_error(("gru4rec: " + choice.problem).c_str());
        }
        return nanobind::str(choice.engine.c_str());
    });
}
