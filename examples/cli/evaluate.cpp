#include <vector>

#include "arguments.hpp"
#include "commands.hpp"
#include "engine.hpp"
#include "inputs.hpp"
#include "report.hpp"

namespace cli {

ExitStatus evaluate(const EvaluateOptions& options) {
    const gru4rec::EvaluationOptions measures =
        with_details(read_measures(options.measure, options.threads), options.report);
    std::vector<NamedFile> files = named_files("TEST", options.data);
    files.push_back({"MODEL", options.model});
    files.push_back({"--warm-start", options.warm_start});
    std::vector<NamedFile> destinations = report_files(options.report);
    destinations.push_back({"--ranks", options.measure.ranks});
    check_destinations(destinations, files);
    with_model(options.model, [&](const auto& model) {
        const bool warm = !options.warm_start.empty();
        const gru4rec::Dataset test =
            read_test_set(options.data, options.table, model.items(),
                          warm ? gru4rec::KeepSessionIds::yes : session_ids_for(options.measure));
        check_ranks(options.measure, test);
        gru4rec::Dataset history;
        if (warm) {
            history = read_sessions_with_ids({options.warm_start}, options.table, model.items());
        }
        const gru4rec::EvaluationData data{.history = warm ? &history : nullptr};
        Report report{
            .threads = options.threads,
            .params = model.hyperparameters().entries(),
            .training = {},
            .evaluations = {{name_of(options.data), test.n_unknown_events(), measure(model, test, measures, data)}}};
        report.count(test);
        report.evaluations.front().warm = warm;
        if (options.report.has_details()) {
            report.evaluations.front().add_details(test, model.supports());
        }
        print_evaluation(report.evaluations.front());
        if (warm) {
            print_history(options.warm_start, history, report.evaluations.front().result);
        }
        write_ranks(options.measure, report.evaluations.front(), test);
        write_report(report, options.report);
    });
    return ExitStatus::ok;
}

}  // namespace cli
