#ifndef GRU4REC_TESTS_EVERYTHING_HPP
#define GRU4REC_TESTS_EVERYTHING_HPP

#include "gru4rec/gru4rec.hpp"

// Warnings and errors inside templates appear where these are instantiated.
template class gru4rec::Model<float>;
template class gru4rec::Model<double>;
template class gru4rec::Trainer<float>;
template class gru4rec::Trainer<double>;

inline gru4rec::FitReport train_on(const gru4rec::Dataset& data, gru4rec::Model<float>& model) {
    return gru4rec::Trainer<float>(model).fit(data);
}

#endif
