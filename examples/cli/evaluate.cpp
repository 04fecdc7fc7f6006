#include "arguments.hpp"
#include "commands.hpp"
#include "engine.hpp"
#include "inputs.hpp"
#include "report.hpp"

namespace cli {

ExitStatus evaluate(const EvaluateOptions& options) {
    const gru4rec::EvaluationOptions measures = read_measures(options.measure, options.threads);
    check_destinations({{"--report", options.report}, {"--ranks", options.measure.ranks}},
                       {{"MODEL", options.model}, {"TEST", options.data}});
    with_model(options.model, [&](const auto& model) {
        const gru4rec::Dataset test =
            read_test_set(options.data, options.columns, model.items(), session_ids_for(options.measure));
        Report report{.threads = options.threads,
                      .params = model.hyperparameters().entries(),
                      .training = {},
                      .evaluations = {{options.data, test.n_unknown_events(), measure(model, test, measures)}}};
        report.count(test);
        print_evaluation(report.evaluations.front());
        write_ranks(options.measure, report.evaluations.front(), test);
        if (!options.report.empty()) {
            write_report(report, options.report);
        }
    });
    return ExitStatus::ok;
}

}  // namespace cli
