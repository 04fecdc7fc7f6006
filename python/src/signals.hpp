#ifndef GRU4REC_PYTHON_SIGNALS_HPP
#define GRU4REC_PYTHON_SIGNALS_HPP

#include <nanobind/nanobind.h>

#include <chrono>

#include "interpreter_lock.hpp"

namespace gru4rec_python {

/// Tells when Python has its turn again, at most twenty times per second however often it is asked: getting the
/// interpreter's lock takes long if other threads use it.
class Turns {
  public:
    [[nodiscard]] bool is_due() noexcept {
        const auto now = std::chrono::steady_clock::now();
        if (now - last_ < std::chrono::milliseconds(50)) {
            return false;
        }
        last_ = now;
        return true;
    }

  private:
    std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

/// Runs the handlers of signals such as Ctrl-C that have come.
///
/// @throws nanobind::python_error if one has raised an exception
/// @pre the caller has the interpreter's lock
inline void heed_signals() {
    if (PyErr_CheckSignals() != 0) {
        throw nanobind::python_error();
    }
}

/// Heeds signals from time to time.
///
/// @throws nanobind::python_error as heed_signals
/// @pre the caller does not have the interpreter's lock
class SignalWatch {
  public:
    void operator()() {
        if (turns_.is_due()) {
            const InterpreterLocked acquired;
            heed_signals();
        }
    }

  private:
    Turns turns_;
};

}  // namespace gru4rec_python

#endif
