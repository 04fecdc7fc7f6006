#ifndef GRU4REC_TESTS_SUPPORT_ALL_TIES_HPP
#define GRU4REC_TESTS_SUPPORT_ALL_TIES_HPP

#include "gru4rec/eval/metrics.hpp"

#include <vector>

inline const std::vector<gru4rec::Ties> all_ties = {gru4rec::Ties::standard, gru4rec::Ties::conservative,
                                                    gru4rec::Ties::median};

#endif
