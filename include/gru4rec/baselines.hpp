#ifndef GRU4REC_BASELINES_HPP
#define GRU4REC_BASELINES_HPP

// Simple recommenders to compare a model with: Popularity, SessionPopularity, Markov, SequentialRules, ItemKnn, BprMf,
// VectorSessionKnn. `evaluate` (gru4rec/eval.hpp) measures them as it measures a model.
#include "gru4rec/baselines/bpr_mf.hpp"
#include "gru4rec/baselines/item_knn.hpp"
#include "gru4rec/baselines/last_item.hpp"
#include "gru4rec/baselines/popularity.hpp"
#include "gru4rec/baselines/vector_session_knn.hpp"
#include "gru4rec/version.hpp"

#endif
