#ifndef GRU4REC_CLI_REPORT_HPP
#define GRU4REC_CLI_REPORT_HPP

#include "gru4rec/core/types.hpp"
#include "gru4rec/data/dataset.hpp"
#include "gru4rec/data/events.hpp"
#include "gru4rec/eval/metrics.hpp"
#include "gru4rec/train/progress.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "arguments.hpp"
#include "commands.hpp"
#include "rank_details.hpp"

namespace cli {

/// The evaluation of one file, under every rule for ties.
struct FileEvaluation {
    std::string file;
    gru4rec::Index skipped_unknown = 0;  ///< events
    gru4rec::Evaluation result;
    std::string baseline{};              ///< name of the baseline; empty: a trained model
    double fit_seconds = 0;              ///< of the baseline
    bool warm = false;                   ///< earlier events of the sessions were fed first
    std::vector<RankDetails> details{};  ///< by rule for ties; empty: not asked for

    /// Fills `details` from the ranks of `result`. @param supports  training events of each item
    void add_details(const gru4rec::Dataset& test, std::span<const std::int64_t> supports);
};

/// The Euclidean norm of a tensor.
struct WeightNorm {
    std::string tensor;
    double norm = 0;
};

struct TrainedEpoch {
    gru4rec::EpochReport report;
    std::optional<FileEvaluation> valid;
    std::vector<WeightNorm> weights{};  ///< at the end of the epoch; empty: not asked for
};

struct TrainingReport {
    std::uint64_t seed = 0;
    std::vector<TrainedEpoch> epochs;
    int best_epoch = 0;  ///< whose weights early stopping restored; 0: none
    std::vector<double> step_loss;
};

/// What --report writes.
struct Report {
    int threads = 0;  ///< as requested
    std::vector<std::pair<std::string, std::string>> params;
    gru4rec::Index sessions = 0;
    gru4rec::Index items = 0;
    gru4rec::Index events = 0;
    std::optional<TrainingReport> training;  ///< empty if no model was trained
    std::vector<FileEvaluation> evaluations;

    void count(const gru4rec::Dataset& data) {
        sessions = data.n_sessions();
        items = data.n_items();
        events = data.n_events();
    }
};

/// The report as JSON (docs/report.md).
[[nodiscard]] std::string to_json(const Report& report);

/// Writes the report to each file, as a whole or not at all: as a page or as JSON, see is_page().
///
/// @throws gru4rec::IoError
void write_report(const Report& report, const ReportOptions& options);

/// What to measure for the report: with details also the rank of every target and the top-k lists.
[[nodiscard]] gru4rec::EvaluationOptions with_details(gru4rec::EvaluationOptions measures,
                                                      const ReportOptions& options);

/// --report as destinations for check_destinations.
[[nodiscard]] std::vector<NamedFile> report_files(const ReportOptions& options);

/// Whether to keep a test file's session ids, which the file of ranks names.
[[nodiscard]] gru4rec::KeepSessionIds session_ids_for(const MeasureOptions& options);

/// @throws gru4rec::FormatError if --ranks could not name all sessions of the data
void check_ranks(const MeasureOptions& options, const gru4rec::Dataset& test);

/// Writes the file of ranks if --ranks names one, under the first rule for ties. @throws gru4rec::IoError,
/// gru4rec::FormatError
void write_ranks(const MeasureOptions& options, const FileEvaluation& evaluation, const gru4rec::Dataset& test);

/// Prints `file: 1000 sessions, 100 items, 4000 events`.
void print_data(const std::string& file, const gru4rec::Dataset& data);

/// Prints the line of an epoch.
void print_epoch(const TrainedEpoch& epoch, int n_epochs);

/// Prints what was fed before the sessions of a test file.
void print_history(const std::string& file, const gru4rec::Dataset& history, const gru4rec::Evaluation& evaluation);

/// Prints the table of a test file.
void print_evaluation(const FileEvaluation& evaluation);

}  // namespace cli

#endif
