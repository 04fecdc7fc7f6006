// Parameters: the first byte of the input says whether the rest is the text of --params or a parameter file. What is
// accepted reads the same once it is written.

#include "gru4rec/core/error.hpp"
#include "gru4rec/model/hyperparameters.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/arguments.hpp"
#include "fuzz/target.hpp"

namespace {

using gru4rec::Hyperparameters;

void require_round_trip(const Hyperparameters& parameters) {
    const auto entries = parameters.entries();
    Hyperparameters again;
    for (const auto& [name, value] : entries) {
        again.set(name, value);
    }
    fuzz::require(again.entries() == entries, "parameters read as they were written");
}

/// One parameter after another, as a program that embeds the library sets them.
void set_each(const cli::ParameterEntries& entries) {
    Hyperparameters parameters;
    for (const auto& [name, value] : entries) {
        const Hyperparameters before = parameters;
        try {
            parameters.set(name, value);
        } catch (const gru4rec::ConfigError&) {
            fuzz::require(parameters.entries() == before.entries(), "a refused value changes nothing");
            throw;
        }
    }
    require_round_trip(parameters);
    parameters.validate();
}

void read(const std::vector<std::string>& lists, const std::string& file) {
    set_each(cli::read_parameter_entries(lists, file));
    require_round_trip(cli::read_parameters(lists, file));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Taker input({data, size});
    const bool is_file = input.byte() % 2 == 1;
    try {
        if (is_file) {
            const fuzz::InputFile file(input.rest());
            try {
                read({}, file.path());
            } catch (const gru4rec::FormatError& error) {
                fuzz::require_message(error, file.path());
            }
        } else {
            read({std::string(input.rest())}, "");
        }
    } catch (const gru4rec::ConfigError& error) {
        fuzz::require_message(error, "");
    }
    return 0;
}
