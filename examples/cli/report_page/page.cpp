#include "page.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include "figures.hpp"
#include "style.hpp"
#include "support/chart.hpp"

namespace cli {

namespace {

using charts::escaped;

[[nodiscard]] std::string name_of(const Run& run, const Measured& measured, std::size_t n_runs) {
    if (n_runs == 1) {
        return measured.baseline.empty() ? "GRU4Rec" : measured.baseline;
    }
    return run.name + (measured.baseline.empty() ? "" : ", " + measured.baseline);
}

/// What was measured, by file and rule for ties, in the order of the runs.
[[nodiscard]] std::vector<Comparison> comparisons_of(const std::vector<Run>& runs) {
    std::vector<Comparison> comparisons;
    for (const Run& run : runs) {
        for (const Measured& measured : run.evaluations) {
            auto comparison = std::find_if(comparisons.begin(), comparisons.end(), [&](const Comparison& c) {
                return c.file == measured.file && c.ties == measured.ties;
            });
            if (comparison == comparisons.end()) {
                comparison = comparisons.insert(comparison, {measured.file, measured.ties, {}});
            }
            comparison->methods.push_back({name_of(run, measured, runs.size()), &measured});
        }
    }
    return comparisons;
}

[[nodiscard]] std::string note(const std::string& text) { return "<p class=\"quiet note\">" + text + "</p>\n"; }

[[nodiscard]] std::string fixed(double value, int digits) {
    std::array<char, 400> text{};
    std::snprintf(text.data(), text.size(), "%.*f", digits, value);
    return std::isfinite(value) ? text.data() : "–";
}

[[nodiscard]] std::string duration(double seconds) {
    if (!(seconds >= 100) || seconds > 1e12) {
        return fixed(seconds, seconds < 10 ? 2 : 1) + " s";
    }
    const auto whole = static_cast<std::int64_t>(seconds + 0.5);
    const std::int64_t hours = whole / 3600;
    const std::string minutes = std::to_string(whole / 60 % 60) + " min";
    return hours > 0 ? std::to_string(hours) + " h " + minutes : minutes + " " + std::to_string(whole % 60) + " s";
}

/// 1234567 as 1,234,567.
[[nodiscard]] std::string grouped(std::int64_t number) {
    std::string text = std::to_string(number);
    for (std::size_t place = text.size(); place > 3; place -= 3) {
        text.insert(place - 3, ",");
    }
    return text;
}

[[nodiscard]] double seconds_of(const Run& run) {
    double sum = 0;
    for (const RunEpoch& epoch : run.epochs) {
        sum += epoch.seconds;
    }
    return sum;
}

/// Events per second, the mean over the time of all epochs.
[[nodiscard]] double speed_of(const Run& run) {
    double events = 0;
    for (const RunEpoch& epoch : run.epochs) {
        events += epoch.events_per_second * epoch.seconds;
    }
    return seconds_of(run) > 0 ? events / seconds_of(run) : std::numeric_limits<double>::quiet_NaN();
}

[[nodiscard]] std::string region(const std::string& label, const std::string& table) {
    return "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"" + escaped(label) + "\">\n" + table +
           "</div>\n";
}

/// A column of the table of results.
struct Measure {
    std::string title;
    std::function<double(const Measured&)> value;
    std::function<std::pair<double, double>(const Measured&)> interval;
    bool more_is_better = true;
    int digits = 4;  ///< behind the point
};

[[nodiscard]] Measure measure(const std::string& title, int cutoff, Values Measured::*values,
                              Intervals Measured::*intervals = nullptr) {
    constexpr double none = std::numeric_limits<double>::quiet_NaN();
    return {.title = title + "@" + std::to_string(cutoff),
            .value =
                [=](const Measured& m) {
                    const auto found = (m.*values).find(cutoff);
                    return found == (m.*values).end() ? none : found->second;
                },
            .interval =
                [=](const Measured& m) {
                    if (intervals == nullptr || !(m.*intervals).contains(cutoff)) {
                        return std::pair{none, none};
                    }
                    return (m.*intervals).at(cutoff);
                }};
}

/// The measures of which any method has a value; of the lists only the longest, as pictures show them all.
[[nodiscard]] std::vector<Measure> measures_of(const Comparison& comparison) {
    std::set<int> cutoffs;
    for (const Comparison::Method& method : comparison.methods) {
        for (const auto& [cutoff, value] : method.measured->recall) {
            cutoffs.insert(cutoff);
        }
    }
    std::vector<Measure> measures;
    for (const int cutoff : cutoffs) {
        measures.push_back(measure("Recall", cutoff, &Measured::recall, &Measured::recall_interval));
        measures.push_back(measure("MRR", cutoff, &Measured::mrr, &Measured::mrr_interval));
        measures.push_back(measure("NDCG", cutoff, &Measured::ndcg));
    }
    measures.push_back(measure("Coverage", comparison.cutoff(), &Measured::coverage));
    measures.push_back(measure("Popularity", comparison.cutoff(), &Measured::popularity));
    measures.back().more_is_better = false;
    measures.back().digits = 6;
    std::erase_if(measures, [&](const Measure& m) {
        return std::none_of(comparison.methods.begin(), comparison.methods.end(),
                            [&](const Comparison::Method& method) { return std::isfinite(m.value(*method.measured)); });
    });
    return measures;
}

[[nodiscard]] double best_of(const Comparison& comparison, const Measure& measure) {
    double best = -std::numeric_limits<double>::infinity();
    std::size_t n_measured = 0;
    for (const Comparison::Method& method : comparison.methods) {
        const double value = measure.value(*method.measured);
        n_measured += std::isfinite(value) ? 1U : 0U;
        best = std::fmax(best, value);
    }
    return n_measured > 1 && measure.more_is_better ? best : std::numeric_limits<double>::quiet_NaN();
}

[[nodiscard]] std::string result_row(const Comparison& comparison, const Comparison::Method& method,
                                     const std::vector<Measure>& measures) {
    std::string text = "<tr><th scope=\"row\"><bdi>" + escaped(method.name) + "</bdi></th>";
    for (const Measure& m : measures) {
        const double value = m.value(*method.measured);
        const auto [low, high] = m.interval(*method.measured);
        text += value == best_of(comparison, m) ? "<td class=\"best\">" : "<td>";
        text += fixed(value, m.digits);
        if (std::isfinite(low) && std::isfinite(high)) {
            text += "<span class=\"interval\">" + fixed(low, 4) + " to " + fixed(high, 4) + "</span>";
        }
        text += "</td>";
    }
    return text + "<td>" + grouped(method.measured->predictions) + "</td></tr>\n";
}

[[nodiscard]] std::string result_table(const Comparison& comparison) {
    const std::vector<Measure> measures = measures_of(comparison);
    std::string text = "<table>\n<caption><bdi>" + escaped(comparison.file) +
                       "</bdi> <span class=\"quiet\">equal scores: " + escaped(comparison.ties) +
                       " rule</span></caption>\n<thead><tr><th scope=\"col\">method</th>";
    for (const Measure& m : measures) {
        text += "<th scope=\"col\">" + escaped(m.title) + "</th>";
    }
    text += "<th scope=\"col\">predictions</th></tr></thead>\n<tbody>\n";
    for (const Comparison::Method& method : comparison.methods) {
        text += result_row(comparison, method, measures);
    }
    return "<div class=\"sheet\">" + region("Results on " + comparison.file, text + "</tbody>\n</table>\n") +
           "</div>\n";
}

/// Whether what the methods were measured on is not the same.
[[nodiscard]] bool differ_in_predictions(const Comparison& comparison) {
    return std::any_of(comparison.methods.begin(), comparison.methods.end(), [&](const Comparison::Method& method) {
        return method.measured->predictions != comparison.methods.front().measured->predictions;
    });
}

[[nodiscard]] std::string results(const std::vector<Comparison>& comparisons) {
    if (comparisons.empty()) {
        return "<h2>Results</h2>\n" +
               note(
                   "Nothing was measured. With <code>--test FILE</code> or <code>--valid FILE</code>, "
                   "<code>train</code> measures the model, with <code>--baselines</code> beside simple methods.");
    }
    std::string text = "<h2>Results</h2>\n<div class=\"tables\">\n";
    for (const Comparison& comparison : comparisons) {
        text += result_table(comparison);
        if (differ_in_predictions(comparison)) {
            text += note(
                "The numbers of predictions differ: other items are known, or the file is not the same. The "
                "values cannot be compared.");
        }
    }
    return text + "</div>\n";
}

/// The pictures of a file, by the first rule for ties.
[[nodiscard]] std::string pictures(const Comparison& comparison) {
    const std::string file = "<bdi>" + escaped(comparison.file) + "</bdi>";
    const std::string groups = group_figures(comparison);
    const std::string lists = list_figures(comparison);
    std::string text;
    if (!groups.empty()) {
        text += "<h2>Which targets are found, " + file + "</h2>\n<div class=\"figures\">\n" + groups + "</div>\n";
    }
    if (!lists.empty()) {
        text += "<h2>Ranks and lists, " + file + "</h2>\n<div class=\"figures\">\n" + lists + "</div>\n";
    }
    if (groups.empty()) {
        text += note(
            "Metrics by position, by length of the session and by popularity, and the distribution of ranks, are "
            "not part of a report of " +
            file + ": make it with <code>--details</code>.");
    }
    return text;
}

[[nodiscard]] std::string training(const std::vector<Run>& runs) {
    const auto any_epoch = [&](const auto& holds) {
        return std::any_of(runs.begin(), runs.end(),
                           [&](const Run& run) { return std::any_of(run.epochs.begin(), run.epochs.end(), holds); });
    };
    if (!any_epoch([](const RunEpoch&) { return true; })) {
        return "";
    }
    std::string text = "<h2>Training</h2>\n<div class=\"figures\">\n" + training_figures(runs) + "</div>\n";
    if (!any_epoch([](const RunEpoch& epoch) { return !epoch.valid.empty(); })) {
        text += note("No validation curve: with <code>--valid FILE</code> the model is measured after every epoch.");
    }
    return text;
}

using Cell = std::function<std::string(const Run&)>;

/// A row per fact, a column per run. Rows without a value are left out.
[[nodiscard]] std::string fact_table(const std::string& title, const std::vector<Run>& runs,
                                     const std::vector<std::pair<std::string, Cell>>& facts) {
    std::string text = "<table class=\"texts\">\n<caption>" + title + "</caption>\n";
    if (runs.size() > 1) {
        text += "<thead><tr><th scope=\"col\">run</th>";
        for (const Run& run : runs) {
            text += "<th scope=\"col\"><bdi>" + escaped(run.name) + "</bdi></th>";
        }
        text += "</tr></thead>\n";
    }
    text += "<tbody>\n";
    for (const auto& [name, cell] : facts) {
        std::string row;
        std::set<std::string> different;
        for (const Run& run : runs) {
            const std::string value = cell(run);
            different.insert(value);
            row += "<td><bdi>" + escaped(value.empty() ? "–" : value) + "</bdi></td>";
        }
        if (different != std::set<std::string>{""}) {
            text += std::string("<tr") + (different.size() > 1 ? " class=\"differs\"" : "") + "><th scope=\"row\">" +
                    escaped(name) + "</th>" + row + "</tr>\n";
        }
    }
    return "<div class=\"sheet\">" + region(title, text + "</tbody>\n</table>\n") + "</div>\n";
}

[[nodiscard]] std::string parameter(const Run& run, const std::string& name) {
    const auto found =
        std::find_if(run.params.begin(), run.params.end(), [&](const auto& entry) { return entry.first == name; });
    return found == run.params.end() ? "" : found->second;
}

[[nodiscard]] std::string parameter_table(const std::vector<Run>& runs) {
    std::set<std::string> names;
    for (const Run& run : runs) {
        for (const auto& [name, value] : run.params) {
            names.insert(name);
        }
    }
    std::vector<std::pair<std::string, Cell>> differing;
    std::vector<std::pair<std::string, Cell>> same;
    for (const std::string& name : names) {
        const bool differs = std::any_of(runs.begin(), runs.end(), [&](const Run& run) {
            return parameter(run, name) != parameter(runs.front(), name);
        });
        (differs ? differing : same).emplace_back(name, [name](const Run& run) { return parameter(run, name); });
    }
    differing.insert(differing.end(), same.begin(), same.end());
    return fact_table(runs.size() > 1 ? "Parameters, those that differ first" : "Parameters", runs, differing);
}

[[nodiscard]] std::string epochs_of(const Run& run) {
    if (run.epochs.empty()) {
        return "";
    }
    return std::to_string(run.epochs.back().epoch) +
           (run.best_epoch > 0 ? ", the best is " + std::to_string(run.best_epoch) : "");
}

[[nodiscard]] std::string run_table(const std::vector<Run>& runs) {
    const auto if_trained = [](const Cell& cell) -> Cell {
        return [=](const Run& run) { return run.epochs.empty() ? "" : cell(run); };
    };
    return fact_table(
        "Training, data and machine", runs,
        {{"epochs", epochs_of},
         {"loss of the last epoch", if_trained([](const Run& run) { return full_number(run.epochs.back().loss); })},
         {"time of training", if_trained([](const Run& run) { return duration(seconds_of(run)); })},
         {"events per second", if_trained([](const Run& run) { return charts::short_number(speed_of(run)); })},
         {"seed", [](const Run& run) { return run.seed ? std::to_string(*run.seed) : ""; }},
         {"sessions", [](const Run& run) { return grouped(run.sessions); }},
         {"items", [](const Run& run) { return grouped(run.items); }},
         {"events", [](const Run& run) { return grouped(run.events); }},
         {"threads", [](const Run& run) { return std::to_string(run.threads); }},
         {"peak memory",
          [](const Run& run) {
              return run.peak_rss_bytes == 0 ? ""
                                             : fixed(static_cast<double>(run.peak_rss_bytes) / (1 << 20), 0) + " MiB";
          }},
         {"processor", [](const Run& run) { return run.cpu; }},
         {"build", [](const Run& run) { return run.flags; }},
         {"version", [](const Run& run) { return run.version; }}});
}

[[nodiscard]] std::string tile(const std::string& name, const std::string& value) {
    return "<div><dt>" + escaped(name) + "</dt><dd>" + escaped(value) + "</dd></div>\n";
}

/// The figures that a reader looks for first.
[[nodiscard]] std::string summary(const Run& run, const std::vector<Comparison>& comparisons) {
    std::string text;
    if (!comparisons.empty()) {
        const Comparison& first = comparisons.front();
        for (const Measure& m : measures_of(first)) {
            const bool is_shown = m.title.ends_with("@" + std::to_string(first.cutoff())) && m.more_is_better;
            if (is_shown) {
                text += tile(m.title, fixed(m.value(*first.methods.front().measured), 4));
            }
        }
    }
    if (!run.epochs.empty()) {
        text += tile("loss", fixed(run.epochs.back().loss, 4)) + tile("epochs", epochs_of(run)) +
                tile("training", duration(seconds_of(run))) +
                tile("events per second", charts::short_number(speed_of(run)));
    }
    return text.empty() ? "" : "<dl class=\"facts sheet\">\n" + text + "</dl>\n";
}

[[nodiscard]] std::string title_of(const std::vector<Run>& runs) {
    if (runs.size() > 1) {
        return "Comparison of " + std::to_string(runs.size()) + " runs";
    }
    return (runs.front().epochs.empty() ? "Evaluation report" : "Training report") +
           (runs.front().name.empty() ? "" : ": " + runs.front().name);
}

}  // namespace

std::string report_page(const std::vector<Run>& runs) {
    const std::vector<Comparison> comparisons = comparisons_of(runs);
    const std::string title = escaped(title_of(runs));
    std::string text =
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
        "'unsafe-inline'\">\n<title>" +
        title + "</title>\n<style>\n";
    text.append(page_style).append(charts::style());
    text += "</style>\n</head>\n<body>\n<header>\n<h1>" + title + "</h1>\n<p class=\"quiet\">gru4rec " +
            escaped(runs.front().version) + "</p>\n</header>\n<main>\n";
    if (runs.size() == 1) {
        text += summary(runs.front(), comparisons);
    }
    text += results(comparisons) + training(runs);
    std::set<std::string> shown;
    for (const Comparison& comparison : comparisons) {
        if (shown.insert(comparison.file).second) {
            text += pictures(comparison);
        }
    }
    text += "<h2>" + std::string(runs.size() > 1 ? "Runs" : "Run") + "</h2>\n<div class=\"tables" +
            (runs.size() > 1 ? "" : " two") + "\">\n" + parameter_table(runs) + run_table(runs) + "</div>\n";
    return text + "</main>\n</body>\n</html>\n";
}

}  // namespace cli
