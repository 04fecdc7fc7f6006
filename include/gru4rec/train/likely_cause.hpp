#ifndef GRU4REC_TRAIN_LIKELY_CAUSE_HPP
#define GRU4REC_TRAIN_LIKELY_CAUSE_HPP

#include "gru4rec/core/text.hpp"
#include "gru4rec/model/hyperparameters.hpp"

#include <string>
#include <string_view>

namespace gru4rec::inline GRU4REC_ABI::detail {

/// Which setting most likely made training diverge, its value and what to try: one far beyond every published one if
/// there is such, else the learning rate.
[[nodiscard]] inline std::string likely_cause(const Hyperparameters& p) {
    struct Usual {
        std::string_view name;
        double value;
        double most;
    };
    for (const Usual& setting : {Usual{"sigma", p.sigma, 1}, Usual{"logq", p.logq, 10}, Usual{"bpreg", p.bpreg, 100},
                                 Usual{"elu_param", p.elu_param, 100}, Usual{"lmbd", p.lmbd, 1}}) {
        if (setting.value > setting.most) {
            return std::string(setting.name) + " = " + format_number(setting.value) + ": try " +
                   format_number(setting.most) + " or less";
        }
    }
    std::string cause = "learning_rate = " + format_number(p.effective_learning_rate());
    if (p.momentum > 0) {
        cause += " with momentum = " + format_number(p.momentum);
    }
    cause += ": try a third of it";
    if (p.hidden_act.kind != ActivationKind::tanh) {
        cause += ", or hidden_act = tanh instead of " + to_string(p.hidden_act) + ", which does not bound the state";
    }
    if (p.bptt > 1 && p.grad_cap == 0) {
        cause +=
            ", or grad_cap = 1 against gradients that grow on their way back through bptt = " + format_number(p.bptt) +
            " steps";
    }
    return cause;
}

}  // namespace gru4rec::inline GRU4REC_ABI::detail

#endif
