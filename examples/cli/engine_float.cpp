#include "engine_impl.hpp"

namespace cli {

template gru4rec::FitReport fit(gru4rec::Model<float>&, const gru4rec::Dataset&, const FitOptions&,
                                gru4rec::EarlyStopping<float>*);
template gru4rec::Evaluation measure(const gru4rec::Model<float>&, const gru4rec::Dataset&,
                                     const gru4rec::EvaluationOptions&, const gru4rec::EvaluationData&);
template gru4rec::Model<float> load(const std::string&);
template gru4rec::ImportedModel<float> import_weights(const std::string&, const gru4rec::ImportOptions&);
template void load_initial_weights(gru4rec::Model<float>&, const std::string&);
template void save(const gru4rec::Model<float>&, const std::string&);

}  // namespace cli
