#ifndef GRU4REC_TESTS_SUPPORT_COMPILED_ONCE_HPP
#define GRU4REC_TESTS_SUPPORT_COMPILED_ONCE_HPP

#include "gru4rec/core/kernels.hpp"
#include "gru4rec/eval/evaluate.hpp"
#include "gru4rec/model/factories.hpp"
#include "gru4rec/model/network.hpp"
#include "gru4rec/model/passes.hpp"
#include "gru4rec/optim/update.hpp"
#include "gru4rec/train/training_step.hpp"

#include <type_traits>

#define GRU4REC_MULTIPLY_ROWS_ONCE(Keyword, output, Scalar)                                        \
    Keyword template void gru4rec::detail::multiply_rows<gru4rec::detail::Output::output, Scalar>( \
        gru4rec::detail::Rows<const Scalar>, gru4rec::Index, gru4rec::Index, gru4rec::Index,       \
        std::type_identity_t<gru4rec::LaneMatrix<const Scalar>>, gru4rec::Index, gru4rec::LaneMatrix<Scalar>)

// The library's large templates, compiled by support/compiled_float.cpp and support/compiled_double.cpp for all tests.
#define GRU4REC_COMPILED_ONCE(Keyword, Scalar)                                                                        \
    GRU4REC_MULTIPLY_ROWS_ONCE(Keyword, overwrite, Scalar);                                                           \
    GRU4REC_MULTIPLY_ROWS_ONCE(Keyword, accumulate, Scalar);                                                          \
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
        const gru4rec::Model<Scalar>&, const gru4rec::Dataset&, const gru4rec::EvaluationOptions&,                    \
        const gru4rec::EvaluationData&)

GRU4REC_COMPILED_ONCE(extern, float);
GRU4REC_COMPILED_ONCE(extern, double);

#endif
