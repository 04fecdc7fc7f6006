#define GRU4REC_SOURCE  // see core/config.hpp

#include "gru4rec/data.hpp"
#include "gru4rec/eval.hpp"
#include "gru4rec/model/hyperparameters.hpp"
