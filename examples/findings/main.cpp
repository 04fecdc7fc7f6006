// The program findings: do the findings of the 2016 paper hold on your data? docs/findings.md explains it.
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/file.hpp"
#include "gru4rec/data/events.hpp"
#include "gru4rec/data/synthetic.hpp"
#include "gru4rec/version.hpp"

#include <CLI/CLI.hpp>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <string>
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

[[nodiscard]] findings::TrainAndTest read_data(const Options& options) {
    if (options.train.empty()) {
        gru4rec::SyntheticData shop = gru4rec::split_synthetic(gru4rec::SyntheticShop());
        return {std::move(shop.train), std::move(shop.test)};
    }
    findings::TrainAndTest data{cli::read_training_set({options.train}, options.table), {}};
    data.test = cli::read_test_set({options.test}, options.table, data.train.items());
    return data;
}

[[nodiscard]] std::string describe(const Options& options, const findings::TrainAndTest& data) {
    const std::string name = options.train.empty() ? "The built-in synthetic shop"
                                                   : "`" + fs::path(options.train).filename().string() + "` and `" +
                                                         fs::path(options.test).filename().string() + "`";
    return name + ": " + std::to_string(data.train.n_sessions()) + " sessions with " +
           std::to_string(data.train.n_events()) + " events of " + std::to_string(data.train.n_items()) +
           " items for training, " + std::to_string(data.test.n_pairs()) + " predictions for testing";
}

[[nodiscard]] ExitStatus run(const Options& options) {
    const cli::ThreadLimit limit(options.threads);
    const gru4rec::Hyperparameters base = read_base(options.params);
    const auto comparisons = findings::make_comparisons(base, options.only);
    const std::vector<std::uint64_t> seeds = seeds_of(options);
    const auto file = [&](const char* name) { return (fs::path(options.out) / name).string(); };
    const std::string markdown_file = file("findings.md");
    const std::string json_file = file("findings.json");
    const std::string chart_file = file("recall_by_width.svg");
    std::vector<cli::NamedFile> files;
    if (!options.train.empty()) {
        files = cli::named_files("TRAIN", {options.train});
        for (cli::NamedFile& test : cli::named_files("TEST", {options.test})) {
            files.push_back(std::move(test));
        }
    }
    cli::check_destinations({{"--out", markdown_file}, {"--out", json_file}, {"--out", chart_file}}, files);
    const findings::TrainAndTest data = read_data(options);

    const auto trained = findings::train_all(comparisons, data, {.seeds = seeds, .threads = options.threads});
    const findings::Report report{describe(options, data), seeds, base, findings::collect(comparisons, trained)};
    const std::string markdown = findings::to_markdown(report);
    std::fputs(markdown.c_str(), stdout);
    gru4rec::detail::write_file(markdown_file, markdown);
    gru4rec::detail::write_file(json_file, findings::to_json(report));
    if (const std::string chart = findings::recall_by_width(report); !chart.empty()) {
        gru4rec::detail::write_file(chart_file, chart);
    }
    return ExitStatus::ok;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App program("Compares depth, input, width and negatives of GRU4Rec on your data", "findings");
    program.set_version_flag("--version", "findings " GRU4REC_VERSION_STRING, "Print the version and exit");
    Options options;
    add_options(program, options);
    try {
        program.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        const auto help = [&] { return static_cast<ExitStatus>(program.exit(error)); };
        return static_cast<int>(
            error.get_exit_code() == 0
                ? cli::run_or_fail("findings", help)
                : cli::fail("findings", ExitStatus::bad_input, std::string(error.what()) + "; see findings --help"));
    }
    return static_cast<int>(cli::run_or_fail("findings", [&] { return run(options); }));
}
