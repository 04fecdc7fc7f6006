#ifndef GRU4REC_GRU4REC_HPP
#define GRU4REC_GRU4REC_HPP

// Everything except model files (gru4rec/io/, which needs nlohmann-json).
#include "gru4rec/baselines.hpp"
#include "gru4rec/blocks.hpp"
#include "gru4rec/data.hpp"
#include "gru4rec/eval.hpp"
#include "gru4rec/serve.hpp"
#include "gru4rec/train.hpp"
#include "gru4rec/version.hpp"

#endif
