#ifndef GRU4REC_SRC_INSTANTIATE_HPP
#define GRU4REC_SRC_INSTANTIATE_HPP

#include "gru4rec/gru4rec.hpp"

// The templates that headers declare `extern` under GRU4REC_COMPILED, for one scalar type.
#define GRU4REC_INSTANTIATE_DETAIL(Scalar)                                                                            \
    template void multiply_rows<Scalar>(const WeightBlock<Scalar>&, LaneMatrix<const Scalar>, Index,                  \
                                        LaneMatrix<Scalar>, Output) noexcept;                                         \
    template void multiply_by_rows<Scalar>(LaneMatrix<const Scalar>, const WeightBlock<Scalar>&, Index,               \
                                           LaneMatrix<Scalar>, Output, Index) noexcept;                               \
    template void for_each_outer_block<Scalar>(const OuterFactors<Scalar>&, Range, Index, const OuterTarget<Scalar>&, \
                                               FunctionRef<void(const OuterBlock<Scalar>&)>) noexcept;                \
    template void dot_products<Scalar>(const WeightBlock<Scalar>&, Rows<const Scalar>, Index, Rows<Scalar>,           \
                                       Output) noexcept;                                                              \
    template class LaneGru<Scalar, ResetBefore>;                                                                      \
    template class LaneGru<Scalar, ResetAfter>;                                                                       \
    template void forward<Scalar>(const Network<Scalar>&, const LaneInputs&, const DropoutStep&,                      \
                                  NetworkTape<Scalar>&);                                                              \
    template void backward<Scalar>(const Network<Scalar>&, Index, const DropoutStep&, NetworkTape<Scalar>&,           \
                                   const LaterStep<Scalar>&);                                                         \
    template AnyLoss<Scalar> make_loss<Scalar>(const Hyperparameters&);                                               \
    template class RowOptimizer<Scalar>;                                                                              \
    template class GradientSquares<Scalar>;                                                                           \
    template class Network<Scalar>;                                                                                   \
    template class SessionStep<Scalar>;                                                                               \
    template class ExactScan<Scalar>;                                                                                 \
    template class QuantizedScan<Scalar>;                                                                             \
    template class GroupScan<Scalar>;                                                                                 \
    template class SessionGroup<Scalar>;                                                                              \
    template class TrainingStep<Scalar>

#define GRU4REC_INSTANTIATE(Scalar)                                                                      \
    template class Model<Scalar>;                                                                        \
    template class SessionState<Scalar>;                                                                 \
    template class QuantizedTable<Scalar>;                                                               \
    template class Recommender<Scalar>;                                                                  \
    template class SimilarItems<Scalar>;                                                                 \
    template class SessionStore<Scalar>;                                                                 \
    template Evaluation evaluate<Scalar>(const Model<Scalar>&, const Dataset&, const EvaluationOptions&, \
                                         const EvaluationData&);                                         \
    template class Trainer<Scalar>;                                                                      \
    template class EarlyStopping<Scalar>

#endif
