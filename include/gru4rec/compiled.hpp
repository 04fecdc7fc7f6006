#ifndef GRU4REC_COMPILED_HPP
#define GRU4REC_COMPILED_HPP

#include "gru4rec/core/kernels.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/core/views.hpp"
#include "gru4rec/data/dataset.hpp"
#include "gru4rec/eval/evaluate.hpp"
#include "gru4rec/model/factories.hpp"
#include "gru4rec/model/hyperparameters.hpp"
#include "gru4rec/model/model.hpp"
#include "gru4rec/model/network.hpp"
#include "gru4rec/model/passes.hpp"
#include "gru4rec/optim/update.hpp"
#include "gru4rec/train/training_step.hpp"

#include <type_traits>

/// The templates that the target gru4rec::compiled holds. `Keyword` is `extern` in every file that includes this
/// header and empty in the one source file per scalar type (src/) that compiles them.
#define GRU4REC_COMPILED_TEMPLATES(Keyword, Scalar)                                                                   \
    GRU4REC_COMPILED_MULTIPLY_ROWS(Keyword, overwrite, Scalar);                                                       \
    GRU4REC_COMPILED_MULTIPLY_ROWS(Keyword, accumulate, Scalar);                                                      \
    Keyword template void gru4rec::detail::multiply_by_rows<Scalar>(                                                  \
        std::type_identity_t<gru4rec::LaneMatrix<const Scalar>>, gru4rec::detail::Rows<const Scalar>, gru4rec::Index, \
        gru4rec::Index, gru4rec::Index, gru4rec::Index, gru4rec::Index, gru4rec::LaneMatrix<Scalar>);                 \
    Keyword template class gru4rec::Optimizer<Scalar>;                                                                \
    Keyword template gru4rec::detail::AnyLoss<Scalar> gru4rec::detail::make_loss<Scalar>(                             \
        const gru4rec::Hyperparameters&);                                                                             \
    Keyword template void gru4rec::detail::forward<Scalar>(                                                           \
        const gru4rec::detail::Network<Scalar>&, const gru4rec::detail::LaneInputs&,                                  \
        const gru4rec::detail::DropoutStep&, gru4rec::detail::NetworkTape<Scalar>&, gru4rec::detail::LaneRange);      \
    Keyword template void gru4rec::detail::backward<Scalar>(                                                          \
        const gru4rec::detail::Network<Scalar>&, gru4rec::detail::LaneRange, const gru4rec::detail::DropoutStep&,     \
        gru4rec::detail::NetworkTape<Scalar>&, const gru4rec::detail::LaterStep<Scalar>&);                            \
    Keyword template class gru4rec::detail::TrainingStep<Scalar>;                                                     \
    Keyword template gru4rec::Evaluation gru4rec::evaluate<Scalar>(                                                   \
        const gru4rec::Model<Scalar>&, const gru4rec::Dataset&, const gru4rec::EvaluationOptions&)

#define GRU4REC_COMPILED_MULTIPLY_ROWS(Keyword, output, Scalar)                                    \
    Keyword template void gru4rec::detail::multiply_rows<gru4rec::detail::Output::output, Scalar>( \
        gru4rec::detail::Rows<const Scalar>, gru4rec::Index, gru4rec::Index, gru4rec::Index,       \
        std::type_identity_t<gru4rec::LaneMatrix<const Scalar>>, gru4rec::Index, gru4rec::LaneMatrix<Scalar>)

GRU4REC_COMPILED_TEMPLATES(extern, float);
GRU4REC_COMPILED_TEMPLATES(extern, double);

#endif
