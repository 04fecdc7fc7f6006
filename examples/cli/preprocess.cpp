#include "gru4rec/data/preprocess.hpp"

#include "gru4rec/core/error.hpp"
#include "gru4rec/data/events.hpp"
#include "gru4rec/data/files.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "commands.hpp"

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

[[nodiscard]] gru4rec::PreprocessOptions recipe(const PreprocessOptions& options) {
    constexpr std::int64_t one_hour = 3600;
    gru4rec::PreprocessOptions recipe{
        .min_session_length = options.min_session_length,
        .min_item_support = options.min_item_support,
        .repeats = options.collapse_repeats ? gru4rec::Repeats::collapse : gru4rec::Repeats::keep,
        .test_duration = options.test_duration};
    if (options.gap >= 0 || !has_session_ids(options)) {
        recipe.max_gap = options.gap >= 0 ? options.gap : one_hour;
    }
    return recipe;
}

/// The events by session or, without session ids, by visitor.
[[nodiscard]] gru4rec::Events read_raw_events(const PreprocessOptions& options) {
    gru4rec::ColumnNames columns = options.columns;
    if (!has_session_ids(options)) {
        columns.session_key = options.visitor_key;
    }
    return gru4rec::read_events(options.events, {.columns = columns});
}

void print_account(const std::string& file, const std::vector<gru4rec::PreprocessStep>& steps) {
    std::printf("%s\n  %10s  %10s  %10s  %10s\n", file.c_str(), "dropped", "sessions", "items", "events");
    for (const gru4rec::PreprocessStep& step : steps) {
        std::printf("  %10td  %10td  %10td  %10td  %s\n", step.n_dropped, step.n_sessions, step.n_items, step.n_events,
                    step.what.c_str());
    }
}

void require_events(const PreprocessOptions& options, const OutputFile& file, const gru4rec::Events& events) {
    if (events.size() == 0) {
        throw gru4rec::FormatError(
            options.events + ": no event is left for " + file.path +
            "; look at the account of steps, and at --test-duration, --min-item-support and --min-session-length");
    }
}

}  // namespace

ExitStatus preprocess(const PreprocessOptions& options) {
    const std::array<OutputFile, 4> files = output_files(options.out);
    std::vector<NamedFile> destinations;
    for (const OutputFile& file : files) {
        destinations.push_back({"--out", file.path});
    }
    check_destinations(destinations, {{"EVENTS", options.events}});
    const gru4rec::Preprocessed data = gru4rec::preprocess(read_raw_events(options), recipe(options));
    print_account(options.events, data.steps);
    for (const OutputFile& file : files) {
        require_events(options, file, data.*file.events);
    }
    std::vector<std::unique_ptr<gru4rec::EventWriter>> writers;  // all files are replaced, or none
    for (const OutputFile& file : files) {
        writers.push_back(std::make_unique<gru4rec::EventWriter>(file.path, options.columns));
        writers.back()->write(data.*file.events);
    }
    for (std::size_t i = 0; i < files.size(); ++i) {
        writers[i]->commit();
        const OutputFile& file = files[i];
        const gru4rec::Events& events = data.*file.events;
        std::printf("%s: %td sessions, %td items, %td events\n", file.path.c_str(), events.n_sessions(),
                    events.item_map.size(), events.size());
    }
    return ExitStatus::ok;
}

}  // namespace cli
