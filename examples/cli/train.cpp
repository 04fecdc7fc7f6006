#include "gru4rec/core/error.hpp"
#include "gru4rec/model/hyperparameters.hpp"
#include "gru4rec/model/model.hpp"
#include "gru4rec/train/early_stopping.hpp"

#include <cmath>
#include <cstddef>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "arguments.hpp"
#include "baselines.hpp"
#include "commands.hpp"
#include "engine.hpp"
#include "inputs.hpp"
#include "interruption.hpp"
#include "messages.hpp"
#include "report.hpp"
#include "support/progress_bar.hpp"

namespace cli {

namespace {

/// A signal has come while ranks were measured.
struct Stopped {};

/// With details, the gradients of every 50th update are measured: often enough for a mean, too seldom for the time to
/// be noticed.
constexpr int gradients_every = 50;

/// Everything that training needs, read and checked before it starts.
struct Inputs {
    gru4rec::Hyperparameters parameters;
    gru4rec::EvaluationOptions measures;        ///< of test files
    gru4rec::EvaluationOptions valid_measures;  ///< of the validation file
    gru4rec::Dataset train;                     ///< indexed by the model's items
    std::optional<gru4rec::Dataset> valid;
    std::vector<gru4rec::Dataset> tests;  ///< in the order of TrainOptions::tests
};

/// Where to look for the optimiser's state of a model that is trained further.
[[nodiscard]] std::string checkpoint_beside(const TrainOptions& options) { return options.continued + ".checkpoint"; }

void check_files(const TrainOptions& options) {
    const std::string& checkpoint = options.checkpoints.destination();
    std::vector<NamedFile> files = named_files("TRAIN", options.data);
    const auto add_files = [&](std::string_view option, const std::string& path) {
        for (NamedFile& file : named_files(option, {path})) {
            files.push_back(std::move(file));
        }
    };
    const auto with_results = [&](std::vector<NamedFile> destinations) {
        for (const NamedFile& report : report_files(options.report)) {
            destinations.push_back(report);
        }
        destinations.push_back({"--ranks", options.measure.ranks});
        return destinations;
    };
    files.push_back({"--param-file", options.param_file});
    if (!options.valid.empty()) {
        add_files("--valid", options.valid);
    }
    for (const std::string& test : options.tests) {
        add_files("--test", test);
    }
    if (!options.continued.empty()) {
        files.push_back({"the checkpoint beside --continue", checkpoint_beside(options)});
    }
    // --save may replace the model of --init or --continue, except with --resume: running the same command again would
    // then start from another model.
    check_destinations({{"--save", options.save}}, files);
    const std::vector<NamedFile> starts = {{"--init", options.init}, {"--continue", options.continued}};
    files.insert(files.end(), starts.begin(), starts.end());
    if (!options.checkpoints.resume.empty()) {
        check_destinations({{"--save", options.save}}, starts);
        check_destinations(with_results({{"--save", options.save}}), {{"--resume", options.checkpoints.resume}});
    }
    files.push_back({"--save", options.save});
    check_destinations(with_results({{options.checkpoints.file.empty() ? "--resume" : "--checkpoint", checkpoint}}),
                       files);
    if (!options.measure.ranks.empty() && options.tests.size() != 1) {
        throw gru4rec::ConfigError("--ranks: needs exactly one --test FILE");
    }
}

/// Everything except the evaluation data. @param parameters  values of the parameters that the options do not name
[[nodiscard]] Inputs read_inputs(const TrainOptions& options, gru4rec::Hyperparameters parameters = {}) {
    Inputs inputs{.parameters = read_parameters(options.params, options.param_file, std::move(parameters)),
                  .measures = with_details(read_measures(options.measure, options.threads), options.report),
                  .valid_measures = {},
                  .train = {},
                  .valid = {},
                  .tests = {}};
    inputs.valid_measures = {
        .cutoffs = inputs.measures.cutoffs, .ties = inputs.measures.ties, .max_threads = options.threads};
    check_files(options);
    inputs.train = read_training_set(options.data, options.table);
    return inputs;
}

void read_evaluation_data(const TrainOptions& options, const gru4rec::ItemMap& items, Inputs& inputs) {
    if (!options.valid.empty()) {
        inputs.valid = read_test_set({options.valid}, options.table, items);
    }
    for (const std::string& test : options.tests) {
        inputs.tests.push_back(read_test_set({test}, options.table, items, session_ids_for(options.measure)));
        check_ranks(options.measure, inputs.tests.back());
    }
}

/// @pre `name` is one of the words that the command line accepts
[[nodiscard]] gru4rec::StopMetric read_stop_metric(const std::string& name) {
    using enum gru4rec::StopMetric;
    return name == "mrr" ? mrr : name == "ndcg" ? ndcg : recall;
}

template <class Scalar>
[[nodiscard]] FileEvaluation evaluate_file(const gru4rec::Model<Scalar>& model, const std::string& file,
                                           const gru4rec::Dataset& data, const gru4rec::EvaluationOptions& measures) {
    return {file, data.n_unknown_events(), measure(model, data, measures)};
}

template <class Scalar>
[[nodiscard]] std::vector<WeightNorm> weight_norms(const gru4rec::Model<Scalar>& model) {
    std::vector<WeightNorm> norms;
    for (const auto& tensor : model.tensors()) {
        double squares = 0;
        for (gru4rec::Index r = 0; r < tensor.rows; ++r) {
            for (gru4rec::Index c = 0; c < tensor.cols; ++c) {
                squares += static_cast<double>(tensor(r, c)) * static_cast<double>(tensor(r, c));
            }
        }
        norms.push_back({tensor.name, std::sqrt(squares)});
    }
    return norms;
}

void print_resumption(const TrainOptions& options, const gru4rec::TrainingPosition& at, int n_epochs) {
    if (at.epoch > n_epochs) {
        std::printf("%s: all %d epochs are done\n", options.checkpoints.resume.c_str(), n_epochs);
    } else {
        std::printf("%s: resuming in epoch %d after step %lld\n", options.checkpoints.resume.c_str(), at.epoch,
                    static_cast<long long>(at.step));
    }
    std::fflush(stdout);
}

/// From the first step to the report.
template <class Scalar>
class TrainingRun {
  public:
    /// @param model  at the start of training
    TrainingRun(const TrainOptions& options, const Inputs& inputs, gru4rec::Model<Scalar> model)
        : options_(options),
          inputs_(inputs),
          test_measures_(inputs.measures),
          valid_measures_(inputs.valid_measures),
          model_(std::move(model)),
          report_{.threads = options.threads,
                  .params = inputs.parameters.entries(),
                  .training = TrainingReport{.seed = options.seed, .epochs = {}, .step_loss = {}},
                  .evaluations = {}} {
        report_.count(inputs.train);
        test_measures_.on_progress = [this] { end_if_requested(); };
        if (options.patience > 0) {
            stopping_.emplace(model_, *inputs.valid,
                              gru4rec::EarlyStoppingOptions{options.patience, read_stop_metric(options.stop_metric),
                                                            inputs.valid_measures});
        } else {  // early stopping needs every epoch's metrics, also those of a run that resumes
            valid_measures_.on_progress = test_measures_.on_progress;
        }
    }

