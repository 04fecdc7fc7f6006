#define GRU4REC_SOURCE  // see core/config.hpp

#include "gru4rec/gru4rec.hpp"
