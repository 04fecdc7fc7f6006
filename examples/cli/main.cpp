// The program gru4rec: trains, evaluates and serves session-based recommendation models. docs/program.md is its manual.
#include "gru4rec/model/hyperparameters.hpp"
#include "gru4rec/version.hpp"

#include <CLI/CLI.hpp>

#include <csignal>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "commands.hpp"
#include "duration.hpp"
#include "failures.hpp"
#include "option_kinds.hpp"
#include "shortened_files.hpp"
#include "table_options.hpp"
#include "this_engine.hpp"
#include "thread_limit.hpp"

namespace {

using cli::add_choice;
using cli::add_duration;
using cli::add_files;
using cli::add_number;
using cli::add_share;
using cli::add_table_options;
using cli::add_text;
using cli::add_texts;
using cli::add_threads;
using cli::ExitStatus;
using cli::longest_wait;
using Command = std::function<ExitStatus()>;

/// What the arguments for events are.
constexpr const char* event_files =
    "files of events (TSV, CSV, JSON lines, a session per line; packed or\nnot), folders of them, or - for standard "
    "input";

/// A command that runs within the thread limit of its options.
template <class Options>
[[nodiscard]] Command limited(const Options& options, ExitStatus (*run)(const Options&)) {
    return [&options, run] {
        const cli::ThreadLimit limit(options.threads);
        return run(options);
    };
}

void add_cutoffs_and_ties(CLI::App& app, cli::MeasureOptions& measure) {
    add_text(app, "--measure", measure.cutoffs, "LIST",
             "cutoffs of Recall, MRR and NDCG, such as 1,5,20 (default: 20)");
    add_text(app, "--ties", measure.ties, "LIST",
             "how to rank the target among items of equal score: some of\n"
             "conservative,standard,median (default: conservative)");
}

void add_measures(CLI::App& app, cli::MeasureOptions& measure) {
    add_cutoffs_and_ties(app, measure);
    app.add_flag("--coverage", measure.coverage,
                 "also measure catalogue coverage and mean popularity of the top-k lists\n(default: no)");
    add_text(app, "--ranks", measure.ranks, "FILE",
             "write the rank of every target in the test file to FILE, by the first\nrule of --ties (default: none)");
    CLI::Option* const bootstrap = add_number(
        app, "--bootstrap", measure.bootstrap,
        "confidence intervals of Recall and MRR from N resamples of the sessions\n(default: 0, none)", 0, 1'000'000);
    add_share(app, "--level", measure.level, "confidence level of --bootstrap, between 0 and 1 (default: 0.95)")
        ->needs(bootstrap);
    add_number(app, "--bootstrap-seed", measure.bootstrap_seed, "seed of --bootstrap (default: 42)")->needs(bootstrap);
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
           "  learning_rate, final_act, adapt_params: unset; the default depends on adapt and loss\n"
           "Lists are a/b/c, as in layers=200/100. Booleans are true, false, 1 or 0.";
}

void add_checkpoints(CLI::App& app, cli::CheckpointOptions& options) {
    CLI::Option* const file =
        add_text(app, "--checkpoint", options.file, "FILE",
                 "write checkpoints to FILE, so that interrupted training can resume\n(default: none)");
    CLI::Option* const resume = add_text(app, "--resume", options.resume, "FILE",
                                         "resume from this checkpoint if it exists, otherwise start from "
                                         "the\nbeginning; write checkpoints to FILE (default: "
                                         "none)");
    CLI::Option* const steps = add_number(app, "--checkpoint-steps", options.steps,
                                          "write a checkpoint every N steps (default: by time)", std::int64_t{1});
    CLI::Option* const minutes = add_number(app, "--checkpoint-minutes", options.minutes,
                                            "write a checkpoint every N minutes, and after each epoch (default: 10)",
                                            std::int64_t{1}, std::int64_t{1'000'000});
    minutes->excludes(steps);
    for (CLI::Option* const option : {steps, minutes}) {
        option->check([=](const std::string&) {
            return file->count() + resume->count() > 0 ? std::string() : "needs --checkpoint or --resume";
        });
    }
}

/// @returns --report
CLI::Option* add_report(CLI::App& app, cli::ReportOptions& report) {
    CLI::Option* const files = add_texts(
        app, "--report", report.files, "FILE",
        "write a report to FILE: a page to look at if its name ends in .html,\nelse JSON; may be given several "
        "times (default: none)");
    app.add_flag("--details", report.details,
                 "also put what a page shows into JSON: metrics by position, length of\nthe session and popularity, "
                 "ranks, --coverage and, of training, norms\n(default: no)")
        ->needs(files);
    return files;
}

void add_validation_and_tests(CLI::App& app, cli::TrainOptions& options) {
    CLI::Option* const valid =
        add_text(app, "--valid", options.valid, "FILE", "evaluate on these data after every epoch (default: none)");
    CLI::Option* const patience =
        add_number(app, "--patience", options.patience,
                   "stop after N epochs without improvement of --stop-metric, and restore\nthe "
                   "best one (default: train for n_epochs)",
                   1);
    patience->needs(valid);
    add_choice(
        app, "--stop-metric", options.stop_metric, {"recall", "mrr", "ndcg"},
        "recall, mrr or ndcg, at the first cutoff of --measure and by the first\nrule of --ties (default: recall)")
        ->type_name("NAME")
        ->needs(patience);
    CLI::Option* const tests =
        add_texts(app, "--test", options.tests, "FILE",
                  "evaluate on these data after training; may be given several times\n(default: none)");
    add_measures(app, options.measure);
    for (const char* const option : {"--coverage", "--bootstrap"}) {
        app.get_option(option)->needs(tests);
    }
    app.add_flag("--baselines", options.baselines,
                 "also fit the baselines to TRAIN, and measure them on what the model is\nmeasured on (default: no)");
    for (const char* const option : {"--measure", "--ties", "--baselines"}) {
        app.get_option(option)->check([=](const std::string&) {
            return tests->count() + valid->count() > 0 ? std::string() : "needs --test or --valid";
        });
    }
}

void add_train(CLI::App& program, cli::TrainOptions& options, Command& command) {
    CLI::App& app = *program.add_subcommand("train", "Train a model on a file of sessions");
    app.footer(parameter_help());
    add_files(app, "TRAIN", options.data, event_files);
    add_texts(app, "--params", options.params, "LIST",
              "parameters, name=value,name=value; may be given several times (default:\nsee below)");
    add_text(app, "--param-file", options.param_file, "FILE",
             "JSON object of parameters, overridden by --params (default: none)");
    add_validation_and_tests(app, options);
    CLI::Option* const init =
        add_text(app, "--init", options.init, "FILE",
                 "start from the weights in FILE, rows matched by item id (default: random\nweights)");
    CLI::Option* const continued =
        add_text(app, "--continue", options.continued, "FILE",
                 "train this model further: new items are appended, parameters default to\nthose of the model, the "
                 "optimiser continues from FILE.checkpoint if it\nexists (default: none, a new model)");
    continued->excludes(init);
    add_checkpoints(app, options.checkpoints);
    add_text(app, "--save", options.save, "FILE", "write the trained model to FILE (default: none)");
    CLI::Option* const report = add_report(app, options.report);
    add_threads(app, options.threads);
    add_number(app, "--seed", options.seed,
               "seed of weights, dropout, negatives and random session order (default:\n42)");
    add_choice(app, "--precision", options.precision, {"float", "double"}, "float or double (default: float)")
        ->type_name("TYPE")
        ->excludes(continued);
    add_number(app, "--log-steps", options.log_steps, "record the first N step losses in the report (default: 0)")
        ->needs(report);
    add_table_options(app, options.table);
    app.callback([&] { command = limited(options, cli::train); });
}

void add_evaluate(CLI::App& program, cli::EvaluateOptions& options, Command& command) {
    CLI::App& app = *program.add_subcommand("evaluate", "Measure a model on a file of sessions");
    add_text(app, "MODEL", options.model, "FILE", "model file; used in its own precision")->required();
    add_files(app, "TEST", options.data, event_files);
    add_measures(app, options.measure);
    add_text(app, "--warm-start", options.warm_start, "FILE",
             "first feed earlier events of the test sessions from FILE, without scoring\nthem (default: none)");
    add_report(app, options.report);
    add_threads(app, options.threads);
    add_table_options(app, options.table);
    app.callback([&] { command = limited(options, cli::evaluate); });
}

void add_baselines(CLI::App& program, cli::BaselinesOptions& options, Command& command) {
    CLI::App& app = *program.add_subcommand("baselines", "Fit and measure simple methods");
    add_files(app, "DATA", options.data,
              "training data, then test data as the last one: files as for train, or\n"
              "folders")
        ->expected(2, 1'000'000);
    add_cutoffs_and_ties(app, options.measure);
    add_report(app, options.report);
    add_threads(app, options.threads);
    add_table_options(app, options.table);
    app.callback([&] { command = limited(options, cli::baselines); });
}

void add_compare(CLI::App& program, cli::CompareOptions& options, Command& command) {
    CLI::App& app = *program.add_subcommand("compare", "Show several runs on one page");
    add_files(app, "RUN", options.reports, "JSON reports of train, evaluate and baselines, best made with --details");
    add_text(app, "--report", options.page, "FILE",
             "write the page to FILE, such as runs.html (default: none, required)")
        ->required();
    app.callback([&] { command = [&] { return cli::compare(options); }; });
}

void add_recommend(CLI::App& program, cli::RecommendOptions& options, Command& command) {
    CLI::App& app = *program.add_subcommand("recommend", "List the most likely next items");
    add_text(app, "MODEL", options.model, "FILE", "model file; used in its own precision")->required();
    CLI::Option* const session = app.add_option("--session", options.session,
                                                "item ids of one session, oldest first: ID,ID,...; '' is a session\n"
                                                "without events (default: none)");
    session->type_name("LIST");
    CLI::Option* const sessions =
        add_texts(app, "--sessions", options.sessions, "FILE",
                  "many sessions: a file as for train, a folder, or - for standard input;\nmay be given several times "
                  "(default: none)");
    sessions->excludes(session);
    add_text(app, "--out", options.out, "FILE", "with --sessions: output file (default: -, standard output)")
        ->needs(sessions);
    add_number(app, "--top", options.top, "items per session (default: 20)", 1);
    add_threads(app, options.threads);
    for (CLI::Option* const option : add_table_options(app, options.table)) {
        option->needs(sessions);
    }
    app.get_option("--threads")->needs(sessions);
    app.callback([&, session, sessions] {
        if (session->count() == 0 && sessions->count() == 0) {
            throw CLI::RequiredError("--session or --sessions");
        }
        command = limited(options, cli::recommend);
    });
}

void add_inspect(CLI::App& program, cli::InspectOptions& options, Command& command) {
    CLI::App& app = *program.add_subcommand("inspect", "Validate a model file and print a summary");
    add_text(app, "MODEL", options.model, "FILE", "model file, or any safetensors file")->required();
    app.add_flag("--json", options.json, "print JSON (default: text)");
    app.callback([&] { command = [&] { return cli::inspect(options); }; });
}

void add_import(CLI::App& program, cli::ImportOptions& options, Command& command) {
    CLI::App& app = *program.add_subcommand("import", "Make a model file of weights that PyTorch wrote");
    add_text(app, "WEIGHTS", options.weights, "FILE", "safetensors file with the tensors of docs/file_format.md")
        ->required();
    add_text(app, "--items", options.items, "FILE",
             "item ids, one per line, in the order of the rows (default: those in the\nmetadata of WEIGHTS)");
    add_texts(app, "--params", options.params, "LIST",
              "parameters, name=value,name=value; may be given several times (default:\nthose in the metadata; else "
              "layers and the like from the tensors, the\nothers as in train)");
    add_text(app, "--param-file", options.param_file, "FILE",
             "JSON object of parameters; --params overrides it (default: none)");
    add_text(app, "--save", options.save, "FILE", "write the model to FILE (default: none, required)")->required();
    app.callback([&] { command = [&] { return cli::import_model(options); }; });
}

void add_preprocess(CLI::App& program, cli::PreprocessOptions& options, Command& command) {
    CLI::App& app = *program.add_subcommand("preprocess", "Make training and test files from raw events");
    add_files(app, "EVENTS", options.events, event_files);
    add_text(
        app, "--out", options.out, "FOLDER",
        "existing folder for train_full.tsv, test.tsv, train_tr.tsv and\ntrain_valid.tsv (default: none, required)")
        ->required();
    add_number(app, "--min-session-length", options.min_session_length, "drop sessions of fewer events (default: 2)",
               std::int64_t{1});
    add_number(app, "--min-item-support", options.min_item_support, "drop items of fewer events (default: 5)",
               std::int64_t{1});
    app.add_flag("--collapse-repeats", options.collapse_repeats,
                 "of consecutive events of one item keep the first (default: keep all)");
    add_duration(app, "--gap", options.gap,
                 "cut sessions at gaps of more than this: 30m, 1h, or a number of seconds\n(default: 1h with "
                 "--visitor-key or --one-visitor, otherwise no cuts)");
    add_duration(app, "--test-duration", options.test_duration,
                 "length of the newest part, which becomes the test: 7d, or a number of\nseconds (default: 1d)",
                 std::int64_t{1});
    CLI::Option* const visitors = add_text(app, "--visitor-key", options.visitor_key, "NAME",
                                           "for data without session ids: cut the events of each visitor in this\n"
                                           "column into sessions (default: none)");
    app.add_flag("--one-visitor", options.one_visitor,
                 "for data with neither session ids nor visitors: cut the whole file into\nsessions (default: no)")
        ->excludes(visitors);
    add_table_options(app, options.table);
    app.callback([&] { command = [&] { return cli::preprocess(options); }; });
}

void add_describe(CLI::App& program, cli::DescribeOptions& options, Command& command) {
    CLI::App& app = *program.add_subcommand("describe", "Say what files of events hold, and how to train on them");
    add_files(app, "DATA", options.data, event_files);
    add_table_options(app, options.table);
    app.callback([&] { command = [&] { return cli::describe(options); }; });
}

void add_synth(CLI::App& program, cli::SynthOptions& options, Command& command) {
    CLI::App& app = *program.add_subcommand("synth", "Write made-up sessions of a synthetic shop");
    add_text(app, "OUT", options.out, "FILE", "TSV file to write")->required();
    add_text(app, "--test", options.test, "FILE",
             "write the last tenth of the sessions to FILE instead (default: none)");
    add_number(app, "--sessions", options.sessions, "number of sessions (default: 20000)", std::int64_t{0},
               std::int64_t{2'147'483'647});
    add_number(app, "--items", options.items, "number of items (default: 500)", std::int64_t{1},
               std::int64_t{100'000'000});
    add_number(app, "--seed", options.seed, "seed of the shop and its sessions (default: 42)");
    app.callback([&] { command = [&] { return cli::synth(options); }; });
}

void add_replay(CLI::App& program, cli::ReplayOptions& options, Command& command) {
    CLI::App& app = *program.add_subcommand("replay", "Play a file of sessions against a running server");
    add_text(app, "MODEL", options.model, "FILE", "model file that the server serves")->required();
    add_files(app, "TEST", options.data, event_files);
    add_text(app, "--url", options.url, "URL", "the server (default: http://127.0.0.1:8080)");
    add_number(app, "--rate", options.rate,
               "requests per second, on a fixed schedule (default: as fast as the\nconnections allow)", std::int64_t{1},
               std::int64_t{10'000'000});
    add_number(app, "--connections", options.connections, "connections to the server (default: 16)", std::int64_t{1},
               std::int64_t{50'000});
    add_number(app, "--n", options.n, "items of a list, the cutoff of Recall and MRR (default: 20)", 1, 1'000'000);
    app.add_flag("--stateless", options.stateless,
                 "send the whole session in every request (default: live sessions, which\nare deleted at the end)");
    add_text(app, "--token-file", options.token_file, "FILE", "the server's token (default: none)");
    add_duration(app, "--request-time", options.request, "for an answer to arrive (default: 10s)", 1, longest_wait);
    add_number(app, "--seconds", options.seconds,
               "play for N seconds, from the beginning again at the end of the file\n(default: once, to the end)",
               std::int64_t{1}, std::int64_t{10'000'000});
    add_text(app, "--report", options.report, "FILE", "write a JSON report to FILE (default: none)");
    add_table_options(app, options.table);
    app.callback([&] { command = [&] { return cli::replay(options); }; });
}

void add_serve_limits(CLI::App& app, cli::ServeLimits& limits) {
    constexpr std::int64_t most = std::int64_t{1} << 40;
    add_number(app, "--max-body", limits.body, "bytes of a request's body (default: 1048576)", std::int64_t{1}, most);
    add_number(app, "--max-filter-body", limits.filter_body, "bytes of the body of PUT /v1/filter (default: 67108864)",
               std::int64_t{1}, most);
    add_number(app, "--max-header", limits.header, "bytes of a request's first line and headers (default: 16384)",
               std::int64_t{256}, std::int64_t{1} << 20);
    add_number(app, "--max-connections", limits.connections, "connections at a time (default: 10000)", std::int64_t{1},
               std::int64_t{10'000'000});
    add_number(app, "--max-n", limits.n, "the longest list that may be asked for (default: 1000)", std::int64_t{1},
               std::int64_t{1'000'000});
    add_number(app, "--max-ids", limits.ids, "item ids in a request (default: 10000)", std::int64_t{1}, most);
    add_number(app, "--max-batch", limits.batch, "sessions in a request (default: 1000)", std::int64_t{1}, most);
    add_duration(app, "--request-time", limits.request,
                 "for a request to arrive, and for its answer to be taken (default: 10s)", 1, longest_wait);
    add_duration(app, "--idle-time", limits.idle, "of a connection between two requests (default: 60s)", 1,
                 longest_wait);
    add_number(app, "--max-sessions", limits.sessions,
               "live sessions; the one that was idle longest makes room (default: 1000000)", std::int64_t{1},
               std::int64_t{1'000'000'000});
    add_number(app, "--session-memory", limits.session_memory, "MiB for live sessions (default: 1024)", std::int64_t{1},
               std::int64_t{1} << 20);
    add_duration(app, "--session-time", limits.session_idle,
                 "without an event or a question, until a session ends (default: 30m)", 1, longest_wait);
}

void add_serve(CLI::App& program, cli::ServeOptions& options, Command& command) {
    CLI::App& app = *program.add_subcommand("serve", "Answer requests for recommendations over HTTP");
    add_text(app, "MODEL", options.model, "FILE",
             "model file; used in its own precision, and loaded anew when it changes")
        ->required();
    add_text(app, "--listen", options.listen, "ADDRESS:PORT",
             "where to listen; port 0: any free one (default: 127.0.0.1:8080)");
    CLI::Option* const token =
        add_text(app, "--token-file", options.token_file, "FILE",
                 "answer only those who send the token in FILE; needed unless --listen is an\naddress of this machine "
                 "alone (default: none)");
    app.add_flag("--insecure", options.insecure,
                 "answer everybody, wherever --listen can be reached from (default: no)")
        ->excludes(token);
    add_text(app, "--state", options.state, "FOLDER",
             "existing folder where the filter is kept over a restart (default: none)");
    add_text(app, "--log", options.log, "FILE",
             "append a JSON object for each request to FILE; - is standard error\n(default: none)");
    CLI::Option* const catalogue =
        add_text(app, "--catalogue", options.catalogue, "FILE",
                 "names of the items: a table with the columns id, name and, if there are\npictures, picture, read "
                 "again whenever the model is (default: none)");
    add_texts(app, "--pictures", options.pictures, "ORIGIN",
              "let the page show pictures of the catalogue that are there, such as\nhttps://pictures.example.com; may "
              "be given several times (default: none)")
        ->needs(catalogue);
    app.add_flag("--exact", options.exact,
                 "rank without the quantised table: the same lists, less memory, more time\n(default: no)");
    CLI::Option* const redis = add_text(
        app, "--redis", options.redis, "URL",
        "keep live sessions in Redis, which any number of servers may share:\nredis://HOST[:PORT][/DATABASE] (default: "
        "none, in this process)");
    add_text(app, "--redis-password-file", options.redis_password_file, "FILE",
             "the password of --redis (default: none)")
        ->needs(redis);
    add_number(app, "--threads", options.threads, "threads that answer requests (default: 0, one per core)", 0, 1024);
    add_serve_limits(app, options.limits);
    for (const char* const option : {"--max-sessions", "--session-memory"}) {
        app.get_option(option)->excludes(redis);
    }
    app.callback([&] { command = [&] { return cli::serve(options); }; });
}

/// The options of each command. Those of the one that is run hold what the command line says.
struct AllOptions {
    cli::TrainOptions train;
    cli::EvaluateOptions evaluate;
    cli::BaselinesOptions baselines;
    cli::CompareOptions compare;
    cli::RecommendOptions recommend;
    cli::InspectOptions inspect;
    cli::ImportOptions import_model;
    cli::PreprocessOptions preprocess;
    cli::DescribeOptions describe;
    cli::SynthOptions synth;
    cli::ServeOptions serve;
    cli::ReplayOptions replay;
};

/// @param command  becomes the one that the command line names
void add_commands(CLI::App& program, AllOptions& options, Command& command) {
    add_train(program, options.train, command);
    add_evaluate(program, options.evaluate, command);
    add_baselines(program, options.baselines, command);
    add_compare(program, options.compare, command);
    add_recommend(program, options.recommend, command);
    add_inspect(program, options.inspect, command);
    add_import(program, options.import_model, command);
    add_preprocess(program, options.preprocess, command);
    add_describe(program, options.describe, command);
    add_synth(program, options.synth, command);
    add_serve(program, options.serve, command);
    add_replay(program, options.replay, command);
}

/// Says what is wrong with the command line, and where to read what would be right.
[[nodiscard]] ExitStatus refuse(const CLI::App& program, const CLI::ParseError& error) {
    const std::vector<CLI::App*> chosen = program.get_subcommands();
    const std::vector<std::string> unknown = program.remaining();
    const std::string problem = chosen.empty() && !unknown.empty()
                                    ? "unknown command or option '" + unknown.front() + "'"
                                : chosen.empty() ? "a command is missing"
                                                 : error.what();
    return cli::fail("gru4rec", ExitStatus::bad_input,
                     problem + "; see gru4rec " + (chosen.empty() ? "" : chosen.front()->get_name() + " ") + "--help");
}

[[nodiscard]] ExitStatus parse_and_run(int argc, char** argv) {
    CLI::App program("Session-based recommendation with GRUs on CPUs", "gru4rec");
    program.set_version_flag("--version",
                             std::string("gru4rec " GRU4REC_VERSION_STRING " (engine ") + cli::engine_name() + ")",
                             "Print the version and the engine, and exit");
    program.set_help_flag("-h,--help", "Print this help and exit");
    program.require_subcommand(1);
    program.footer(
        "gru4rec COMMAND --help lists the options of a command.\n"
        "Exit status: 0 success, 1 other failures (out of memory), 2 wrong option or content of a file, 3 a file\n"
        "cannot be read or written, 4 training diverged, 130 stopped by a signal.");
    AllOptions options;
    Command command;
    add_commands(program, options, command);
    try {
        program.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        const bool asks_for_text = error.get_exit_code() == 0;  // --help, --version
        return asks_for_text ? static_cast<ExitStatus>(program.exit(error)) : refuse(program, error);
    }
    return command();
}

}  // namespace

int main(int argc, char** argv) {
    cli::report_shortened_files();
#if defined(SIGXFSZ)
    std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow (ulimit -f) is an error of that write alone
#endif
    return static_cast<int>(cli::run_or_fail("gru4rec", [=] {
        const std::string problem = cli::problem_with_engine();
        return problem.empty() ? parse_and_run(argc, argv) : cli::fail("gru4rec", ExitStatus::bad_input, problem);
    }));
}
