#include "gru4rec/data/preprocess.hpp"

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/data/events.hpp"
#include "gru4rec/data/files.hpp"
#include "gru4rec/data/read_options.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "arguments.hpp"
#include "commands.hpp"
#include "duration.hpp"
#include "inputs.hpp"

namespace cli {

namespace {

struct OutputFile {
    std::string path;
    gru4rec::Events gru4rec::Preprocessed::*events;
};

[[nodiscard]] std::array<OutputFile, 4> output_files(const std::string& folder) {
    const auto path = [&](const char* name) { return (std::filesystem::path(folder) / name).string(); };
    return {{{path("train_full.tsv"), &gru4rec::Preprocessed::train_full},
             {path("test.tsv"), &gru4rec::Preprocessed::test},
             {path("train_tr.tsv"), &gru4rec::Preprocessed::train_tr},
             {path("train_valid.tsv"), &gru4rec::Preprocessed::train_valid}}};
}

[[nodiscard]] bool has_session_ids(const PreprocessOptions& options) {
    return options.visitor_key.empty() && !options.one_visitor;
}

[[nodiscard]] gru4rec::PreprocessOptions recipe(const PreprocessOptions& options, gru4rec::TimeUnit times) {
    constexpr Duration one_hour{3600, true};
    gru4rec::PreprocessOptions recipe{
        .min_session_length = options.min_session_length,
        .min_item_support = options.min_item_support,
        .repeats = options.collapse_repeats ? gru4rec::Repeats::collapse : gru4rec::Repeats::keep,
        .test_duration = in_units_of_times(options.test_duration, "--test-duration", times),
        .time_unit = times};
    if (options.gap || !has_session_ids(options)) {
        recipe.max_gap = in_units_of_times(options.gap.value_or(one_hour), "--gap", times);
    }
    return recipe;
}

/// The events by session or, without session ids, by visitor.
[[nodiscard]] gru4rec::Events read_raw_events(const PreprocessOptions& options, gru4rec::ReadReport& report) {
    TableOptions table = options.table;
    if (!has_session_ids(options)) {
        table.columns.session_key = options.visitor_key;
    }
    return read_event_files(options.events, table, report);
}

/// The names in the files that are written: those asked for, and the usual ones for columns given by number.
[[nodiscard]] gru4rec::ColumnNames output_columns(const gru4rec::ColumnNames& asked) {
    gru4rec::ColumnNames names;
    const auto take = [](std::string& name, const std::string& key) {
        if (!gru4rec::detail::parse_number<std::uint64_t>(key)) {
            name = key;
        }
    };
    take(names.session_key, asked.session_key);
    take(names.item_key, asked.item_key);
    take(names.time_key, asked.time_key);
    return names;
}

/// The option of a field of gru4rec::PreprocessOptions: `--min-item-support` of `min_item_support`.
[[nodiscard]] std::string option_of(std::string setting) {
    if (setting == "repeats") {
        return "--collapse-repeats";
    }
    if (setting == "max_gap") {
        return "--gap";
    }
    std::replace(setting.begin(), setting.end(), '_', '-');
    return "--" + setting;
}

/// Whether a step of the log concerns the file of this name, such as `test`.
[[nodiscard]] bool concerns(const gru4rec::PreprocessStep& step, std::string_view name) {
    const bool is_second_split = name.starts_with("train_") && name != "train_full";
    for (const std::string_view file : {"train_full", "test", "train_tr", "train_valid"}) {
        if (step.what.starts_with(std::string(file) + ": ")) {
            return file == name || (is_second_split && file == "train_full");
        }
    }
    return true;
}

/// Says which option left the fewest events of what there was before it.
[[nodiscard]] std::string costliest_option(const std::vector<gru4rec::PreprocessStep>& steps, std::string_view name) {
    const gru4rec::PreprocessStep* costliest = nullptr;
    gru4rec::Index most = 0;
    gru4rec::Index n_before = 0;
    for (const gru4rec::PreprocessStep& step : steps) {
        if (!concerns(step, name)) {
            continue;
        }
        if (!step.setting.empty() && n_before - step.n_events > most) {
            most = n_before - step.n_events;
            costliest = &step;
        }
        n_before = step.n_events;
    }
    if (costliest == nullptr) {
        return "the input has no events";
    }
    const std::string hint =
        costliest->setting == "test_duration"
            ? "; this span is cut off twice, for the test and for train_valid: choose a shorter one"
            : "";
    return option_of(costliest->setting) + " took most, " + std::to_string(most) + " events (" + costliest->what + ")" +
           hint;
}

void print_account(const std::string& file, const std::vector<gru4rec::PreprocessStep>& steps) {
    std::printf("%s\n  %10s  %10s  %10s  %10s\n", file.c_str(), "dropped", "sessions", "items", "events");
    for (const gru4rec::PreprocessStep& step : steps) {
        std::printf("  %10td  %10td  %10td  %10td  %s\n", step.n_dropped, step.n_sessions, step.n_items, step.n_events,
                    step.what.c_str());
    }
}

void require_events(const PreprocessOptions& options, const OutputFile& file, const gru4rec::Preprocessed& data) {
    if ((data.*file.events).size() == 0) {
        throw gru4rec::FormatError(name_of(options.events) + ": no event is left for " + file.path + "; " +
                                   costliest_option(data.steps, std::filesystem::path(file.path).stem().string()));
    }
}

}  // namespace

ExitStatus preprocess(const PreprocessOptions& options) {
    const std::array<OutputFile, 4> files = output_files(options.out);
    std::vector<NamedFile> destinations;
    for (const OutputFile& file : files) {
        destinations.push_back({"--out", file.path});
    }
    check_destinations(destinations, named_files("EVENTS", options.events));
    gru4rec::ReadReport report;
    const gru4rec::Events events = read_raw_events(options, report);
    const gru4rec::Preprocessed data = gru4rec::preprocess(events, recipe(options, report.time_unit));
    print_account(name_of(options.events), data.steps);
    for (const OutputFile& file : files) {
        require_events(options, file, data);
    }
    std::vector<std::unique_ptr<gru4rec::EventWriter>> writers;  // all files are replaced, or none
    for (const OutputFile& file : files) {
        writers.push_back(std::make_unique<gru4rec::EventWriter>(file.path, output_columns(options.table.columns)));
        writers.back()->write(data.*file.events);
        writers.back()->complete();
    }
    for (std::size_t i = 0; i < files.size(); ++i) {
        writers[i]->commit();
        const OutputFile& file = files[i];
        const gru4rec::Events& written = data.*file.events;
        std::printf("%s: %td sessions, %td items, %td events\n", file.path.c_str(), written.n_sessions(),
                    written.item_map.size(), written.size());
    }
    return ExitStatus::ok;
}

}  // namespace cli
