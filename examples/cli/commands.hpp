#ifndef GRU4REC_CLI_COMMANDS_HPP
#define GRU4REC_CLI_COMMANDS_HPP

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "any_case.hpp"
#include "duration.hpp"
#include "exit_status.hpp"
#include "table_options.hpp"

// The sub-commands. Each takes its options as the command line gives them; an empty text is an option not given. They
// report failure by the library's exceptions, which main() turns into messages and exit statuses.
namespace cli {

/// What is measured; cutoffs and rules as comma-separated lists.
struct MeasureOptions {
    std::string cutoffs = "20";
    std::string ties = "conservative";
    bool coverage = false;
    int bootstrap = 0;  ///< resamples; 0: no intervals
    double level = 0.95;
    std::uint64_t bootstrap_seed = 42;
    std::string ranks;  ///< file
};

/// Where and how often the state of training is kept.
struct CheckpointOptions {
    std::string file;        ///< written; if it is empty, that of `resume`
    std::string resume;      ///< resumed from, if it exists
    std::int64_t steps = 0;  ///< between two; 0: by time
    std::int64_t minutes = 10;

    [[nodiscard]] const std::string& destination() const noexcept { return file.empty() ? resume : file; }
};

/// Whether a report of this name is a page; otherwise it is JSON. The case of the ending does not matter.
[[nodiscard]] constexpr bool is_page(std::string_view file) noexcept {
    return ends_in_any_case(file, ".html") || ends_in_any_case(file, ".htm");
}

/// What is written about a run, and where.
struct ReportOptions {
    std::vector<std::string> files;
    bool details = false;  ///< also in JSON

    /// Whether details are to be measured: a page always shows them.
    [[nodiscard]] bool has_details() const noexcept {
        return details || std::any_of(files.begin(), files.end(), is_page);
    }
};

struct TrainOptions {
    std::vector<std::string> data;
    std::vector<std::string> params;  ///< each a list k=v,k=v
    std::string param_file;
    std::string valid;
    int patience = 0;  ///< 0: no early stopping
    std::string stop_metric = "recall";
    std::vector<std::string> tests;
    MeasureOptions measure;
    std::string init;
    std::string continued;  ///< a model file
    CheckpointOptions checkpoints;
    std::string save;
    bool baselines = false;
    ReportOptions report;
    int threads = 0;  ///< 0: all
    std::uint64_t seed = 42;
    std::string precision = "float";
    std::int64_t log_steps = 0;
    TableOptions table;
};

struct EvaluateOptions {
    std::string model;
    std::vector<std::string> data;
    std::string warm_start;
    MeasureOptions measure;
    ReportOptions report;
    int threads = 0;
    TableOptions table;
};

struct BaselinesOptions {
    std::vector<std::string> data;  ///< training data, then test data
    MeasureOptions measure;
    ReportOptions report;
    int threads = 0;
    TableOptions table;
};

struct CompareOptions {
    std::vector<std::string> reports;  ///< JSON
    std::string page;
};

struct RecommendOptions {
    std::string model;
    std::string session;                ///< item ids; empty is a session without events
    std::vector<std::string> sessions;  ///< files; empty: it is `session` that was given
    std::string out;                    ///< empty or "-": standard output
    int top = 20;
    int threads = 0;
    TableOptions table;
};

struct InspectOptions {
    std::string model;
    bool json = false;
};

struct ImportOptions {
    std::string weights;
    std::string items;                ///< a file of one item id per line
    std::vector<std::string> params;  ///< each a list k=v,k=v
    std::string param_file;
    std::string save;
};

struct PreprocessOptions {
    std::vector<std::string> events;
    std::string out;  ///< a folder
    std::int64_t min_session_length = 2;
    std::int64_t min_item_support = 5;
    bool collapse_repeats = false;
    std::optional<Duration> gap;
    Duration test_duration{86'400, true};
    std::string visitor_key;
    bool one_visitor = false;
    TableOptions table;
};

struct DescribeOptions {
    std::vector<std::string> data;
    TableOptions table;
};

struct SynthOptions {
    std::string out;
    std::string test;
    std::int64_t sessions = 20'000;
    std::int64_t items = 500;
    std::uint64_t seed = 42;
};

struct ReplayOptions {
    std::string model;
    std::vector<std::string> data;
    std::string url = "http://127.0.0.1:8080";
    std::int64_t rate = 0;  ///< requests per second; 0: as fast as the connections allow
    std::int64_t connections = 16;
    int n = 20;  ///< items of a list
    bool stateless = false;
    std::string token_file;
    Duration request{10, true};  ///< for an answer to arrive
    std::int64_t seconds = 0;    ///< 0: once, to the end
    std::string report;
    TableOptions table;
};

/// What one client, or all of them together, may take. docs/server.md explains each.
struct ServeLimits {
    std::int64_t body = std::int64_t{1} << 20;          ///< bytes of a request's body
    std::int64_t filter_body = std::int64_t{64} << 20;  ///< bytes of the body of PUT /v1/filter
    std::int64_t header = 16'384;                       ///< bytes of the request line and the headers
    Duration request{10, true};                         ///< for a request to arrive, and for its answer to be taken
    Duration idle{60, true};                            ///< of a connection between two requests
    std::int64_t connections = 10'000;
    std::int64_t sessions = 1'000'000;
    std::int64_t session_memory = 1024;  ///< MiB
    Duration session_idle{1800, true};
    std::int64_t n = 1000;      ///< the longest list
    std::int64_t ids = 10'000;  ///< item ids in a request
    std::int64_t batch = 1000;  ///< sessions in a request
};

struct ServeOptions {
    std::string model;
    std::string listen = "127.0.0.1:8080";
    int threads = 0;  ///< 0: one per core
    bool exact = false;
    std::string token_file;
    bool insecure = false;
    std::string state;  ///< a folder; empty: nothing is kept
    std::string log;    ///< empty: none; "-": standard error
    std::string redis;  ///< an URL; empty: sessions are kept in this process
    std::string redis_password_file;
    std::string catalogue;              ///< a file; empty: items have no names
    std::vector<std::string> pictures;  ///< origins that pictures may come from
    ServeLimits limits;
};

[[nodiscard]] ExitStatus train(const TrainOptions& options);
[[nodiscard]] ExitStatus evaluate(const EvaluateOptions& options);
[[nodiscard]] ExitStatus baselines(const BaselinesOptions& options);
[[nodiscard]] ExitStatus compare(const CompareOptions& options);
[[nodiscard]] ExitStatus recommend(const RecommendOptions& options);
[[nodiscard]] ExitStatus inspect(const InspectOptions& options);
[[nodiscard]] ExitStatus import_model(const ImportOptions& options);
[[nodiscard]] ExitStatus preprocess(const PreprocessOptions& options);
[[nodiscard]] ExitStatus describe(const DescribeOptions& options);
[[nodiscard]] ExitStatus synth(const SynthOptions& options);
[[nodiscard]] ExitStatus replay(const ReplayOptions& options);
[[nodiscard]] ExitStatus serve(const ServeOptions& options);

}  // namespace cli

#endif
