#ifndef GRU4REC_PYTHON_INTERPRETER_LOCK_HPP
#define GRU4REC_PYTHON_INTERPRETER_LOCK_HPP

#include <nanobind/nanobind.h>

#include <chrono>
#include <thread>

namespace gru4rec_python {

// A daemon thread may want the interpreter's lock when the interpreter is ending. Before version 3.14, Python then ends
// the thread by pthread_exit, which unwinds through C++ and aborts the process. As Python 3.14 does, the functions
// below let such a thread sleep until the process ends.

[[noreturn]] inline void sleep_for_ever() noexcept {
    for (;;) {
        std::this_thread::sleep_for(std::chrono::hours(1));
    }
}

/// Calls a function that waits for the interpreter's lock.
template <class Lock>
auto lock_or_sleep(const Lock& lock) {
#if PY_VERSION_HEX >= 0x030D0000
    const bool is_ending = Py_IsFinalizing() != 0;
#else
    const bool is_ending = _Py_IsFinalizing() != 0;
#endif
    if (is_ending) {
        sleep_for_ever();
    }
    try {
        return lock();
    } catch (...) {  // pthread_exit, since the end began while the thread waited: the handler must not be left
        sleep_for_ever();
    }
}

/// Lets other threads use the interpreter. @pre this thread has its lock
class InterpreterUnlocked {
  public:
    InterpreterUnlocked() : state_(PyEval_SaveThread()) {}
    ~InterpreterUnlocked() {
        lock_or_sleep([this] { PyEval_RestoreThread(state_); });
    }
    InterpreterUnlocked(const InterpreterUnlocked&) = delete;
    InterpreterUnlocked& operator=(const InterpreterUnlocked&) = delete;

  private:
    PyThreadState* state_;
};

/// Lets this thread use the interpreter.
class InterpreterLocked {
  public:
    InterpreterLocked() : state_(lock_or_sleep([] { return PyGILState_Ensure(); })) {}
    ~InterpreterLocked() { PyGILState_Release(state_); }
    InterpreterLocked(const InterpreterLocked&) = delete;
    InterpreterLocked& operator=(const InterpreterLocked&) = delete;

  private:
    PyGILState_STATE state_;
};

}  // namespace gru4rec_python

#endif
