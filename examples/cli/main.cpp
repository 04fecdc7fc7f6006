// The program gru4rec: trains, evaluates and serves session-based recommendation models. docs/program.md is its manual.
#include "gru4rec/core/error.hpp"
#include "gru4rec/model/hyperparameters.hpp"
#include "gru4rec/version.hpp"

#include <CLI/CLI.hpp>

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <limits>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "arguments.hpp"
#include "commands.hpp"
#include "messages.hpp"

namespace {

using cli::ExitStatus;
using Command = std::function<ExitStatus()>;

[[nodiscard]] std::string require_text(const std::string& value) {
    return value.empty() ? "expected a text that is not empty" : "";
}

/// An option for one text, such as a file name. @param kind  of text, for the help
CLI::Option* add_text(CLI::App& app, const std::string& name, std::string& text, const std::string& kind,
                      const std::string& description) {
    return app.add_option(name, text, description)->type_name(kind)->check(require_text);
}

/// An option that may come several times, with one text each time.
CLI::Option* add_texts(CLI::App& app, const std::string& name, std::vector<std::string>& texts, const std::string& kind,
                       const std::string& description) {
    CLI::Option* const option = app.add_option(name, texts, description);
    return option->type_name(kind)->check(require_text)->allow_extra_args(false);
}

/// An option for a whole number between `low` and `high`.
template <class Number>
CLI::Option* add_number(CLI::App& app, const std::string& name, Number& number, const std::string& description,
                        Number low = 0, Number high = (std::numeric_limits<Number>::max)()) {
    return app.add_option(name, number, description)->type_name("N")->check([=](const std::string& text) {
        Number value{};
        const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        const bool whole = error == std::errc{} && rest == text.data() + text.size();
        return whole && value >= low && value <= high ? std::string()
                                                      : "'" + text + "', expected a whole number from " +
                                                            std::to_string(low) + " to " + std::to_string(high);
    });
}

/// An option for one of several words.
CLI::Option* add_choice(CLI::App& app, const std::string& name, std::string& chosen,
                        const std::vector<std::string>& words, const std::string& description) {
    return app.add_option(name, chosen, description)->check([=](const std::string& text) {
        std::string all;
        for (const std::string& word : words) {
            if (word == text) {
                return std::string();
            }
            all += (all.empty() ? "" : word == words.back() ? " or " : ", ") + word;
        }
        return "'" + text + "', expected " + all;
    });
}

/// An option for a number between 0 and 1, both left out.
CLI::Option* add_share(CLI::App& app, const std::string& name, double& number, const std::string& description) {
    return app.add_option(name, number, description)->type_name("P")->check([](const std::string& text) {
        double value{};
        const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        const bool inside = error == std::errc{} && rest == text.data() + text.size() && value > 0 && value < 1;
        return inside ? std::string() : "'" + text + "', expected a number between 0 and 1";
    });
}

void add_columns(CLI::App& app, gru4rec::Columns& columns) {
    add_text(app, "--session-key", columns.session_key, "NAME", "column of the session ids (default: SessionId)");
    add_text(app, "--item-key", columns.item_key, "NAME", "column of the item ids (default: ItemId)");
    add_text(app, "--time-key", columns.time_key, "NAME", "column of the times (default: Time)");
}

void add_cutoffs_and_ties(CLI::App& app, cli::MeasureOptions& measure) {
    add_text(app, "--measure", measure.cutoffs, "LIST",
             "cutoffs of Recall, MRR and NDCG, such as 1,5,20 (default: 20)");
    add_text(app, "--ties", measure.ties, "LIST",
             "how items that score the same as the target are counted: some of\n"
             "conservative,standard,median (default: conservative)");
}

void add_measures(CLI::App& app, cli::MeasureOptions& measure) {
    add_cutoffs_and_ties(app, measure);
    app.add_flag("--coverage", measure.coverage,
                 "also measure what the top-k lists hold: share of the catalogue, mean\npopularity (default: no)");
    add_text(app, "--ranks", measure.ranks, "FILE",
             "write the rank of every target of the test file to this file, by the\nfirst rule of --ties (default: "
             "none)");
    CLI::Option* const bootstrap =
        add_number(app, "--bootstrap", measure.bootstrap,
                   "confidence intervals of Recall and MRR from so many resamples of the\nsessions (default: 0, none)",
                   0, 1'000'000);
    add_share(app, "--level", measure.level, "confidence of --bootstrap, between 0 and 1 (default: 0.95)")
        ->needs(bootstrap);
    add_number(app, "--bootstrap-seed", measure.bootstrap_seed, "of the resamples of --bootstrap (default: 42)")
        ->needs(bootstrap);
}

void add_threads(CLI::App& app, int& threads) {
    add_number(app, "--threads", threads,
               "use at most so many threads; results do not depend on it (default: 0,\nall cores)", 0, 1024);
}

/// The parameters and their defaults, for the end of train's help.
[[nodiscard]] std::string parameter_help() {
    std::string text = "Parameters and their defaults (docs/parameters.md):\n";
    std::string line = " ";
    const auto flush = [&] {
        text += line + "\n";
        line = " ";
    };
    for (const auto& [name, value] : gru4rec::Hyperparameters{}.entries()) {
        const std::string entry = " " + name + "=" + value;
        if (line.size() + entry.size() > 100) {
            flush();
        }
        line += entry;
    }
    flush();
    return text +
           "  learning_rate, final_act, adapt_params: unset, the rule's or the loss's own\n"
           "Lists are written a/b/c: layers=200/100. Booleans are true, false, 1 or 0.";
}

void add_train(CLI::App& program, cli::TrainOptions& options, Command& command) {
    CLI::App& app = *program.add_subcommand("train", "Train a model on a file of sessions");
    app.footer(parameter_help());
    add_text(app, "TRAIN", options.data, "FILE", "training data: TSV or CSV with a header line")->required();
    add_texts(app, "--params", options.params, "LIST",
              "parameters, name=value,name=value; may come several times (default:\nthose below)");
    add_text(app, "--param-file", options.param_file, "FILE",
             "a JSON object of parameters, overridden by --params (default: none)");
    CLI::Option* const valid =
        add_text(app, "--valid", options.valid, "FILE", "data to evaluate on after every epoch (default: none)");
    CLI::Option* const patience = add_number(app, "--patience", options.patience,
                                             "stop when --stop-metric has not got better for so many epochs, and go "
                                             "back\nto the best one (default: train for n_epochs)",
                                             1);
    patience->needs(valid);
    add_choice(app, "--stop-metric", options.stop_metric, {"recall", "mrr", "ndcg"},
               "recall, mrr or ndcg, at the first cutoff of --measure, by the first rule\nof --ties (default: recall)")
        ->type_name("NAME")
        ->needs(patience);
    add_texts(app, "--test", options.tests, "FILE",
              "data to evaluate on after training; may come several times (default:\nnone)");
    add_measures(app, options.measure);
    add_text(app, "--init", options.init, "FILE",
             "start from the weights of this file, rows matched by item id (default:\nrandom weights)");
    add_text(app, "--save", options.save, "FILE", "write the trained model to this file (default: none)");
    add_text(app, "--report", options.report, "FILE", "write a report in JSON to this file (default: none)");
    add_threads(app, options.threads);
    add_number(app, "--seed", options.seed, "of weights, dropout, negatives and random session order (default: 42)");
    add_choice(app, "--precision", options.precision, {"float", "double"}, "float or double (default: float)")
        ->type_name("TYPE");
    add_number(app, "--log-steps", options.log_steps,
               "keep the losses of the first so many steps in the report (default: 0)");
    add_columns(app, options.columns);
    app.callback([&] { command = [&] { return cli::train(options); }; });
}

void add_evaluate(CLI::App& program, cli::EvaluateOptions& options, Command& command) {
    CLI::App& app = *program.add_subcommand("evaluate", "Measure a model on a file of sessions");
    add_text(app, "MODEL", options.model, "FILE", "model file; its own precision is used")->required();
    add_text(app, "TEST", options.data, "FILE", "test data: TSV or CSV with a header line")->required();
    add_measures(app, options.measure);
    add_text(app, "--report", options.report, "FILE", "write a report in JSON to this file (default: none)");
    add_threads(app, options.threads);
    add_columns(app, options.columns);
    app.callback([&] { command = [&] { return cli::evaluate(options); }; });
}

void add_baselines(CLI::App& program, cli::BaselinesOptions& options, Command& command) {
    CLI::App& app = *program.add_subcommand("baselines", "Measure what simple methods reach on a file of sessions");
    add_text(app, "TRAIN", options.train, "FILE", "training data: TSV or CSV with a header line")->required();
    add_text(app, "TEST", options.test, "FILE", "test data: TSV or CSV with a header line")->required();
    add_cutoffs_and_ties(app, options.measure);
    add_text(app, "--report", options.report, "FILE", "write a report in JSON to this file (default: none)");
    add_threads(app, options.threads);
    add_columns(app, options.columns);
    app.callback([&] { command = [&] { return cli::baselines(options); }; });
}

void add_recommend(CLI::App& program, cli::RecommendOptions& options, Command& command) {
    CLI::App& app = *program.add_subcommand("recommend", "List the items that most likely come next");
    add_text(app, "MODEL", options.model, "FILE", "model file; its own precision is used")->required();
    CLI::Option* const session = app.add_option("--session", options.session,
                                                "item ids of one session, oldest first: ID,ID,...; '' is a visitor\n"
                                                "without events (default: none)");
    session->type_name("LIST");
    CLI::Option* const sessions = add_text(app, "--sessions", options.sessions, "FILE",
                                           "many sessions: TSV or CSV with a header line (default: none)");
    sessions->excludes(session);
    add_text(app, "--out", options.out, "FILE", "with --sessions: where to write (default: -, standard output)")
        ->needs(sessions);
    add_number(app, "--top", options.top, "items per session (default: 20)", 1);
    add_threads(app, options.threads);
    add_columns(app, options.columns);
    app.callback([&, session, sessions] {
        if (session->count() == 0 && sessions->count() == 0) {
            throw CLI::RequiredError("--session or --sessions");
        }
        command = [&] { return cli::recommend(options); };
    });
}

void add_inspect(CLI::App& program, cli::InspectOptions& options, Command& command) {
    CLI::App& app = *program.add_subcommand("inspect", "Check a model file and tell what is in it");
    add_text(app, "MODEL", options.model, "FILE", "model file, or any safetensors file")->required();
    app.add_flag("--json", options.json, "print JSON (default: text)");
    app.callback([&] { command = [&] { return cli::inspect(options); }; });
}

void add_preprocess(CLI::App& program, cli::PreprocessOptions& options, Command& command) {
    CLI::App& app = *program.add_subcommand("preprocess", "Make training and test files of raw events");
    add_text(app, "EVENTS", options.events, "FILE", "raw events: TSV or CSV with a header line")->required();
    add_text(
        app, "--out", options.out, "FOLDER",
        "where to write train_full.tsv, test.tsv, train_tr.tsv and\ntrain_valid.tsv (default: none, it must be given)")
        ->required();
    add_number(app, "--min-session-length", options.min_session_length, "drop sessions of fewer events (default: 2)",
               std::int64_t{1});
    add_number(app, "--min-item-support", options.min_item_support, "drop items of fewer events (default: 5)",
               std::int64_t{1});
    app.add_flag("--collapse-repeats", options.collapse_repeats,
                 "of events of one item directly behind each other keep the first\n(default: keep all)");
    add_number(app, "--gap", options.gap,
               "cut sessions where the next event is later by more than this, in units\n"
               "of the times (default: 3600 with --visitor-key or --one-visitor, else\nno cuts)");
    add_number(app, "--test-duration", options.test_duration,
               "the newest part that becomes the test, in units of the times (default:\n86400)", std::int64_t{1});
    CLI::Option* const visitors = add_text(app, "--visitor-key", options.visitor_key, "NAME",
                                           "there are no session ids: cut the events of each visitor in this\n"
                                           "column into sessions (default: none)");
    app.add_flag("--one-visitor", options.one_visitor,
                 "there are neither session ids nor visitors: cut the whole file into\nsessions (default: no)")
        ->excludes(visitors);
    add_columns(app, options.columns);
    app.callback([&] { command = [&] { return cli::preprocess(options); }; });
}

void add_synth(CLI::App& program, cli::SynthOptions& options, Command& command) {
    CLI::App& app = *program.add_subcommand("synth", "Write made-up sessions of a synthetic shop");
    add_text(app, "OUT", options.out, "FILE", "TSV file to write")->required();
    add_number(app, "--sessions", options.sessions, "how many sessions (default: 20000)", std::int64_t{0},
               std::int64_t{2'147'483'647});
    add_number(app, "--items", options.items, "how many items the shop sells (default: 500)", std::int64_t{1},
               std::int64_t{100'000'000});
    add_number(app, "--seed", options.seed, "of the shop and its sessions (default: 42)");
    app.callback([&] { command = [&] { return cli::synth(options); }; });
}

[[nodiscard]] ExitStatus fail(ExitStatus status, std::string_view message) {
    cli::tell(message);
    return status;
}

void require_written_output() {
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
        throw gru4rec::IoError("standard output cannot be written; the output is not complete");
    }
}

/// Runs a command; every failure becomes one message and an exit status.
[[nodiscard]] ExitStatus run(const Command& command) {
    try {
        const ExitStatus status = command();
        require_written_output();
        return status;
    } catch (const gru4rec::IoError& error) {
        return fail(ExitStatus::io_failure, cli::without_prefix(error.what()));
    } catch (const gru4rec::NonFiniteError& error) {
        return fail(ExitStatus::not_finite, cli::without_prefix(error.what()));
    } catch (const gru4rec::Error& error) {
        return fail(ExitStatus::bad_input, cli::without_prefix(error.what()));
    } catch (const std::invalid_argument& error) {
        return fail(ExitStatus::bad_input, cli::without_prefix(error.what()));
    } catch (const std::bad_alloc&) {
        return fail(
            ExitStatus::failure,
            "out of memory; fewer or narrower layers, a smaller batch_size or n_sample, or fewer items need less");
    } catch (const std::exception& error) {
        return fail(ExitStatus::failure, error.what());
    }
}

[[nodiscard]] ExitStatus parse_and_run(int argc, char** argv) {
    CLI::App program("Session-based recommendation with GRUs on CPUs", "gru4rec");
    program.set_version_flag("--version", "gru4rec " GRU4REC_VERSION_STRING, "Print the version and exit");
    program.set_help_flag("-h,--help", "Print this help and exit");
    program.require_subcommand(1);
    program.footer(
        "gru4rec COMMAND --help tells the options of a command.\n"
        "Exit status: 0 done, 2 wrong option or content of a file, 3 a file cannot be read or written,\n"
        "4 training met a value that is not finite, 130 stopped by a signal.");
    cli::TrainOptions train;
    cli::EvaluateOptions evaluate;
    cli::BaselinesOptions baselines;
    cli::RecommendOptions recommend;
    cli::InspectOptions inspect;
    cli::PreprocessOptions preprocess;
    cli::SynthOptions synth;
    Command command;
    add_train(program, train, command);
    add_evaluate(program, evaluate, command);
    add_baselines(program, baselines, command);
    add_recommend(program, recommend, command);
    add_inspect(program, inspect, command);
    add_preprocess(program, preprocess, command);
    add_synth(program, synth, command);
    try {
        program.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) {
            return run([&] { return static_cast<ExitStatus>(program.exit(error)); });
        }
        const std::vector<CLI::App*> chosen = program.get_subcommands();
        const std::vector<std::string> unknown = program.remaining();
        const std::string problem = chosen.empty() && !unknown.empty()
                                        ? "unknown command or option '" + unknown.front() + "'"
                                    : chosen.empty() ? "a command is missing"
                                                     : error.what();
        return fail(ExitStatus::bad_input,
                    problem + "; see gru4rec " + (chosen.empty() ? "" : chosen.front()->get_name() + " ") + "--help");
    }
    return run(command);
}

}  // namespace

int main(int argc, char** argv) { return static_cast<int>(parse_and_run(argc, argv)); }
