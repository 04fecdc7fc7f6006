#include "failures.hpp"

#include "gru4rec/core/error.hpp"

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>

#include "messages.hpp"

namespace cli {

namespace {

constexpr std::string_view out_of_memory =
    "out of memory; use fewer or narrower layers, a smaller batch_size or n_sample, or fewer items";

std::terminate_handler otherwise = nullptr;
thread_local bool memory_was_lacking = false;

[[noreturn]] void throw_bad_alloc() {
    memory_was_lacking = true;
    throw std::bad_alloc();
}

/// Whether std::bad_alloc ends the program.
[[nodiscard]] bool is_out_of_memory() noexcept {
    const std::exception_ptr thrown = std::current_exception();
    if (thrown == nullptr) {
        // libstdc++'s own functions that must not throw end the program before the exception counts as current.
        return memory_was_lacking && std::uncaught_exceptions() > 0;
    }
    try {
        std::rethrow_exception(thrown);
    } catch (const std::bad_alloc&) {
        return true;
    } catch (...) {
        return false;
    }
}

/// Is called when a function of a library that must not throw has allocated in vain: ends the program as run_or_fail
/// does.
[[noreturn]] void end_if_out_of_memory() {
    if (is_out_of_memory()) {
        tell_without_memory(out_of_memory);
        std::_Exit(static_cast<int>(ExitStatus::failure));
    }
    otherwise();
    std::abort();
}

void require_written_output() {
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
        throw gru4rec::IoError("cannot write standard output; the output is incomplete");
    }
}

}  // namespace

ExitStatus fail(std::string_view program, ExitStatus status, std::string_view message) noexcept {
    try {
        tell(without_prefix(message), program);
    } catch (const std::exception&) {
        tell_without_memory(without_prefix(message), program);
    }
    return status;
}

ExitStatus run_or_fail(std::string_view program, const std::function<ExitStatus()>& command) {
    otherwise = std::set_terminate(&end_if_out_of_memory);
    std::set_new_handler(&throw_bad_alloc);
    try {
        const ExitStatus status = command();
        require_written_output();
        return status;
    } catch (const gru4rec::IoError& error) {
        return fail(program, ExitStatus::io_failure, error.what());
    } catch (const gru4rec::NonFiniteError& error) {
        return fail(program, ExitStatus::not_finite, error.what());
    } catch (const gru4rec::ContractError& error) {
        return fail(program, ExitStatus::failure, error.what());
    } catch (const gru4rec::Error& error) {
        return fail(program, ExitStatus::bad_input, error.what());
    } catch (const std::bad_alloc&) {
        return fail(program, ExitStatus::failure, out_of_memory);
    } catch (const std::exception& error) {
        return fail(program, ExitStatus::failure, error.what());
    }
}

}  // namespace cli
