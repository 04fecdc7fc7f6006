#include "failures.hpp"

#include "gru4rec/core/error.hpp"

#include <cstdio>
#include <exception>
#include <new>

#include "messages.hpp"

namespace cli {

namespace {

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
        return fail(program, ExitStatus::failure,
                    "out of memory; use fewer or narrower layers, a smaller batch_size or n_sample, or fewer items");
    } catch (const std::exception& error) {
        return fail(program, ExitStatus::failure, error.what());
    }
}

}  // namespace cli
