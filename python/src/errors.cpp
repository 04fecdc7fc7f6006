#include "gru4rec/core/error.hpp"

#include <exception>

#include "bindings.hpp"

namespace gru4rec_python {

/// Turns the library's errors into the fitting built-in ones, with the same text.
void bind_errors(nanobind::module_&) {
    nanobind::register_exception_translator([](const std::exception_ptr& error, void*) {
        try {
            std::rethrow_exception(error);
        } catch (const gru4rec::NonFiniteError& e) {
            PyErr_SetString(PyExc_FloatingPointError, e.what());
        } catch (const gru4rec::IoError& e) {
            PyErr_SetString(PyExc_OSError, e.what());
        } catch (const gru4rec::Error& e) {
            PyErr_SetString(PyExc_ValueError, e.what());
        }
    });
}

}  // namespace gru4rec_python
