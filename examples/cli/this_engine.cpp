#include "this_engine.hpp"

#include "support/engines.hpp"

namespace cli {

const char* engine_name() { return GRU4REC_ENGINE_NAME; }

std::string problem_with_engine() { return engines::problem_with(engine_name()); }

}  // namespace cli
