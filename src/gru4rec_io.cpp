#include "gru4rec/io/checkpoint.hpp"
#include "gru4rec/io/import_model.hpp"
#include "gru4rec/io/load_optimizer.hpp"
#include "gru4rec/io/model_file.hpp"
#include "gru4rec/io/session_bytes.hpp"

#define GRU4REC_INSTANTIATE_IO(Scalar)                                                                       \
    template void save_model<Scalar>(const Model<Scalar>&, const std::filesystem::path&);                    \
    template Model<Scalar> load_model<Scalar>(const std::filesystem::path&);                                 \
    template void load_weights<Scalar>(Model<Scalar>&, const std::filesystem::path&);                        \
    template ImportedModel<Scalar> import_model<Scalar>(const std::filesystem::path&, const ImportOptions&); \
    template void load_optimizer<Scalar>(Trainer<Scalar>&, const std::filesystem::path&);                    \
    template class Checkpoint<Scalar>;                                                                       \
    template class SessionCodec<Scalar>

namespace gru4rec {
inline namespace GRU4REC_ABI {

GRU4REC_INSTANTIATE_IO(float);
GRU4REC_INSTANTIATE_IO(double);

}  // namespace GRU4REC_ABI
}  // namespace gru4rec
