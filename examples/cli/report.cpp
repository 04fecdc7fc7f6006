#include "report.hpp"

#include "gru4rec/core/file.hpp"
#include "gru4rec/eval/ranks_file.hpp"

#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "report_page/page.hpp"
#include "report_page/run.hpp"

namespace cli {

namespace {

void print_intervals(const gru4rec::Evaluation& result) {
    if (result.metrics.front().recall_interval.empty()) {
        return;
    }
    std::printf("  %-12s  %6s  %-20s  %-20s\n", "ties", "cutoff", "Recall between", "MRR between");
    for (const gru4rec::Metrics& metrics : result.metrics) {
        const std::string ties(to_string(metrics.ties));
        for (std::size_t c = 0; c < result.cutoffs.size(); ++c) {
            const auto& [recall_low, recall_high] = metrics.recall_interval[c];
            const auto& [mrr_low, mrr_high] = metrics.mrr_interval[c];
            std::printf("  %-12s  %6d  %8.6f .. %8.6f  %8.6f .. %8.6f\n", ties.c_str(), result.cutoffs[c], recall_low,
                        recall_high, mrr_low, mrr_high);
        }
    }
}

void print_lists(const gru4rec::Evaluation& result) {
    if (result.coverage.empty()) {
        return;
    }
    std::printf("  %6s  %8s  %10s\n", "cutoff", "Coverage", "Popularity");
    for (std::size_t c = 0; c < result.cutoffs.size(); ++c) {
        std::printf("  %6d  %8.6f  %10.8f\n", result.cutoffs[c], result.coverage[c], result.popularity[c]);
    }
}

}  // namespace

void FileEvaluation::add_details(const gru4rec::Dataset& test, std::span<const std::int64_t> supports) {
    for (const gru4rec::Metrics& metrics : result.metrics) {
        details.push_back(details_of(result, metrics.ties, test, supports));
    }
}

void write_report(const Report& report, const ReportOptions& options) {
    if (options.files.empty()) {
        return;
    }
    const std::string json = to_json(report);
    std::vector<std::pair<std::filesystem::path, std::string>> files;
    for (const std::string& file : options.files) {
        files.emplace_back(file, is_page(file) ? report_page({read_run(file, json, Author::this_process)}) : json);
    }
    gru4rec::detail::write_files(files);
}

gru4rec::EvaluationOptions with_details(gru4rec::EvaluationOptions measures, const ReportOptions& options) {
    measures.coverage = measures.coverage || options.has_details();
    measures.ranks = measures.ranks || options.has_details();
    return measures;
}

std::vector<NamedFile> report_files(const ReportOptions& options) {
    std::vector<NamedFile> files;
    for (const std::string& file : options.files) {
        files.push_back({"--report", file});
    }
    return files;
}

void print_data(const std::string& file, const gru4rec::Dataset& data) {
    std::printf("%s: %td sessions, %td items, %td events\n", file.c_str(), data.n_sessions(), data.n_items(),
                data.n_events());
    std::fflush(stdout);
}

void print_epoch(const TrainedEpoch& epoch, int n_epochs) {
    const gru4rec::EpochReport& report = epoch.report;
    const auto width = static_cast<int>(std::to_string(n_epochs).size());
    std::printf("epoch %*d/%d  ", width, report.epoch, n_epochs);
    std::printf(report.loss < 1e6 ? "loss %.6f" : "loss %.6e", report.loss);
    std::printf("  %.2f s  %.1f mb/s  %.0f events/s", report.seconds, report.steps_per_second(),
                report.events_per_second());
    if (epoch.valid) {
        const gru4rec::Evaluation& result = epoch.valid->result;
        const gru4rec::Metrics& metrics = result.metrics.front();
        for (std::size_t c = 0; c < result.cutoffs.size(); ++c) {
            std::printf("  Recall@%d %.6f  MRR@%d %.6f  NDCG@%d %.6f", result.cutoffs[c], metrics.recall[c],
                        result.cutoffs[c], metrics.mrr[c], result.cutoffs[c], metrics.ndcg[c]);
        }
    }
    std::printf("\n");
    std::fflush(stdout);
}

gru4rec::KeepSessionIds session_ids_for(const MeasureOptions& options) {
    return options.ranks.empty() ? gru4rec::KeepSessionIds::no : gru4rec::KeepSessionIds::yes;
}

void check_ranks(const MeasureOptions& options, const gru4rec::Dataset& test) {
    if (!options.ranks.empty()) {
        gru4rec::check_ranks_file(options.ranks, test);
    }
}

void write_ranks(const MeasureOptions& options, const FileEvaluation& evaluation, const gru4rec::Dataset& test) {
    if (!options.ranks.empty()) {
        const gru4rec::Evaluation& result = evaluation.result;
        gru4rec::write_ranks(options.ranks, result.ranks, test, result.metrics.front().ties);
    }
}

void print_history(const std::string& file, const gru4rec::Dataset& history, const gru4rec::Evaluation& evaluation) {
    std::printf("%s: %td earlier events of %td sessions fed first, %td events of unknown items skipped\n", file.c_str(),
                evaluation.n_history_events, evaluation.n_warm_sessions, history.n_unknown_events());
    std::fflush(stdout);
}

void print_evaluation(const FileEvaluation& evaluation) {
    const gru4rec::Evaluation& result = evaluation.result;
    std::printf("%s: %td predictions, %td events of unknown items skipped, %.2f s\n", evaluation.file.c_str(),
                result.n_predictions, evaluation.skipped_unknown, result.seconds);
    std::printf("  %-12s  %6s  %8s  %8s  %8s\n", "ties", "cutoff", "Recall", "MRR", "NDCG");
    for (const gru4rec::Metrics& metrics : result.metrics) {
        const std::string ties(to_string(metrics.ties));
        for (std::size_t c = 0; c < result.cutoffs.size(); ++c) {
            std::printf("  %-12s  %6d  %8.6f  %8.6f  %8.6f\n", ties.c_str(), result.cutoffs[c], metrics.recall[c],
                        metrics.mrr[c], metrics.ndcg[c]);
        }
    }
    print_intervals(result);
    print_lists(result);
    std::fflush(stdout);
}

}  // namespace cli
