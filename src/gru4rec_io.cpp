#include "gru4rec/io/model_file.hpp"

#include <filesystem>

template void gru4rec::save_model(const gru4rec::Model<float>&, const std::filesystem::path&);
template void gru4rec::save_model(const gru4rec::Model<double>&, const std::filesystem::path&);
template gru4rec::Model<float> gru4rec::load_model(const std::filesystem::path&);
template gru4rec::Model<double> gru4rec::load_model(const std::filesystem::path&);
template void gru4rec::load_weights(gru4rec::Model<float>&, const std::filesystem::path&);
template void gru4rec::load_weights(gru4rec::Model<double>&, const std::filesystem::path&);