    TrainingRun(const TrainingRun&) = delete;  // early stopping keeps a reference to the model
    TrainingRun& operator=(const TrainingRun&) = delete;

    /// @param optimizer  as FitOptions::optimizer
    [[nodiscard]] ExitStatus run(const std::string& optimizer) {
        print_data(name_of(options_.data), inputs_.train);
        if (options_.save.empty() && options_.tests.empty() && options_.report.files.empty() &&
            options_.checkpoints.destination().empty()) {
            tell("nothing from this training is kept: give --save, --test, --report or --checkpoint to keep something");
        }
        fit_model(optimizer);
        const bool was_stopped = interruption_.requested();
        if (was_stopped) {
            tell_of_interruption();
        }
        restore_best_epoch();
        if (!options_.save.empty()) {
            save(model_, options_.save);
        }
        if (!was_stopped) {
            evaluate_tests();
        }
        write_report(report_, options_.report);
        return interruption_.requested() ? ExitStatus::interrupted : ExitStatus::ok;
    }

  private:
    void fit_model(const std::string& optimizer) {
        ProgressBar bar(inputs_.parameters.n_epochs);
        const FitOptions fit_options{
            .seed = options_.seed,
            .threads = options_.threads,
            .gradients_every = options_.report.has_details() ? gradients_every : 0,
            .checkpoints = options_.checkpoints,
            .optimizer = optimizer,
            .after_resume =
                [&](const gru4rec::TrainingPosition& at) {
                    print_resumption(options_, at, inputs_.parameters.n_epochs);
                    bar.resume_epoch(static_cast<double>(at.pairs), at.weighted_loss);
                },
            .after_optimizer = [&] { std::printf("the optimiser continues from %s\n", optimizer.c_str()); },
            .after_step = [&](const gru4rec::StepReport& step) { return after_step(step, bar); },
            .after_epoch = [&](const gru4rec::EpochReport& epoch) { return after_epoch(epoch, bar); }};
        if (const std::string& file = options_.checkpoints.resume; !file.empty() && !is_there(file)) {
            std::printf("%s: no checkpoint yet; training starts from the beginning\n", file.c_str());
        }
        fit(model_, inputs_.train, fit_options, stopping_ ? &*stopping_ : nullptr);
    }

    /// @returns false to end training
    [[nodiscard]] bool after_step(const gru4rec::StepReport& step, ProgressBar& bar) {
        std::vector<double>& losses = report_.training->step_loss;
        if (static_cast<std::int64_t>(losses.size()) < options_.log_steps) {
            losses.push_back(step.loss);
        }
        bar.show(step);
        return !interruption_.requested();
    }

