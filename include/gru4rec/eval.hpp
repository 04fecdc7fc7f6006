#ifndef GRU4REC_EVAL_HPP
#define GRU4REC_EVAL_HPP

// Ranks every item of the catalogue for each event of test sessions; computes Recall, MRR and more for a model or any
// Scorer. The baselines are in gru4rec/baselines.hpp.
#include "gru4rec/eval/evaluate.hpp"
#include "gru4rec/eval/ranks_file.hpp"
#include "gru4rec/version.hpp"

#endif
