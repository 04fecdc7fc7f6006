#include "gru4rec/model/hyperparameters.hpp"
#include "gru4rec/model/model.hpp"
#include "gru4rec/train/early_stopping.hpp"

#include <cstddef>
#include <cstdio>
#include <optional>
#include <stdexcept>
#include <utility>

#include "arguments.hpp"
#include "commands.hpp"
#include "engine.hpp"
#include "inputs.hpp"
#include "interruption.hpp"
#include "report.hpp"
#include "support/progress_bar.hpp"

namespace cli {

namespace {

/// All that training needs, read and checked before it starts.
struct Inputs {
    gru4rec::Hyperparameters parameters;
    gru4rec::EvaluationOptions measures;        ///< of test files
    gru4rec::EvaluationOptions valid_measures;  ///< of the validation file
    gru4rec::Dataset train;                     ///< counted by the model's items
    std::optional<gru4rec::Dataset> valid;
    std::vector<gru4rec::Dataset> tests;  ///< as TrainOptions::tests
};

/// Where the optimiser's memory of a model that is trained further is looked for.
[[nodiscard]] std::string checkpoint_beside(const TrainOptions& options) { return options.continued + ".checkpoint"; }

void check_files(const TrainOptions& options) {
    const std::string& checkpoint = options.checkpoints.destination();
    std::vector<NamedFile> files = {
        {"TRAIN", options.data}, {"--param-file", options.param_file}, {"--valid", options.valid}};
    for (const std::string& test : options.tests) {
        files.push_back({"--test", test});
    }
    if (!options.continued.empty()) {
        files.push_back({"the checkpoint beside --continue", checkpoint_beside(options)});
    }
    // A model may be trained further and replaced: --save may name the file of --init or --continue. But then the same
    // command would have another start.
    check_destinations({{"--save", options.save}}, files);
    const std::vector<NamedFile> starts = {{"--init", options.init}, {"--continue", options.continued}};
    files.insert(files.end(), starts.begin(), starts.end());
    if (!options.checkpoints.resume.empty()) {
        check_destinations({{"--save", options.save}}, starts);
        check_destinations({{"--save", options.save}, {"--report", options.report}, {"--ranks", options.measure.ranks}},
                           {{"--resume", options.checkpoints.resume}});
    }
    files.push_back({"--save", options.save});
    check_destinations({{options.checkpoints.file.empty() ? "--resume" : "--checkpoint", checkpoint},
                        {"--report", options.report},
                        {"--ranks", options.measure.ranks}},
                       files);
    if (!options.measure.ranks.empty() && options.tests.size() != 1) {
        throw std::invalid_argument("--ranks: the ranks are those of one test file, expected --test FILE once");
    }
}

/// All but the data to evaluate on. @param parameters  those that the options do not name
[[nodiscard]] Inputs read_inputs(const TrainOptions& options, gru4rec::Hyperparameters parameters = {}) {
    Inputs inputs{.parameters = read_parameters(options.params, options.param_file, std::move(parameters)),
                  .measures = read_measures(options.measure, options.threads),
                  .valid_measures = {},
                  .train = {},
                  .valid = {},
                  .tests = {}};
    inputs.valid_measures = {
        .cutoffs = inputs.measures.cutoffs, .ties = inputs.measures.ties, .max_threads = options.threads};
    check_files(options);
    inputs.train = read_training_set(options.data, options.columns);
    return inputs;
}

void read_evaluation_data(const TrainOptions& options, const gru4rec::ItemMap& items, Inputs& inputs) {
    if (!options.valid.empty()) {
        inputs.valid = read_test_set(options.valid, options.columns, items);
    }
    for (const std::string& test : options.tests) {
        inputs.tests.push_back(read_test_set(test, options.columns, items, session_ids_for(options.measure)));
        check_ranks(options.measure, inputs.tests.back());
    }
}

/// @pre one of the words that the command line takes
[[nodiscard]] gru4rec::StopMetric read_stop_metric(const std::string& name) {
    using enum gru4rec::StopMetric;
    return name == "mrr" ? mrr : name == "ndcg" ? ndcg : recall;
}

template <class Scalar>
[[nodiscard]] FileEvaluation evaluate_file(const gru4rec::Model<Scalar>& model, const std::string& file,
                                           const gru4rec::Dataset& data, const gru4rec::EvaluationOptions& measures) {
    return {file, data.n_unknown_events(), measure(model, data, measures)};
}

void print_resumption(const TrainOptions& options, const gru4rec::TrainingPosition& at, int n_epochs) {
    if (at.epoch > n_epochs) {
        std::printf("%s: all %d epochs are done\n", options.checkpoints.resume.c_str(), n_epochs);
    } else {
        std::printf("%s: going on in epoch %d after step %lld\n", options.checkpoints.resume.c_str(), at.epoch,
                    static_cast<long long>(at.step));
    }
    std::fflush(stdout);
}

/// @param model      at the start of training
/// @param optimizer  as FitOptions::optimizer
template <class Scalar>
[[nodiscard]] ExitStatus run(const TrainOptions& options, const Inputs& inputs, gru4rec::Model<Scalar> model,
                             const std::string& optimizer) {
    const gru4rec::Dataset& train = inputs.train;
    const Interruption interruption;
    print_data(options.data, train);

    Report report{.threads = options.threads, .params = inputs.parameters.entries(), .training = {}, .evaluations = {}};
    report.count(train);
    TrainingReport& training = report.training.emplace();
    training.seed = options.seed;

    std::optional<gru4rec::EarlyStopping<Scalar>> stopping;
    if (options.patience > 0) {
        stopping.emplace(model, *inputs.valid,
                         gru4rec::EarlyStoppingOptions{options.patience, read_stop_metric(options.stop_metric),
                                                       inputs.valid_measures});
    }

    ProgressBar bar(inputs.parameters.n_epochs);
    FitOptions fit_options{.seed = options.seed,
                           .threads = options.threads,
                           .checkpoints = options.checkpoints,
                           .optimizer = optimizer,
                           .after_resume = {},
                           .after_optimizer = {},
                           .after_step = {},
                           .after_epoch = {}};
    fit_options.after_resume = [&](const gru4rec::TrainingPosition& at) {
        print_resumption(options, at, inputs.parameters.n_epochs);
        bar.resume_epoch(static_cast<double>(at.pairs), at.weighted_loss);
    };
    fit_options.after_optimizer = [&] {
        std::printf("the optimiser goes on with what %s remembers\n", optimizer.c_str());
    };
    fit_options.after_step = [&](const gru4rec::StepReport& step) {
        if (static_cast<std::int64_t>(training.step_loss.size()) < options.log_steps) {
            training.step_loss.push_back(step.loss);
        }
        bar.show(step);
        return !interruption.requested();
    };
    fit_options.after_epoch = [&](const gru4rec::EpochReport& done) {
        TrainedEpoch epoch{done, {}};
        bool go_on = true;
        if (inputs.valid && done.complete) {
            epoch.valid = evaluate_file(model, options.valid, *inputs.valid, inputs.valid_measures);
            go_on = !stopping || stopping->observe(epoch.valid->result);
        }
        bar.clear();
        print_epoch(epoch, inputs.parameters.n_epochs);
        training.epochs.push_back(std::move(epoch));
        bar.start_epoch();
        return go_on && !interruption.requested();
    };
    if (const std::string& file = options.checkpoints.resume; !file.empty() && !is_there(file)) {
        std::printf("%s: not there yet, training starts from the beginning\n", file.c_str());
    }
    fit(model, train, fit_options, stopping ? &*stopping : nullptr);
    if (interruption.requested() && !training.epochs.empty()) {
        const gru4rec::EpochReport& last = training.epochs.back().report;
        std::printf("stopped by a signal in epoch %d after %lld steps\n", last.epoch,
                    static_cast<long long>(last.steps));
        if (!options.checkpoints.destination().empty()) {
            std::printf("it can go on from there: --resume %s\n", options.checkpoints.destination().c_str());
        }
    }

    if (stopping && stopping->best_epoch() > 0) {
        stopping->restore_best();
        training.best_epoch = stopping->best_epoch();
        std::printf("the weights are those of epoch %d, the best by %s\n", training.best_epoch,
                    options.stop_metric.c_str());
    }

    if (!options.save.empty()) {
        save(model, options.save);
    }
    for (std::size_t i = 0; i < inputs.tests.size() && !interruption.requested(); ++i) {
        report.evaluations.push_back(evaluate_file(model, options.tests[i], inputs.tests[i], inputs.measures));
        print_evaluation(report.evaluations.back());
        write_ranks(options.measure, report.evaluations.back(), inputs.tests[i]);
    }
    if (!options.report.empty()) {
        write_report(report, options.report);
    }
    return interruption.requested() ? ExitStatus::interrupted : ExitStatus::ok;
}

/// Whose checkpoint lies beside the model that is trained further, where its optimiser is the same; else empty.
[[nodiscard]] std::string optimizer_beside(const TrainOptions& options, const gru4rec::Hyperparameters& old,
                                           const gru4rec::Hyperparameters& parameters) {
    const std::string checkpoint = checkpoint_beside(options);
    if (!is_there(checkpoint)) {
        std::printf("the optimiser starts fresh: there is no %s\n", checkpoint.c_str());
        return {};
    }
    if (old.adapt != parameters.adapt) {
        std::printf("the optimiser starts fresh: adapt is no longer that of %s\n", checkpoint.c_str());
        return {};
    }
    return checkpoint;
}

template <class Scalar>
[[nodiscard]] ExitStatus run_new(const TrainOptions& options) {
    Inputs inputs = read_inputs(options);
    const gru4rec::Dataset& train = inputs.train;
    read_evaluation_data(options, train.items(), inputs);
    gru4rec::Model<Scalar> model(inputs.parameters, train.items(), {train.supports().begin(), train.supports().end()},
                                 options.seed);
    if (!options.init.empty()) {
        load_initial_weights(model, options.init);
    }
    return run(options, inputs, std::move(model), {});
}

template <class Scalar>
[[nodiscard]] ExitStatus run_further(const TrainOptions& options, const gru4rec::Model<Scalar>& old) {
    Inputs inputs = read_inputs(options, old.hyperparameters());
    gru4rec::Model<Scalar> model = old.extended(inputs.train.items(), inputs.train.supports(), options.seed);
    model.set_hyperparameters(inputs.parameters);
    inputs.train = inputs.train.with_items(model.items());
    read_evaluation_data(options, model.items(), inputs);
    std::printf("%s: %td items, %td new ones appended\n", options.continued.c_str(), old.n_items(),
                model.n_items() - old.n_items());
    const std::string optimizer = optimizer_beside(options, old.hyperparameters(), inputs.parameters);
    return run(options, inputs, std::move(model), optimizer);
}

}  // namespace

ExitStatus train(const TrainOptions& options) {
    if (!options.continued.empty()) {
        return with_model(options.continued, [&](const auto& old) { return run_further(options, old); });
    }
    return options.precision == "double" ? run_new<double>(options) : run_new<float>(options);
}

}  // namespace cli
