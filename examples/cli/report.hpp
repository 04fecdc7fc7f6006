#ifndef GRU4REC_CLI_REPORT_HPP
#define GRU4REC_CLI_REPORT_HPP

#include "gru4rec/core/types.hpp"
#include "gru4rec/data/dataset.hpp"
#include "gru4rec/data/events.hpp"
#include "gru4rec/eval/metrics.hpp"
#include "gru4rec/train/progress.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "commands.hpp"

namespace cli {

/// One file, evaluated under every rule for ties.
struct FileEvaluation {
    std::string file;
    gru4rec::Index skipped_unknown = 0;  ///< events
    gru4rec::Evaluation result;
    std::string baseline{};  ///< which one was measured; empty: a trained model
    double fit_seconds = 0;  ///< of the baseline
    bool warm = false;       ///< sessions may have earlier events, which were fed first
};

struct TrainedEpoch {
    gru4rec::EpochReport report;
    std::optional<FileEvaluation> valid;
};

struct TrainingReport {
    std::uint64_t seed = 0;
    std::vector<TrainedEpoch> epochs;
    int best_epoch = 0;  ///< the one whose weights were kept by early stopping; 0: none was chosen
    std::vector<double> step_loss;
};

/// What --report writes.
struct Report {
    int threads = 0;  ///< as asked for
    std::vector<std::pair<std::string, std::string>> params;
    gru4rec::Index sessions = 0;
    gru4rec::Index items = 0;
    gru4rec::Index events = 0;
    std::optional<TrainingReport> training;  ///< nothing where a trained model was evaluated
    std::vector<FileEvaluation> evaluations;

    void count(const gru4rec::Dataset& data) {
        sessions = data.n_sessions();
        items = data.n_items();
        events = data.n_events();
    }
};

/// Writes the report as JSON (docs/program.md), all of it or nothing. @throws gru4rec::IoError
void write_report(const Report& report, const std::string& path);

/// Whether a test file's session ids are needed: the file of single ranks names them.
[[nodiscard]] gru4rec::KeepSessionIds session_ids_for(const MeasureOptions& options);

/// @throws gru4rec::FormatError where --ranks could not name all sessions of the data
void check_ranks(const MeasureOptions& options, const gru4rec::Dataset& test);

/// Writes the file of single ranks where --ranks asks for it, under the first rule for ties. @throws gru4rec::IoError,
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
