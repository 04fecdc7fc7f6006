#ifndef GRU4REC_EVAL_HPP
#define GRU4REC_EVAL_HPP

// Metrics of a model over the full catalogue, and the baselines to compare it with.
#include "gru4rec/baselines/bpr_mf.hpp"
#include "gru4rec/baselines/item_knn.hpp"
#include "gru4rec/baselines/last_item.hpp"
#include "gru4rec/baselines/popularity.hpp"
#include "gru4rec/baselines/vector_session_knn.hpp"
#include "gru4rec/eval/evaluate.hpp"
#include "gru4rec/eval/ranks_file.hpp"
#include "gru4rec/version.hpp"

#if defined(GRU4REC_COMPILED)
#include "gru4rec/compiled.hpp"
#endif

#endif
