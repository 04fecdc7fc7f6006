#include "evaluation.hpp"

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/eval/evaluate.hpp"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <string_view>
#include <utility>

#include "bindings.hpp"
#include "dataset.hpp"
#include "interpreter_lock.hpp"
#include "model.hpp"
#include "signals.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace gru4rec_python {

namespace {

using gru4rec::Evaluation;
using gru4rec::Ties;

[[nodiscard]] Ties parse_ties(std::string_view name) {
    for (const Ties ties : {Ties::standard, Ties::conservative, Ties::median}) {
        if (to_string(ties) == name) {
            return ties;
        }
    }
    gru4rec::detail::throw_invalid("ties = " + gru4rec::detail::quote(name) +
                                   ", expected standard, conservative or median");
}

[[nodiscard]] Evaluation evaluate(const PythonModel& model, const PythonDataset& test, const std::vector<int>& cutoffs,
                                  const std::vector<std::string>& ties, int threads, bool coverage, int resamples,
                                  double level, std::uint64_t seed) {
    gru4rec::EvaluationOptions options = evaluation_options(cutoffs, ties, threads);
    options.coverage = coverage;
    options.bootstrap = {.resamples = resamples, .level = level, .seed = seed};
    options.on_progress = SignalWatch();
    const InterpreterUnlocked released;
    return gru4rec::evaluate(model.model(), test.data, options);
}

/// Binds a metric that depends on the cutoff and the rule for ties.
template <class First, class ByRule>
void bind_metric(nb::class_<Evaluation>& evaluation, const char* name, First first, ByRule by_rule) {
    evaluation.def(
        name,
        [first, by_rule](const Evaluation& self, int cutoff, const std::optional<std::string>& ties) {
            return ties ? (self.*by_rule)(cutoff, parse_ties(*ties)) : (self.*first)(cutoff);
        },
        "cutoff"_a, "ties"_a = nb::none(),
        "The metric at a cutoff; without ties, by the first rule that was measured.");
}

using OfCutoff = double (Evaluation::*)(int) const;
using OfCutoffAndRule = double (Evaluation::*)(int, Ties) const;

/// The intervals of a metric by the first rule for ties, as (low, high) by cutoff.
[[nodiscard]] nb::dict intervals(const Evaluation& evaluation, const std::vector<gru4rec::Interval>& of_metric) {
    nb::dict result;
    for (std::size_t i = 0; i < of_metric.size(); ++i) {
        result[nb::int_(evaluation.cutoffs[i])] = nb::make_tuple(of_metric[i].low, of_metric[i].high);
    }
    return result;
}

}  // namespace

gru4rec::EvaluationOptions evaluation_options(const std::vector<int>& cutoffs, const std::vector<std::string>& ties,
                                              int threads) {
    gru4rec::EvaluationOptions options;
    options.cutoffs = cutoffs;
    options.ties.clear();
    for (const std::string& name : ties) {
        options.ties.push_back(parse_ties(name));
    }
    options.max_threads = threads;
    options.validate();
    return options;
}

void bind_evaluation(nb::module_& module) {
    nb::class_<Evaluation> evaluation(module, "Evaluation", "What evaluate() measured.");
    bind_metric(evaluation, "recall_at", static_cast<OfCutoff>(&Evaluation::recall_at),
                static_cast<OfCutoffAndRule>(&Evaluation::recall_at));
    bind_metric(evaluation, "mrr_at", static_cast<OfCutoff>(&Evaluation::mrr_at),
                static_cast<OfCutoffAndRule>(&Evaluation::mrr_at));
    bind_metric(evaluation, "ndcg_at", static_cast<OfCutoff>(&Evaluation::ndcg_at),
                static_cast<OfCutoffAndRule>(&Evaluation::ndcg_at));
    evaluation
        .def("coverage_at", &Evaluation::coverage_at, "cutoff"_a, "The fraction of all items that appear in a list.")
        .def("popularity_at", &Evaluation::popularity_at, "cutoff"_a,
             "The mean share of the training events that a listed item has.")
        .def_ro("n_predictions", &Evaluation::n_predictions, "The number of predicted events.")
        .def_ro("cutoffs", &Evaluation::cutoffs, "The list lengths that were measured.")
        .def_ro("seconds", &Evaluation::seconds, "How long the evaluation took.")
        .def_prop_ro(
            "recall_intervals",
            [](const Evaluation& self) { return intervals(self, self.metrics.front().recall_interval); },
            nb::sig("def recall_intervals(self) -> dict[int, tuple[float, float]]"),
            "Confidence intervals (low, high) of the recall by cutoff; empty without resamples.")
        .def_prop_ro(
            "mrr_intervals", [](const Evaluation& self) { return intervals(self, self.metrics.front().mrr_interval); },
            nb::sig("def mrr_intervals(self) -> dict[int, tuple[float, float]]"),
            "Confidence intervals (low, high) of the MRR by cutoff; empty without resamples.")
        .def("__repr__", [](const Evaluation& self) {
            std::string text = "<Evaluation of " + std::to_string(self.n_predictions) + " predictions:";
            for (const int cutoff : self.cutoffs) {
                const std::string at = "@" + std::to_string(cutoff) + " ";
                text += " Recall" + at + std::to_string(self.recall_at(cutoff)) + " MRR" + at +
                        std::to_string(self.mrr_at(cutoff));
            }
            return text + ">";
        });
    module.def("evaluate", &evaluate, "model"_a, "test"_a, "cutoffs"_a, "ties"_a, "threads"_a, "coverage"_a,
               "resamples"_a, "level"_a, "seed"_a);
}

}  // namespace gru4rec_python
