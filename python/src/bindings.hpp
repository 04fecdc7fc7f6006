#ifndef GRU4REC_PYTHON_BINDINGS_HPP
#define GRU4REC_PYTHON_BINDINGS_HPP

#include <nanobind/nanobind.h>

// Each concept of the module is bound in a separate file.
namespace gru4rec_python {

void bind_errors(nanobind::module_& module);
void bind_parameters(nanobind::module_& module);
void bind_dataset(nanobind::module_& module);
void bind_model(nanobind::module_& module);
void bind_evaluation(nanobind::module_& module);
void bind_training(nanobind::module_& module);
void bind_state_dict(nanobind::module_& module);
void bind_sessions(nanobind::module_& module);

}  // namespace gru4rec_python

#endif
