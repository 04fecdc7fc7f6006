// The program gru4rec: trains, evaluates and serves session-based recommendation models. docs/program.md is its manual.
#include "gru4rec/core/error.hpp"
#include "gru4rec/model/hyperparameters.hpp"
#include "gru4rec/version.hpp"

#include <CLI/CLI.hpp>

#include <cerrno>
#include <cstdio>
#include <functional>
#include <limits>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>

#include "arguments.hpp"
#include "commands.hpp"

namespace {

using cli::ExitStatus;
using Command = std::function<ExitStatus()>;

/// An option for one non-empty text, such as a file name.
CLI::Option* add_text(CLI::App& app, const std::string& name, std::string& text, const std::string& description) {
    return app.add_option(name, text, description)->check([](const std::string& value) {
        return value.empty() ? std::string("expected a text that is not empty") : std::string();
    });
}

/// An option for texts that may come several times, with one text each time.
CLI::Option* add_texts(CLI::App& app, const std::string& name, std::vector<std::string>& texts,
                       const std::string& description) {
    return app.add_option(name, texts, description)->allow_extra_args(false)->check([](const std::string& value) {
        return value.empty() ? std::string("expected a text that is not empty") : std::string();
    });
}

void add_columns(CLI::App& app, gru4rec::Columns& columns) {
    add_text(app, "--session-key", columns.session_key, "column of the session ids (default: SessionId)");
    add_text(app, "--item-key", columns.item_key, "column of the item ids (default: ItemId)");
    add_text(app, "--time-key", columns.time_key, "column of the times (default: Time)");
}

void add_measures(CLI::App& app, cli::MeasureOptions& measure) {
    add_text(app, "--measure", measure.cutoffs, "cutoffs of Recall and MRR, a comma-separated list (default: 20)");
    add_text(app, "--ties", measure.ties,
             "how items that score the same as the target are counted, a comma-separated\n"
             "list of conservative, standard, median (default: conservative)");
}

void add_threads(CLI::App& app, int& threads) {
    app.add_option("--threads", threads, "at most so many threads; results do not depend on it (default: 0, all cores)")
        ->check(CLI::Range(0, 1024));
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
    add_text(app, "TRAIN", options.data, "training data: TSV or CSV with a header line")->required();
    add_texts(app, "--params", options.params,
              "parameters, name=value,name=value; may come several times; override --param-file");
    add_text(app, "--param-file", options.param_file, "a JSON object of parameters (default: none)");
    add_text(app, "--valid", options.valid, "data to evaluate on after every epoch (default: none)");
    add_texts(app, "--test", options.tests,
              "data to evaluate on after training; may come several times (default: none)");
    add_measures(app, options.measure);
    add_text(app, "--init", options.init,
             "start from the weights of this file, rows matched by item id (default: random)");
    add_text(app, "--save", options.save, "write the trained model to this file (default: not saved)");
    add_text(app, "--report", options.report, "write a report in JSON to this file (default: none)");
    add_threads(app, options.threads);
    app.add_option("--seed", options.seed, "of weights, dropout, negatives and random session order (default: 42)");
    app.add_option("--precision", options.precision, "float or double (default: float)")
        ->check(CLI::IsMember({"float", "double"}));
    app.add_option("--log-steps", options.log_steps, "keep the loss of the first so many steps in the report (default: 0)")
        ->check(CLI::Range(std::int64_t{0}, (std::numeric_limits<std::int64_t>::max)()));
    add_columns(app, options.columns);
    app.callback([&] { command = [&] { return cli::train(options); }; });
}

void add_evaluate(CLI::App& program, cli::EvaluateOptions& options, Command& command) {
    CLI::App& app = *program.add_subcommand("evaluate", "Measure a model on a file of sessions");
    add_text(app, "MODEL", options.model, "model file; it is used in the precision in which it was trained")->required();
    add_text(app, "TEST", options.data, "test data: TSV or CSV with a header line")->required();
    add_measures(app, options.measure);
    add_text(app, "--report", options.report, "write a report in JSON to this file (default: none)");
    add_threads(app, options.threads);
    add_columns(app, options.columns);
    app.callback([&] { command = [&] { return cli::evaluate(options); }; });
}

void add_recommend(CLI::App& program, cli::RecommendOptions& options, Command& command) {
    CLI::App& app = *program.add_subcommand("recommend", "List the items that most likely come next");
    add_text(app, "MODEL", options.model, "model file")->required();
    CLI::Option* const session = app.add_option(
        "--session", options.session, "item ids of one session, comma-separated, oldest first; '' is a new visitor");
    CLI::Option* const sessions =
        add_text(app, "--sessions", options.sessions, "many sessions: TSV or CSV with a header line")
            ->excludes(session);
    add_text(app, "--out", options.out, "with --sessions: file to write to (default: -, standard output)")
        ->needs(sessions);
    app.add_option("--top", options.top, "how many items per session (default: 20)")
        ->check(CLI::Range(1, (std::numeric_limits<int>::max)()));
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
    add_text(app, "MODEL", options.model, "model file, or any safetensors file")->required();
    app.add_flag("--json", options.json, "print JSON (default: text)");
    app.callback([&] { command = [&] { return cli::inspect(options); }; });
}

void add_synth(CLI::App& program, cli::SynthOptions& options, Command& command) {
    CLI::App& app = *program.add_subcommand("synth", "Write made-up sessions of a synthetic shop");
    add_text(app, "OUT", options.out, "TSV file to write")->required();
    app.add_option("--sessions", options.sessions, "how many sessions (default: 20000)");
    app.add_option("--items", options.items, "how many items the shop sells (default: 500)");
    app.add_option("--seed", options.seed, "of the shop and its sessions (default: 42)");
    app.callback([&] { command = [&] { return cli::synth(options); }; });
}

[[nodiscard]] ExitStatus fail(ExitStatus status, std::string_view message) {
    std::fflush(stdout);
    std::fprintf(stderr, "gru4rec: %.*s\n", static_cast<int>(message.size()), message.data());
    return status;
}

/// Runs a command; every failure becomes one message and an exit status.
[[nodiscard]] ExitStatus run(const Command& command) {
    try {
        const ExitStatus status = command();
        if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
            throw gru4rec::IoError("standard output: cannot write: " + std::generic_category().message(errno));
        }
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
        return fail(ExitStatus::failure, "out of memory");
    } catch (const std::exception& error) {
        return fail(ExitStatus::failure, error.what());
    }
}

