#ifndef GRU4REC_CLI_REPORT_PAGE_RUN_HPP
#define GRU4REC_CLI_REPORT_PAGE_RUN_HPP

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// What a page shows of a report, read from its JSON (docs/report.md).
namespace cli {

/// Changes when a key is removed or changes its meaning; new keys do not change it.
inline constexpr int report_version = 1;

/// Stands for a number that is null in the JSON, because it was not finite, or that is missing.
inline constexpr double no_value = std::numeric_limits<double>::quiet_NaN();

/// By cutoff.
using Values = std::map<int, double>;
using Intervals = std::map<int, std::pair<double, double>>;

struct MeasuredGroup {
    std::int64_t from = 0;
    std::optional<std::int64_t> to;
    std::int64_t predictions = 0;
    Values recall;
    Values mrr;
};

struct MeasuredRanks {
    std::int64_t up_to = 0;
    std::int64_t predictions = 0;
};

/// One evaluation by one rule for ties. What was not measured is empty.
struct Measured {
    std::string file;
    std::string ties;
    std::string baseline;  ///< empty: the model
    std::int64_t predictions = 0;
    std::int64_t skipped_unknown = 0;  ///< events
    Values recall;
    Values mrr;
    Values ndcg;
    Intervals recall_interval;
    Intervals mrr_interval;
    Values coverage;
    Values popularity;
    std::vector<MeasuredGroup> by_position;
    std::vector<MeasuredGroup> by_session_length;
    std::vector<MeasuredGroup> by_popularity;
    std::vector<MeasuredRanks> ranks;
    std::int64_t unranked = 0;
};

struct GradientNorms {
    double mean = 0;
    double largest = 0;
};

struct RunEpoch {
    std::int64_t epoch = 0;
    double loss = 0;
    double seconds = 0;
    double events_per_second = 0;
    double learning_rate = no_value;
    std::vector<Measured> valid;
    std::map<std::string, double> weight_norms;
    std::map<std::string, GradientNorms> gradient_norms;
};

struct Run {
    std::string name;  ///< for titles and legends; not part of the JSON
    std::string version;
    std::string cpu;
    std::string engine;  ///< empty: not in the report
    std::string flags;
    std::int64_t threads = 0;
    std::optional<std::uint64_t> seed;
    std::map<std::string, std::string> params;
    std::int64_t sessions = 0;
    std::int64_t items = 0;
    std::int64_t events = 0;
    std::vector<RunEpoch> epochs;
    std::int64_t best_epoch = 0;  ///< 0: none
    std::vector<double> step_loss;
    std::vector<Measured> evaluations;
    std::int64_t peak_rss_bytes = 0;
};

enum class Author { this_process, anybody };  ///< a report by anybody is limited in size

/// @param file  for messages
/// @throws gru4rec::FormatError naming the file and the field, what was expected and what was found
[[nodiscard]] Run read_run(const std::string& file, std::string_view json, Author author = Author::anybody);

}  // namespace cli

#endif
