#ifndef GRU4REC_TRAIN_HPP
#define GRU4REC_TRAIN_HPP

// A model and its trainer, with early stopping.
#include "gru4rec/model/model.hpp"
#include "gru4rec/train/early_stopping.hpp"
#include "gru4rec/train/trainer.hpp"
#include "gru4rec/version.hpp"

#endif
