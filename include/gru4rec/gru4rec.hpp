#ifndef GRU4REC_GRU4REC_HPP
#define GRU4REC_GRU4REC_HPP

// Everything but files of models (gru4rec/io/, which needs nlohmann-json).
#include "gru4rec/baselines/bpr_mf.hpp"
#include "gru4rec/baselines/item_knn.hpp"
#include "gru4rec/baselines/last_item.hpp"
#include "gru4rec/baselines/popularity.hpp"
#include "gru4rec/baselines/vector_session_knn.hpp"
#include "gru4rec/data/dataset.hpp"
#include "gru4rec/data/files.hpp"
#include "gru4rec/data/preprocess.hpp"
#include "gru4rec/data/synthetic.hpp"
#include "gru4rec/eval/evaluate.hpp"
#include "gru4rec/eval/ranks_file.hpp"
#include "gru4rec/model/model.hpp"
#include "gru4rec/serve/recommender.hpp"
#include "gru4rec/train/early_stopping.hpp"
#include "gru4rec/train/trainer.hpp"
#include "gru4rec/version.hpp"

#endif
