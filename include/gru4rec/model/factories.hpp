#ifndef GRU4REC_MODEL_FACTORIES_HPP
#define GRU4REC_MODEL_FACTORIES_HPP

#include "gru4rec/model/hyperparameters.hpp"
#include "gru4rec/nn/any_loss.hpp"
#include "gru4rec/nn/loss.hpp"
#include "gru4rec/optim/update.hpp"

#include <cstddef>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// The loss that the hyper-parameters name.
template <class Scalar>
[[nodiscard]] AnyLoss<Scalar> make_loss(const Hyperparameters& p) {
    const Activation act = p.effective_final_act();
    switch (p.loss) {
        case LossKind::cross_entropy: return CrossEntropy<Scalar>{static_cast<Scalar>(p.smoothing)};
        case LossKind::bpr: return Bpr<Scalar>{act, p.pairwise_mean ? Pairwise::mean : Pairwise::sum};
        case LossKind::top1: return Top1<Scalar>{act};
        case LossKind::bpr_max: return BprMax<Scalar>{act, static_cast<Scalar>(p.bpreg)};
        case LossKind::top1_max: break;
    }
    return Top1Max<Scalar>{act};
}

/// The optimiser that the hyper-parameters name.
template <class Scalar>
[[nodiscard]] RowOptimizer<Scalar> make_optimizer(const Hyperparameters& p) {
    const auto number = [&](std::size_t i, double otherwise) {
        return i < p.adapt_params.size() ? p.adapt_params[i] : otherwise;
    };
    AnyRule<Scalar> rule = Adagrad<Scalar>{};
    switch (p.adapt) {
        case Adapt::adagrad: break;
        case Adapt::sgd: rule = Sgd<Scalar>{}; break;
        case Adapt::rmsprop: rule = RmsProp<Scalar>{static_cast<Scalar>(number(0, 0.9))}; break;
        case Adapt::adadelta: rule = Adadelta<Scalar>{static_cast<Scalar>(number(0, 0.95))}; break;
        case Adapt::adam: rule = Adam<Scalar>{number(0, 0.9), number(1, 0.999)}; break;
    }
    return RowOptimizer<Scalar>(rule, {static_cast<Scalar>(p.effective_learning_rate()),
                                       static_cast<Scalar>(p.momentum), static_cast<Scalar>(p.lmbd)});
}

#if defined(GRU4REC_COMPILED)
extern template AnyLoss<float> make_loss<float>(const Hyperparameters&);
extern template AnyLoss<double> make_loss<double>(const Hyperparameters&);
#endif

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
