#include "this_engine.hpp"

#include <cstdlib>
#include <string_view>

#include "support/engines.hpp"

namespace cli {

const char* engine_name() { return GRU4REC_ENGINE_NAME; }

std::string problem_with_engine() {
    const auto is_running = [](std::string_view) { return true; };
    return engines::choose({engine_name()}, std::getenv(engines::variable), is_running).problem;
}

}  // namespace cli