    /// @returns false to end training
    [[nodiscard]] bool after_epoch(const gru4rec::EpochReport& done, ProgressBar& bar) {
        TrainedEpoch epoch{done, {}};
        if (options_.report.has_details()) {
            epoch.weights = weight_norms(model_);
        }
        bool go_on = true;
        if (inputs_.valid && done.complete) {
            try {
                epoch.valid = evaluate_file(model_, options_.valid, *inputs_.valid, valid_measures_);
                go_on = !stopping_ || stopping_->observe(epoch.valid->result);
            } catch (const Stopped&) {
                go_on = false;
            }
        }
        bar.clear();
        print_epoch(epoch, inputs_.parameters.n_epochs);
        report_.training->epochs.push_back(std::move(epoch));
        bar.start_epoch();
        return go_on && !interruption_.requested();
    }

    void tell_of_interruption() const {
        const std::vector<TrainedEpoch>& epochs = report_.training->epochs;
        if (epochs.empty()) {
            return;
        }
        const gru4rec::EpochReport& last = epochs.back().report;
        std::printf("stopped by a signal in epoch %d after %lld steps\n", last.epoch,
                    static_cast<long long>(last.steps));
        if (const std::string& file = options_.checkpoints.destination(); !file.empty()) {
            std::printf("resume with --resume %s\n", file.c_str());
        }
    }

    /// Restores the weights of the best epoch, if training may stop early and an epoch was measured.
    void restore_best_epoch() {
        if (stopping_ && stopping_->best_epoch() > 0) {
            stopping_->restore_best();
            report_.training->best_epoch = stopping_->best_epoch();
            std::printf("the weights are those of epoch %d, the best by %s\n", stopping_->best_epoch(),
                        options_.stop_metric.c_str());
        }
    }

    void end_if_requested() const {
        if (interruption_.requested()) {
            throw Stopped();
        }
    }

    void evaluate_tests() {
        try {
            for (std::size_t i = 0; i < inputs_.tests.size(); ++i) {
                evaluate_on(options_.tests[i], inputs_.tests[i]);
            }
            if (inputs_.tests.empty() && inputs_.valid && (options_.report.has_details() || options_.baselines)) {
                evaluate_on(options_.valid, *inputs_.valid);
            }
        } catch (const Stopped&) {
            std::printf("stopped by a signal while the model was measured\n");
        }
    }

    void evaluate_on(const std::string& file, const gru4rec::Dataset& data) {
        FileEvaluation& evaluation =
            report_.evaluations.emplace_back(evaluate_file(model_, file, data, test_measures_));
        print_evaluation(evaluation);
        write_ranks(options_.measure, evaluation, data);
        if (options_.report.has_details()) {
            evaluation.add_details(data, model_.supports());
        }
        evaluation.result.ranks = {};  // 48 bytes each
        if (options_.baselines) {
            gru4rec::EvaluationOptions measures = test_measures_;
            measures.ranks = options_.report.has_details();
            for (FileEvaluation& baseline :
                 measure_baselines(inputs_.train, {file, data, measures, model_.supports()})) {
                report_.evaluations.push_back(std::move(baseline));
            }
        }
    }

    const TrainOptions& options_;
    const Inputs& inputs_;
    Interruption interruption_;
    gru4rec::EvaluationOptions test_measures_;
    gru4rec::EvaluationOptions valid_measures_;
    gru4rec::Model<Scalar> model_;
    Report report_;
    std::optional<gru4rec::EarlyStopping<Scalar>> stopping_;
};

/// The checkpoint beside the model that is trained further, if its optimiser is the same; otherwise empty.
[[nodiscard]] std::string optimizer_beside(const TrainOptions& options, const gru4rec::Hyperparameters& old,
                                           const gru4rec::Hyperparameters& parameters) {
    const std::string checkpoint = checkpoint_beside(options);
    if (!is_there(checkpoint)) {
        std::printf("the optimiser starts fresh: there is no %s\n", checkpoint.c_str());
        return {};
    }
    if (old.adapt != parameters.adapt) {
        std::printf("the optimiser starts fresh: adapt differs from %s\n", checkpoint.c_str());
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
    return TrainingRun<Scalar>(options, inputs, std::move(model)).run({});
}

template <class Scalar>
[[nodiscard]] ExitStatus run_further(const TrainOptions& options, const gru4rec::Model<Scalar>& old) {
    Inputs inputs = read_inputs(options, old.hyperparameters());
    gru4rec::Model<Scalar> model = old.extended(inputs.train.items(), inputs.train.supports(), options.seed);
    model.set_hyperparameters(inputs.parameters);
    inputs.train = inputs.train.with_items(model.items());
    read_evaluation_data(options, model.items(), inputs);
    std::printf("%s: %td items, %td new items appended\n", options.continued.c_str(), old.n_items(),
                model.n_items() - old.n_items());
    const std::string optimizer = optimizer_beside(options, old.hyperparameters(), inputs.parameters);
    return TrainingRun<Scalar>(options, inputs, std::move(model)).run(optimizer);
}

}  // namespace

ExitStatus train(const TrainOptions& options) {
    if (!options.continued.empty()) {
        return with_model(options.continued, [&](const auto& old) { return run_further(options, old); });
    }
    return options.precision == "double" ? run_new<double>(options) : run_new<float>(options);
}

}  // namespace cli
