#include "gru4rec/core/error.hpp"
#include "gru4rec/core/file.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <vector>

#include "any_case.hpp"
#include "arguments.hpp"
#include "commands.hpp"
#include "file_text.hpp"
#include "report_page/page.hpp"
#include "report_page/run.hpp"

namespace cli {

namespace {

constexpr std::size_t most_runs = 24;                       ///< more lines in a picture cannot be told apart
constexpr std::size_t most_bytes = std::size_t{64} << 20U;  ///< of a report

/// The text as valid UTF-8, which names of files need not be.
[[nodiscard]] std::string readable(const std::string& text) {
    using Json = nlohmann::json;
    return Json::parse(Json(text).dump(-1, ' ', false, Json::error_handler_t::replace)).get<std::string>();
}

/// The names of the files without folders and endings if they differ, else as given.
[[nodiscard]] std::vector<std::string> names_of(const std::vector<std::string>& files) {
    std::vector<std::string> names;
    for (const std::string& file : files) {
        names.push_back(readable(std::filesystem::path(file).stem().string()));
    }
    std::vector<std::string> sorted = names;
    std::sort(sorted.begin(), sorted.end());
    if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) {
        std::transform(files.begin(), files.end(), names.begin(), readable);
    }
    return names;
}

/// Refuses a page that would replace a JSON report, as in --report *.json, whose first file is not among the runs.
void require_page(const std::string& page) {
    if (ends_in_any_case(page, ".json")) {
        throw gru4rec::ConfigError("--report: '" + page +
                                   "' is the name of a JSON report, but compare writes a page; expected a name such "
                                   "as runs.html");
    }
    std::error_code error;
    char first = ' ';
    if (std::filesystem::is_regular_file(page, error) && std::ifstream(page) >> first && first == '{') {
        throw gru4rec::ConfigError("--report: '" + page +
                                   "' holds JSON, perhaps the report of a run, but compare writes a page; expected "
                                   "another name, such as runs.html, or remove the file");
    }
}

}  // namespace

ExitStatus compare(const CompareOptions& options) {
    if (options.reports.size() > most_runs) {
        throw gru4rec::ConfigError("compare: expected at most " + std::to_string(most_runs) + " reports, found " +
                                   std::to_string(options.reports.size()));
    }
    require_page(options.page);
    std::vector<NamedFile> inputs;
    for (const std::string& file : options.reports) {
        inputs.push_back({"RUN", file});
    }
    check_destinations({{"--report", options.page}}, inputs);
    const std::vector<std::string> names = names_of(options.reports);
    std::vector<Run> runs;
    for (std::size_t i = 0; i < names.size(); ++i) {
        runs.push_back(read_run(options.reports[i], file_text(options.reports[i], most_bytes)));
        runs.back().name = names[i];
    }
    check_page_size(runs);
    gru4rec::detail::write_file(options.page, report_page(runs));
    std::printf("%s: %zu run%s\n", options.page.c_str(), runs.size(), runs.size() == 1 ? "" : "s");
    return ExitStatus::ok;
}

}  // namespace cli