[[nodiscard]] ExitStatus parse_and_run(int argc, char** argv) {
    CLI::App program("Session-based recommendation with GRUs on CPUs", "gru4rec");
    program.set_version_flag("--version", "gru4rec " GRU4REC_VERSION_STRING, "Print the version and exit");
    program.set_help_flag("-h,--help", "Print this help and exit");
    program.require_subcommand(1);
    program.footer("gru4rec COMMAND --help tells the options of a command.\n"
                   "Exit status: 0 done, 2 wrong option or content of a file, 3 a file cannot be read or written,\n"
                   "4 training met a value that is not finite, 130 stopped by a signal.");
    cli::TrainOptions train;
    cli::EvaluateOptions evaluate;
    cli::RecommendOptions recommend;
    cli::InspectOptions inspect;
    cli::SynthOptions synth;
    Command command;
    add_train(program, train, command);
    add_evaluate(program, evaluate, command);
    add_recommend(program, recommend, command);
    add_inspect(program, inspect, command);
    add_synth(program, synth, command);
    try {
        program.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) {
            return static_cast<ExitStatus>(program.exit(error));
        }
        std::string help = "gru4rec ";
        for (const CLI::App* const chosen : program.get_subcommands()) {
            help += chosen->get_name() + " ";
        }
        return fail(ExitStatus::bad_input, std::string(error.what()) + "; see " + help + "--help");
    }
    return run(command);
}

}  // namespace

int main(int argc, char** argv) { return static_cast<int>(parse_and_run(argc, argv)); }
