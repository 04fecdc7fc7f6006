#ifndef GRU4REC_TESTS_EVERYTHING_HPP
#define GRU4REC_TESTS_EVERYTHING_HPP

#include "gru4rec/gru4rec.hpp"

// Warnings and errors inside templates appear where these are instantiated.
template class gru4rec::Model<float>;
template class gru4rec::Model<double>;
template class gru4rec::Trainer<float>;
template class gru4rec::Trainer<double>;
template class gru4rec::SessionState<float>;
template class gru4rec::SessionState<double>;
template class gru4rec::QuantizedTable<float>;
template class gru4rec::QuantizedTable<double>;
template class gru4rec::Recommender<float>;
template class gru4rec::Recommender<double>;
template class gru4rec::SimilarItems<float>;
template class gru4rec::SimilarItems<double>;
template class gru4rec::SessionStore<float>;
template class gru4rec::SessionStore<double>;
template class gru4rec::SessionCodec<float>;
template class gru4rec::SessionCodec<double>;

inline gru4rec::FitReport train_on(const gru4rec::Dataset& data, gru4rec::Model<float>& model) {
    return gru4rec::Trainer<float>(model).fit(data);
}

#endif
