#ifndef GRU4REC_GRU4REC_HPP
#define GRU4REC_GRU4REC_HPP

// Everything, which takes long to compile. The headers by job beside this one take less: data.hpp, train.hpp, eval.hpp,
// serve.hpp and others.
#include "gru4rec/baselines.hpp"
#include "gru4rec/blocks.hpp"
#include "gru4rec/data.hpp"
#include "gru4rec/eval.hpp"
#include "gru4rec/io/checkpoint.hpp"
#include "gru4rec/io/import_model.hpp"
#include "gru4rec/io/load_optimizer.hpp"
#include "gru4rec/io/model_file.hpp"
#include "gru4rec/io/session_bytes.hpp"
#include "gru4rec/serve.hpp"
#include "gru4rec/train.hpp"
#include "gru4rec/version.hpp"

#endif
