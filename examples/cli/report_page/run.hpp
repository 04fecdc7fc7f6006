#ifndef GRU4REC_CLI_REPORT_PAGE_RUN_HPP
#define GRU4REC_CLI_REPORT_PAGE_RUN_HPP

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// A report as its JSON says it (docs/report.md). Numbers that are not finite are null there and NaN here.
namespace cli {

/// Changes when a key is removed or changes its meaning; new keys do not change it.
inline constexpr int report_version = 1;

/// By cutoff.
using Values = std::map<int, double>;
using Intervals = std::map<int, std::pair<double, double>>;

struct MeasuredGroup {
    std::int64_t from = 0;
    std::optional<std::int64_t> to;
    std::int64_t predictions = 0;
    Values recall;
    Values mrr;
    Values ndcg;
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
    std::int64_t skipped_unknown = 0;
    Values recall;
    Values mrr;
    Values ndcg;
    Intervals recall_interval;
    Intervals mrr_interval;
    Values coverage;
    Values popularity;
    double seconds = 0;
    double fit_seconds = 0;
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
    std::int64_t steps = 0;
    std::int64_t pairs = 0;
    double events_per_second = 0;
    std::optional<double> learning_rate;
    std::vector<Measured> valid;
    std::map<std::string, double> weight_norms;
    std::map<std::string, GradientNorms> gradient_norms;
};

struct Run {
    std::string name;  ///< for titles and legends; not part of the JSON
    std::string version;
    std::string cpu;
    std::string flags;
    std::int64_t threads = 0;
    std::optional<std::uint64_t> seed;
    std::vector<std::pair<std::string, std::string>> params;
    std::int64_t sessions = 0;
    std::int64_t items = 0;
    std::int64_t events = 0;
    std::vector<RunEpoch> epochs;
    std::int64_t best_epoch = 0;  ///< 0: none
    std::vector<double> step_loss;
    std::vector<Measured> evaluations;
    std::int64_t peak_rss_bytes = 0;
};

enum class Author { this_process, anybody };  ///< what anybody wrote is limited in size

/// @param file  for messages
/// @throws gru4rec::FormatError naming the file and the field, what was expected and what was found
[[nodiscard]] Run read_run(const std::string& file, std::string_view json, Author author = Author::anybody);

}  // namespace cli

#endif
