#include "gru4rec/baselines/bpr_mf.hpp"
#include "gru4rec/baselines/item_knn.hpp"
#include "gru4rec/baselines/last_item.hpp"
#include "gru4rec/baselines/popularity.hpp"
#include "gru4rec/baselines/vector_session_knn.hpp"
#include "gru4rec/core/config.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/eval/evaluate.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "arguments.hpp"
#include "baselines.hpp"
#include "commands.hpp"
#include "inputs.hpp"
#include "report.hpp"

namespace cli {

namespace {

using gru4rec::detail::format_number;

/// The default options of all baselines, for the report.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> baseline_parameters() {
    const gru4rec::SequentialRulesOptions rules;
    const gru4rec::ItemKnnOptions item_knn;
    const gru4rec::BprMfOptions bpr_mf;
    const gru4rec::VectorSessionKnnOptions v_sknn;
    return {{"sequential-rules.max_steps", format_number(rules.max_steps)},
            {"item-knn.n_neighbours", format_number(item_knn.n_neighbours)},
            {"item-knn.regularisation", format_number(item_knn.regularisation)},
            {"bpr-mf.n_factors", format_number(bpr_mf.n_factors)},
            {"bpr-mf.n_epochs", format_number(bpr_mf.n_epochs)},
            {"bpr-mf.learning_rate", format_number(bpr_mf.learning_rate)},
            {"bpr-mf.regularisation", format_number(bpr_mf.regularisation)},
            {"bpr-mf.seed", format_number(bpr_mf.seed)},
            {"v-sknn.k", format_number(v_sknn.k)},
            {"v-sknn.sample_size", format_number(v_sknn.sample_size)}};
}

/// The heading of a column. Its values are aligned to the width.
[[nodiscard]] std::string heading(const char* metric, int cutoff) {
    const std::string text = std::string(metric) + "@" + std::to_string(cutoff);
    return std::string((std::max)(std::size_t{8}, text.size()) - text.size(), ' ') + text;
}

/// Prints the table row by row, as results arrive.
class Table {
  public:
    Table(const std::string& file, const gru4rec::Dataset& test, const std::vector<int>& cutoffs) : cutoffs_(cutoffs) {
        std::printf("%s: %td predictions, %td events of unknown items skipped\n", file.c_str(), test.n_pairs(),
                    test.n_unknown_events());
        std::printf("  %-16s  %-12s", "baseline", "ties");
        for (const int cutoff : cutoffs_) {
            std::printf("  %s  %s  %s", heading("Recall", cutoff).c_str(), heading("MRR", cutoff).c_str(),
                        heading("NDCG", cutoff).c_str());
        }
        std::printf("  %7s  %7s\n", "fit s", "test s");
        std::fflush(stdout);
    }

    void print(const FileEvaluation& evaluation) const {
        for (const gru4rec::Metrics& metrics : evaluation.result.metrics) {
            const std::string ties(to_string(metrics.ties));
            std::printf("  %-16s  %-12s", evaluation.baseline.c_str(), ties.c_str());
            for (std::size_t c = 0; c < cutoffs_.size(); ++c) {
                const auto width = [&](const char* metric) {
                    return static_cast<int>(heading(metric, cutoffs_[c]).size());
                };
                std::printf("  %*.6f  %*.6f  %*.6f", width("Recall"), metrics.recall[c], width("MRR"), metrics.mrr[c],
                            width("NDCG"), metrics.ndcg[c]);
            }
            std::printf("  %7.2f  %7.2f\n", evaluation.fit_seconds, evaluation.result.seconds);
        }
        std::fflush(stdout);
    }

  private:
    std::vector<int> cutoffs_;
};

template <class Baseline>
[[nodiscard]] FileEvaluation fit_and_measure(const std::string& name, const gru4rec::Dataset& train,
                                             const BaselineTest& test) {
    const auto start = std::chrono::steady_clock::now();
    const Baseline baseline(train);
    FileEvaluation evaluation{
        .file = test.file, .skipped_unknown = test.data.n_unknown_events(), .result = {}, .baseline = name};
    evaluation.fit_seconds = gru4rec::detail::seconds_since(start);
    evaluation.result = gru4rec::evaluate(baseline, test.data, test.measures, {.supports = train.supports()});
    if (test.measures.ranks) {
        evaluation.add_details(test.data, test.supports);
        evaluation.result.ranks = {};  // 48 bytes each
    }
    return evaluation;
}

}  // namespace

std::vector<FileEvaluation> measure_baselines(const gru4rec::Dataset& train, const BaselineTest& test) {
    const Table table(test.file, test.data, test.measures.cutoffs);
    std::vector<FileEvaluation> evaluations;
    const auto add = [&](FileEvaluation evaluation) {
        table.print(evaluation);
        evaluations.push_back(std::move(evaluation));
    };
    add(fit_and_measure<gru4rec::Popularity>("pop", train, test));
    add(fit_and_measure<gru4rec::SessionPopularity>("s-pop", train, test));
    add(fit_and_measure<gru4rec::Markov>("markov", train, test));
    add(fit_and_measure<gru4rec::SequentialRules>("sequential-rules", train, test));
    add(fit_and_measure<gru4rec::ItemKnn>("item-knn", train, test));
    add(fit_and_measure<gru4rec::BprMf>("bpr-mf", train, test));
    add(fit_and_measure<gru4rec::VectorSessionKnn>("v-sknn", train, test));
    return evaluations;
}

ExitStatus baselines(const BaselinesOptions& options) {
    const gru4rec::EvaluationOptions measures =
        with_details(read_measures(options.measure, options.threads), options.report);
    const std::vector<std::string> train_files(options.data.begin(), options.data.end() - 1);
    const std::string& test_file = options.data.back();
    std::vector<NamedFile> files = named_files("TRAIN", train_files);
    for (NamedFile& file : named_files("TEST", {test_file})) {
        files.push_back(std::move(file));
    }
    check_destinations(report_files(options.report), files);
    const gru4rec::Dataset train = read_training_set(train_files, options.table);
    const gru4rec::Dataset test = read_test_set({test_file}, options.table, train.items());
    print_data(name_of(train_files), train);

    Report report{.threads = options.threads,
                  .params = baseline_parameters(),
                  .training = {},
                  .evaluations = measure_baselines(train, {name_of({test_file}), test, measures, train.supports()})};
    report.count(train);
    write_report(report, options.report);
    return ExitStatus::ok;
}

}  // namespace cli
