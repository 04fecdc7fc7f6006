#include "inputs.hpp"

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/data/files.hpp"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <span>
#include <system_error>
#include <utility>

#include "input_tables.hpp"
#include "messages.hpp"

namespace cli {

namespace {

namespace fs = std::filesystem;

[[nodiscard]] std::vector<std::string> files_in(const std::string& folder) {
    std::vector<std::string> files;
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
        const fs::file_status status = entry->status(error);
        if (status.type() == fs::file_type::none) {  // to leave it out would be to lose its events
            throw gru4rec::IoError(entry->path().string() + ": cannot read the file: " + error.message());
        }
        error.clear();  // a link that leads nowhere
        if (fs::is_regular_file(status) && !entry->path().filename().string().starts_with('.')) {
            files.push_back(entry->path().string());
        }
    }
    if (error) {
        throw gru4rec::IoError(folder + ": cannot read the folder: " + error.message());
    }
    if (files.empty()) {
        throw gru4rec::IoError(folder + ": the folder holds no files");
    }
    std::sort(files.begin(), files.end());
    return files;
}

[[nodiscard]] std::string rows(gru4rec::Index n) { return std::to_string(n) + (n == 1 ? " row" : " rows"); }

/// Says what is worth knowing about the data before they are used.
void tell_report(const gru4rec::ReadReport& report) {
    for (const std::string& note : report.notes) {
        tell(note);
    }
    if (report.n_filtered > 0) {
        tell(rows(report.n_filtered) + " left out by --where");
    }
    if (report.n_skipped > 0) {
        tell(rows(report.n_skipped) + " skipped, the first one: " + report.first_skipped);
    }
}

/// Calls `read` with what reads the tables: their paths or a function that hands them out.
template <class Read>
[[nodiscard]] auto read_tables(const std::vector<std::string>& paths, const TableOptions& table, const Read& read,
                               gru4rec::ReadReport& report) {
    InputTables tables(files_of(paths), table);
    gru4rec::ReadOptions options = tables.read_options();
    options.report = &report;
    const std::vector<fs::path> plain = tables.plain_files();
    auto result = plain.empty() ? read(gru4rec::TableInputs([&] { return tables.next(); }), options)
                                : read(std::span<const fs::path>(plain), options);
    tell_report(report);
    return result;
}

struct ReadSessions {
    gru4rec::KeepSessionIds keep_session_ids = gru4rec::KeepSessionIds::no;
    const gru4rec::ItemMap* known_items = nullptr;

    template <class Tables>
    [[nodiscard]] gru4rec::Dataset operator()(const Tables& tables, gru4rec::ReadOptions& options) const {
        options.keep_session_ids = keep_session_ids;
        options.known_items = known_items;
        return gru4rec::read_sessions(tables, options);
    }
};

struct ReadKnownEvents {
    const gru4rec::ItemMap* known_items;

    template <class Tables>
    [[nodiscard]] gru4rec::Events operator()(const Tables& tables, gru4rec::ReadOptions& options) const {
        options.known_items = known_items;
        return gru4rec::read_events(tables, options);
    }
};

[[noreturn]] void throw_nothing_to_learn(const std::vector<std::string>& paths, const gru4rec::ReadReport& report,
                                         gru4rec::Index n_events) {
    throw gru4rec::FormatError(name_of(paths) + ": no session has two events, so there is nothing to learn" +
                               (report.n_filtered > 0 && n_events == 0
                                    ? "; no row passes --where: compare its values with those of the column"
                                    : ""));
}

[[noreturn]] void throw_no_predictions(const std::vector<std::string>& paths, const gru4rec::ReadReport& report,
                                       const gru4rec::ItemMap& items, gru4rec::Index n_unknown) {
    const std::string example = report.first_unknown_item.empty() || items.size() == 0
                                    ? ""
                                    : "; an id here is " + gru4rec::detail::quote(report.first_unknown_item) +
                                          ", one of the training data " +
                                          gru4rec::detail::quote(items.id(gru4rec::to_item(0))) +
                                          ": if they should be the same kind of id, write them alike";
    throw gru4rec::FormatError(name_of(paths) +
                               ": no predictions: no session has two events of items of the training data (" +
                               std::to_string(n_unknown) + " events of unknown items left out)" + example);
}

[[nodiscard]] bool has_pair(const gru4rec::Events& events) {
    std::vector<char> seen(static_cast<std::size_t>(events.n_sessions()));
    return std::any_of(events.sessions.begin(), events.sessions.end(), [&](gru4rec::SessionIndex session) {
        return std::exchange(seen[static_cast<std::size_t>(to_index(session))], char{1}) != 0;
    });
}

}  // namespace

