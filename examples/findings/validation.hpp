#ifndef GRU4REC_FINDINGS_VALIDATION_HPP
#define GRU4REC_FINDINGS_VALIDATION_HPP

#include "gru4rec/data/events.hpp"

#include "runs.hpp"

namespace findings {

/// Training data split by time, as gru4rec::preprocess does: the newest tenth of the sessions is for testing. From the
/// others, events at or after its beginning are cut.
///
/// @pre there are events
/// @throws gru4rec::ConfigError if that leaves fewer than two sessions for training or nothing to predict
[[nodiscard]] TrainAndTest split_off_newest(const gru4rec::Events& events);

}  // namespace findings

#endif
