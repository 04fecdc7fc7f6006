#ifndef GRU4REC_SERVE_HPP
#define GRU4REC_SERVE_HPP

// A trained model and live sessions: no trainer, no reader of files. Model files are in gru4rec/io/model_file.hpp.
#include "gru4rec/model/model.hpp"
#include "gru4rec/serve/recommender.hpp"
#include "gru4rec/serve/session_store.hpp"
#include "gru4rec/serve/similar_items.hpp"
#include "gru4rec/version.hpp"

#endif
