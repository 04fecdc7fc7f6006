#ifndef GRU4REC_PYTHON_SIGNALS_HPP
#define GRU4REC_PYTHON_SIGNALS_HPP

#include <nanobind/nanobind.h>

#include <chrono>

#include "interpreter_lock.hpp"

namespace gru4rec_python {

/// Looks for signals such as Ctrl-C, a few times per second however often it is called: getting the interpreter's lock
/// takes long if other threads use it.
///
/// @throws nb::python_error if a handler has raised an exception
/// @pre the caller does not have the interpreter's lock
class SignalWatch {
  public:
    void operator()() {
        const auto now = std::chrono::steady_clock::now();
        if (now - last_look_ < std::chrono::milliseconds(50)) {
            return;
        }
        last_look_ = now;
        const InterpreterLocked acquired;
        if (PyErr_CheckSignals() != 0) {
            throw nanobind::python_error();
        }
    }

  private:
    std::chrono::steady_clock::time_point last_look_ = std::chrono::steady_clock::now();
};

}  // namespace gru4rec_python

#endif
