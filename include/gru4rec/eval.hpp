#ifndef GRU4REC_EVAL_HPP
#define GRU4REC_EVAL_HPP

// Metrics of a model, or of any scorer, over the full catalogue.
#include "gru4rec/eval/evaluate.hpp"
#include "gru4rec/eval/ranks_file.hpp"
#include "gru4rec/version.hpp"

#endif
