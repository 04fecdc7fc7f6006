#ifndef GRU4REC_BLOCKS_HPP
#define GRU4REC_BLOCKS_HPP

// The parts of GRU4Rec, each usable by itself on Eigen matrices (docs/building_blocks.md).
#include "gru4rec/blocks/gru_layer.hpp"
#include "gru4rec/blocks/in_batch_loss.hpp"
#include "gru4rec/blocks/one_hot_input.hpp"
#include "gru4rec/blocks/optimizer.hpp"
#include "gru4rec/blocks/session_parallel.hpp"
#include "gru4rec/version.hpp"

#endif
