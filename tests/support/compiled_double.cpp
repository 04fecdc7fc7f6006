#include "support/compiled_once.hpp"

GRU4REC_COMPILED_ONCE(, double);