std::vector<std::string> files_of(const std::vector<std::string>& paths) {
    std::vector<std::string> files;
    for (const std::string& path : paths) {
        std::error_code error;
        if (path == "-" && std::find(files.begin(), files.end(), path) != files.end()) {
            throw gru4rec::ConfigError("'-' (standard input) is given twice, but can be read only once");
        }
        const fs::file_status status = path == "-" ? fs::file_status() : fs::status(path, error);
        if (path != "-" && status.type() == fs::file_type::none) {
            throw gru4rec::IoError(path + ": cannot read: " + error.message());
        }
        if (fs::is_directory(status)) {
            const std::vector<std::string> inside = files_in(path);
            files.insert(files.end(), inside.begin(), inside.end());
        } else {
            files.push_back(path);
        }
    }
    return files;
}

std::vector<NamedFile> named_files(std::string_view option, const std::vector<std::string>& paths) {
    std::vector<NamedFile> files;
    for (std::string& file : files_of(paths)) {
        files.push_back({option, file == "-" ? std::string() : std::move(file)});
    }
    return files;
}

std::string name_of(const std::vector<std::string>& paths) {
    const std::string more = paths.size() < 2 ? "" : " and " + std::to_string(paths.size() - 1) + " more";
    return (paths.front() == "-" ? "standard input" : paths.front()) + more;
}

gru4rec::Events read_event_files(const std::vector<std::string>& paths, const TableOptions& table,
                                 gru4rec::ReadReport& report) {
    return read_tables(
        paths, table,
        [](const auto& tables, const gru4rec::ReadOptions& options) { return gru4rec::read_events(tables, options); },
        report);
}

gru4rec::Dataset read_training_set(const std::vector<std::string>& paths, const TableOptions& table) {
    gru4rec::ReadReport report;
    gru4rec::Dataset data = read_tables(paths, table, ReadSessions{}, report);
    if (data.n_pairs() == 0) {
        throw_nothing_to_learn(paths, report, data.n_events());
    }
    return data;
}

gru4rec::Events read_training_events(const std::vector<std::string>& paths, const TableOptions& table) {
    gru4rec::ReadReport report;
    gru4rec::Events events = read_event_files(paths, table, report);
    if (!has_pair(events)) {
        throw_nothing_to_learn(paths, report, events.size());
    }
    return events;
}

gru4rec::Dataset read_test_set(const std::vector<std::string>& paths, const TableOptions& table,
                               const gru4rec::ItemMap& items, gru4rec::KeepSessionIds keep_session_ids) {
    gru4rec::ReadReport report;
    gru4rec::Dataset data = read_tables(paths, table, ReadSessions{keep_session_ids, &items}, report);
    if (data.n_pairs() == 0) {
        throw_no_predictions(paths, report, items, data.n_unknown_events());
    }
    return data;
}

gru4rec::Events read_test_events(const std::vector<std::string>& paths, const TableOptions& table,
                                 const gru4rec::ItemMap& items) {
    gru4rec::ReadReport report;
    gru4rec::Events events = read_tables(paths, table, ReadKnownEvents{&items}, report);
    if (!has_pair(events)) {
        throw_no_predictions(paths, report, items, events.n_unknown);
    }
    return events;
}

gru4rec::Dataset read_sessions_with_ids(const std::vector<std::string>& paths, const TableOptions& table,
                                        const gru4rec::ItemMap& items) {
    gru4rec::ReadReport report;
    return read_tables(paths, table, ReadSessions{gru4rec::KeepSessionIds::yes, &items}, report);
}

}  // namespace cli
