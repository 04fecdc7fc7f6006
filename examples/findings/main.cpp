// The program findings: do the findings of the 2016 paper hold on your data? docs/findings.md explains it.
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/file.hpp"
#include "gru4rec/data/events.hpp"
#include "gru4rec/data/synthetic.hpp"
#include "gru4rec/version.hpp"

#include <CLI/CLI.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "cli/arguments.hpp"
#include "cli/exit_status.hpp"
#include "cli/failures.hpp"
#include "cli/inputs.hpp"
#include "cli/option_kinds.hpp"
#include "cli/thread_limit.hpp"
#include "comparisons.hpp"
#include "report.hpp"
#include "runs.hpp"
#include "tuning.hpp"
#include "validation.hpp"

namespace {

using cli::ExitStatus;
namespace fs = std::filesystem;

struct Options {
    std::string train;  ///< a file or folder; empty: the synthetic shop
    std::string test;
    int seeds = 3;
    std::uint64_t seed = 42;
    std::vector<std::string> params;
    std::string only;
    std::size_t tune = 0;  ///< trials of each setting; 0: off
    std::string out = ".";
    int threads = 0;
    cli::TableOptions table;
};

void add_options(CLI::App& app, Options& options) {
    CLI::Option* const train =
        cli::add_text(app, "TRAIN", options.train, "FILE",
                      "training data: a file as for gru4rec train, or a folder (default: a made-up\nshop)");
    train->needs(cli::add_text(app, "TEST", options.test, "FILE", "test data (default: that of the shop)"));
    cli::add_number(app, "--seeds", options.seeds, "train every setting N times (default: 3)", 1, 100);
    cli::add_number(app, "--seed", options.seed, "the first of the consecutive seeds (default: 42)");
    cli::add_texts(app, "--params", options.params, "LIST",
                   "parameters of all settings, name=value,name=value; may be given several\ntimes (default: see "
                   "docs/findings.md)");
    cli::add_text(app, "--only", options.only, "LIST", "some of " + findings::comparison_names() + "\n(default: all)");
    cli::add_number(app, "--tune", options.tune,
                    "in layers, input and width, choose learning rate and dropout for each setting\nby N trials on the "
                    "newest tenth of the training data (default: 0, off)",
                    std::size_t{0}, std::size_t{1000});
    cli::add_text(app, "--out", options.out, "FOLDER",
                  "existing folder for findings.md, findings.json and recall_by_width.svg\n"
                  "(default: the current one)");
    cli::add_threads(app, options.threads);
    for (CLI::Option* const option : cli::add_table_options(app, options.table)) {
        option->needs(train);
    }
}

/// The parameters that all settings share: those of --params, and the program's defaults that are consistent with them.
[[nodiscard]] gru4rec::Hyperparameters read_base(const std::vector<std::string>& lists) {
    return cli::read_parameters(lists, "", findings::default_parameters(cli::read_parameters(lists, "")));
}

[[nodiscard]] std::vector<std::uint64_t> seeds_of(const Options& options) {
    const auto further = static_cast<std::uint64_t>(options.seeds - 1);
    const std::uint64_t largest = (std::numeric_limits<std::uint64_t>::max)() - further;
    if (options.seed > largest) {
        throw gru4rec::ConfigError("--seed: " + std::to_string(options.seed) + ", expected at most " +
                                   std::to_string(largest) + " with --seeds " + std::to_string(options.seeds));
    }
    std::vector<std::uint64_t> seeds;
    for (std::uint64_t i = 0; i <= further; ++i) {
        seeds.push_back(options.seed + i);
    }
    return seeds;
}

/// What the settings are judged by, and with --tune what their parameters are chosen by.
struct Data {
    findings::TrainAndTest judging;
    std::optional<findings::TrainAndTest> tuning;
};

[[nodiscard]] Data read_shop(const Options& options) {
    const gru4rec::SyntheticShop shop;
    gru4rec::SyntheticData sessions = gru4rec::split_synthetic(shop);
    Data data{{std::move(sessions.train), std::move(sessions.test)}, {}};
    if (options.tune > 0) {
        data.tuning = findings::split_off_newest(shop.events(0, data.judging.train.n_sessions()));
    }
    return data;
}

[[nodiscard]] Data read_files(const Options& options) {
    Data data;
    if (options.tune > 0) {
        gru4rec::Events events = cli::read_training_events({options.train}, options.table);
        data.tuning = findings::split_off_newest(events);
        data.judging.train = gru4rec::Dataset(std::move(events));
    } else {
        data.judging.train = cli::read_training_set({options.train}, options.table);
    }
    data.judging.test = cli::read_test_set({options.test}, options.table, data.judging.train.items());
    return data;
}

[[nodiscard]] std::string sizes(const gru4rec::Dataset& train) {
    return std::to_string(train.n_sessions()) + " sessions with " + std::to_string(train.n_events()) + " events of " +
           std::to_string(train.n_items()) + " items";
}

[[nodiscard]] std::string describe(const Options& options, const findings::TrainAndTest& data) {
    const std::string name = options.train.empty() ? "The built-in synthetic shop"
                                                   : "`" + fs::path(options.train).filename().string() + "` and `" +
                                                         fs::path(options.test).filename().string() + "`";
    return name + ": " + sizes(data.train) + " for training, " + std::to_string(data.test.n_pairs()) +
           " predictions for testing";
}

[[nodiscard]] std::vector<cli::NamedFile> input_files(const Options& options) {
    if (options.train.empty()) {
        return {};
    }
    std::vector<cli::NamedFile> files = cli::named_files("TRAIN", {options.train});
    for (cli::NamedFile& test : cli::named_files("TEST", {options.test})) {
        files.push_back(std::move(test));
    }
    return files;
}

/// Chooses the parameters of the comparisons that are tuned.
///
/// @returns how, for the report
[[nodiscard]] findings::Tuning tune(std::vector<findings::Comparison>& comparisons, const findings::TrainAndTest& data,
                                    const Options& options, findings::Runner& runner) {
    const std::size_t n_tuned = findings::different_settings(findings::tunable(comparisons)).size();
    std::vector<findings::Comparison> others = comparisons;
    std::erase_if(others, [](const findings::Comparison& comparison) { return comparison.tunable; });
    // At most this many: a setting may be tuned to the parameters of another one, and both are then trained once.
    const std::size_t n_judged = n_tuned + findings::different_settings(others).size();
    runner.expect(n_tuned * options.tune + n_judged * static_cast<std::size_t>(options.seeds));
    const auto validate = [&](const findings::Setting& trial) { return runner.run(trial, data, options.seed); };
    findings::tune(comparisons, findings::make_draws(options.tune - 1, options.seed), validate);
    return {options.tune, options.seed,
            sizes(data.train) + " before it, " + std::to_string(data.test.n_pairs()) + " predictions in it"};
}

/// @throws gru4rec::ConfigError if --tune has nothing to tune
void check_tune(const std::vector<findings::Comparison>& comparisons, const Options& options) {
    if (options.tune > 0 && findings::tunable(comparisons).empty()) {
        throw gru4rec::ConfigError("--tune: no comparison of --only '" + options.only +
                                   "' is tuned, expected layers, input or width among them");
    }
}

/// Files for the results.
struct Destinations {
    std::string markdown;
    std::string json;
    std::string chart;
};

/// @throws gru4rec::ConfigError, gru4rec::IoError as check_destinations; gru4rec::IoError if --out is not a folder
[[nodiscard]] Destinations destinations_of(const Options& options) {
    std::error_code ignored;
    if (!fs::is_directory(options.out, ignored)) {
        throw gru4rec::IoError("--out: '" + options.out + "' is not an existing folder");
    }
    const auto file = [&](const char* name) { return (fs::path(options.out) / name).string(); };
    Destinations files{file("findings.md"), file("findings.json"), file("recall_by_width.svg")};
    cli::check_destinations({{"--out", files.markdown}, {"--out", files.json}, {"--out", files.chart}},
                            input_files(options));
    return files;
}

void write(const findings::Report& report, const Destinations& files) {
    const std::string markdown = findings::to_markdown(report);
    std::fputs(markdown.c_str(), stdout);
    std::vector<std::pair<fs::path, std::string>> texts = {{files.markdown, markdown},
                                                           {files.json, findings::to_json(report)}};
    if (std::string chart = findings::recall_by_width(report); !chart.empty()) {
        texts.emplace_back(files.chart, std::move(chart));
    }
    gru4rec::detail::write_files(texts);
}

[[nodiscard]] ExitStatus run(const Options& options) {
    const cli::ThreadLimit limit(options.threads);
    const gru4rec::Hyperparameters base = read_base(options.params);
    std::vector<findings::Comparison> comparisons = findings::make_comparisons(base, options.only);
    check_tune(comparisons, options);
    const std::vector<std::uint64_t> seeds = seeds_of(options);
    const Destinations files = destinations_of(options);
    const Data data = options.train.empty() ? read_shop(options) : read_files(options);
    findings::check_data(comparisons, data.judging.train);

    findings::Runner runner(options.threads);
    findings::Report report{describe(options, data.judging), seeds, base, {}, {}};
    if (data.tuning) {
        report.tuning = tune(comparisons, *data.tuning, options, runner);
    }
    const auto trained = findings::train_all(comparisons, data.judging, seeds, runner);
    report.compared = findings::collect(comparisons, trained);
    write(report, files);
    return ExitStatus::ok;
}

[[nodiscard]] ExitStatus parse_and_run(int argc, char** argv) {
    CLI::App program("Compares depth, input, width and negatives of GRU4Rec on your data", "findings");
    program.set_version_flag("--version", "findings " GRU4REC_VERSION_STRING, "Print the version and exit");
    Options options;
    add_options(program, options);
    try {
        program.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        const bool asks_for_text = error.get_exit_code() == 0;  // --help, --version
        return asks_for_text
                   ? static_cast<ExitStatus>(program.exit(error))
                   : cli::fail("findings", ExitStatus::bad_input, std::string(error.what()) + "; see findings --help");
    }
    return run(options);
}

}  // namespace

int main(int argc, char** argv) {
    return static_cast<int>(cli::run_or_fail("findings", [=] { return parse_and_run(argc, argv); }));
}
