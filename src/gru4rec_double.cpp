#include "gru4rec/compiled.hpp"

GRU4REC_COMPILED_TEMPLATES(, double);
