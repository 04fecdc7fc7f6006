// The same as src/gru4rec_io.cpp, but for float only.
#include "gru4rec/io/import_model.hpp"
#include "gru4rec/io/model_file.hpp"

namespace gru4rec {
inline namespace GRU4REC_ABI {

template void save_model<float>(const Model<float>&, const std::filesystem::path&);
template Model<float> load_model<float>(const std::filesystem::path&);
template ImportedModel<float> import_model<float>(const std::filesystem::path&, const ImportOptions&);

}  // namespace GRU4REC_ABI
}  // namespace gru4rec
