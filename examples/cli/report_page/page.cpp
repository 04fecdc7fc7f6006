#include "page.hpp"

#include "gru4rec/core/error.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "figures.hpp"
#include "pieces.hpp"
#include "style.hpp"
#include "support/chart.hpp"
#include "support/formatted.hpp"

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
    std::map<std::pair<std::string_view, std::string_view>, std::size_t> places;
    for (const Run& run : runs) {
        for (const Measured& measured : run.evaluations) {
            const std::pair<std::string_view, std::string_view> what(measured.file, measured.ties);
            const auto [place, is_new] = places.emplace(what, comparisons.size());
            if (is_new) {
                comparisons.push_back({measured.file, measured.ties, {}});
            }
            comparisons[place->second].methods.push_back({name_of(run, measured, runs.size()), &measured});
        }
    }
    return comparisons;
}

[[nodiscard]] std::string note(const std::string& text) { return "<p class=\"quiet note\">" + text + "</p>\n"; }

[[nodiscard]] std::string fixed(double value, int digits) {
    return std::isfinite(value) ? formatted(value, digits) : no_value_text;
}

[[nodiscard]] std::string duration(double seconds) {
    if (!std::isfinite(seconds)) {
        return no_value_text;
    }
    if (seconds < 100 || seconds > 1e12) {
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
    return seconds_of(run) > 0 ? events / seconds_of(run) : no_value;
}

[[nodiscard]] std::string speed_text(const Run& run) {
    const double speed = speed_of(run);
    return std::isfinite(speed) ? charts::short_number(speed) : no_value_text;
}

[[nodiscard]] std::string sheet(const std::string& label, const std::string& table) {
    return "<div class=\"sheet\">" + scrolling(label, table) + "</div>\n";
}

/// @param title  HTML
[[nodiscard]] std::string part(const std::string& title, const std::string& figures) {
    return "<h2>" + title + "</h2>\n<div class=\"figures\">\n" + figures + "</div>\n";
}

/// A column of the table of results.
struct Measure {
    std::string metric;
    int cutoff;
    Values Measured::*values;
    Intervals Measured::*intervals = nullptr;
    bool more_is_better = true;
    int digits = 4;          ///< after the decimal point
    double best = no_value;  ///< NaN: none is marked as the best

    [[nodiscard]] std::string title() const { return at_cutoff(metric, cutoff); }
    [[nodiscard]] double value(const Measured& m) const { return value_at(m.*values, cutoff); }
    [[nodiscard]] std::pair<double, double> interval(const Measured& m) const {
        const bool has_interval = intervals != nullptr && (m.*intervals).contains(cutoff);
        return has_interval ? (m.*intervals).at(cutoff) : std::pair{no_value, no_value};
    }
};

[[nodiscard]] double best_of(const Comparison& comparison, const Measure& measure) {
    double best = -std::numeric_limits<double>::infinity();
    std::size_t n_measured = 0;
    for (const Comparison::Method& method : comparison.methods) {
        const double value = measure.value(*method.measured);
        n_measured += std::isfinite(value) ? 1U : 0U;
        best = std::fmax(best, value);
    }
    return n_measured > 1 && measure.more_is_better ? best : no_value;
}

/// The measures for which any method has a value. Coverage and popularity are those of the longest list: pictures show
/// the others.
[[nodiscard]] std::vector<Measure> measures_of(const Comparison& comparison) {
    std::set<int> cutoffs;
    for (const Comparison::Method& method : comparison.methods) {
        for (const auto& [cutoff, value] : method.measured->recall) {
            cutoffs.insert(cutoff);
        }
    }
    std::vector<Measure> measures;
    for (const int cutoff : cutoffs) {
        measures.push_back({"Recall", cutoff, &Measured::recall, &Measured::recall_interval});
        measures.push_back({"MRR", cutoff, &Measured::mrr, &Measured::mrr_interval});
        measures.push_back({"NDCG", cutoff, &Measured::ndcg});
    }
    measures.push_back({"Coverage", comparison.cutoff(), &Measured::coverage});
    measures.push_back({"Popularity", comparison.cutoff(), &Measured::popularity});
    measures.back().more_is_better = false;
    measures.back().digits = 6;
    std::erase_if(measures, [&](const Measure& m) {
        return std::none_of(comparison.methods.begin(), comparison.methods.end(),
                            [&](const Comparison::Method& method) { return std::isfinite(m.value(*method.measured)); });
    });
    for (Measure& m : measures) {
        m.best = best_of(comparison, m);
    }
    return measures;
}

[[nodiscard]] std::string result_row(const Comparison::Method& method, const std::vector<Measure>& measures) {
    std::string text = "<tr><th scope=\"row\">" + isolated(method.name) + "</th>";
    for (const Measure& m : measures) {
        const double value = m.value(*method.measured);
        const auto [low, high] = m.interval(*method.measured);
        text += value == m.best ? "<td class=\"best\">" : "<td>";
        text += fixed(value, m.digits);
        if (std::isfinite(low) && std::isfinite(high)) {
            text += "<span class=\"interval\">" + fixed(low, 4) + " to " + fixed(high, 4) + "</span>";
        }
        text += "</td>";
    }
    return text + "<td>" + grouped(method.measured->predictions) + "</td><td>" +
           grouped(method.measured->skipped_unknown) + "</td></tr>\n";
}

[[nodiscard]] std::string result_table(const Comparison& comparison) {
    const std::vector<Measure> measures = measures_of(comparison);
    std::string text = "<table>\n<caption>" + isolated(comparison.file) +
                       " <span class=\"quiet\">equal scores: " + escaped(comparison.ties) +
                       " rule</span></caption>\n<thead><tr>" + column_head("method");
    for (const Measure& m : measures) {
        text += column_head(m.title());
    }
    text += column_head("predictions") + column_head("skipped events") + "</tr></thead>\n<tbody>\n";
    for (const Comparison::Method& method : comparison.methods) {
        text += result_row(method, measures);
    }
    return sheet("Results on " + comparison.file, text + "</tbody>\n</table>\n");
}

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
                   "<code>train</code> measures the model; with <code>--baselines</code>, also simple methods to "
                   "compare it with.");
    }
    std::string text = "<h2>Results</h2>\n<div class=\"tables\">\n";
    for (const Comparison& comparison : comparisons) {
        text += result_table(comparison);
        if (differ_in_predictions(comparison)) {
            text += note(
                "The numbers of predictions differ: the models know different items, or the files differ. The "
                "values cannot be compared.");
        }
    }
    return text + "</div>\n";
}

/// How many predictions the pictures of ranks leave out.
[[nodiscard]] std::string unranked(const Comparison& comparison) {
    std::string counts;
    for (const auto& [name, measured] : comparison.methods) {
        if (measured->unranked > 0) {
            counts += (counts.empty() ? "" : ", ") + isolated(name) + " " + grouped(measured->unranked);
        }
    }
    return counts.empty() ? "" : note("Predictions without a rank, because their targets scored NaN: " + counts + ".");
}

/// The pictures of a file, by the first rule for ties.
[[nodiscard]] std::string pictures(const Comparison& comparison) {
    const std::string file = isolated(comparison.file);
    const std::string groups = group_figures(comparison);
    const std::string lists = list_figures(comparison);
    std::string text;
    if (!groups.empty()) {
        text += part("Which targets are found, " + file, groups);
    }
    if (!lists.empty()) {
        text += part("Ranks and lists, " + file, lists) + unranked(comparison);
    }
    if (groups.empty()) {
        text += note(
            "Metrics by position, length of the session and popularity, and the distribution of ranks, are missing "
            "for " +
            file + ": make the report with <code>--details</code>.");
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
    std::string text = part("Training", training_figures(runs));
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
        text += "<thead><tr>" + column_head("run");
        for (const Run& run : runs) {
            text += column_head(isolated(run.name));
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
            row += "<td>" + isolated(value.empty() ? no_value_text : value) + "</td>";
        }
        if (different != std::set<std::string>{""}) {
            text += std::string("<tr") + (different.size() > 1 ? " class=\"differs\"" : "") + "><th scope=\"row\">" +
                    escaped(name) + "</th>" + row + "</tr>\n";
        }
    }
    return sheet(title, text + "</tbody>\n</table>\n");
}

[[nodiscard]] std::string parameter(const Run& run, const std::string& name) {
    const auto found = run.params.find(name);
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
         {"events per second", if_trained(speed_text)},
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
         {"engine", [](const Run& run) { return run.engine; }},
         {"build", [](const Run& run) { return run.flags; }},
         {"version", [](const Run& run) { return run.version; }}});
}

[[nodiscard]] std::string tile(const std::string& name, const std::string& value) {
    return "<div><dt>" + escaped(name) + "</dt><dd>" + escaped(value) + "</dd></div>\n";
}

/// The numbers that a reader looks for first.
[[nodiscard]] std::string summary(const Run& run, const std::vector<Comparison>& comparisons) {
    std::string text;
    if (!comparisons.empty()) {
        const Comparison& first = comparisons.front();
        for (const Measure& m : measures_of(first)) {
            if (m.cutoff == first.cutoff() && m.more_is_better) {
                text += tile(m.title(), fixed(m.value(*first.methods.front().measured), 4));
            }
        }
    }
    if (!run.epochs.empty()) {
        text += tile("loss", fixed(run.epochs.back().loss, 4)) + tile("epochs", epochs_of(run)) +
                tile("training", duration(seconds_of(run))) + tile("events per second", speed_text(run));
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

/// Counts the numbers in the tables of a page.
class PageSize {
  public:
    /// Counts the cells of a row if the table does not have it yet. @throws gru4rec::FormatError
    template <class Key>
    void add_row(std::set<Key>& rows, const Key& key, std::size_t n_cells) {
        constexpr std::size_t most = 4'000'000;
        n_cells_ += rows.insert(key).second ? n_cells : 0;
        if (n_cells_ > most) {
            throw gru4rec::FormatError("a page of these reports would have more than " + std::to_string(most) +
                                       " numbers; compare fewer of them, or ones that measure the same");
        }
    }

    void add(const Comparison& comparison) {
        const std::size_t n_methods = comparison.methods.size();
        std::set<int> cutoffs;
        std::array<std::set<std::int64_t>, 3> groups;
        std::set<std::int64_t> ranks;
        for (const auto& [name, measured] : comparison.methods) {
            for (const Values* const values : {&measured->recall, &measured->coverage, &measured->popularity}) {
                for (const auto& [cutoff, value] : *values) {
                    add_row(cutoffs, cutoff, n_methods);
                }
            }
            const std::array lists{&measured->by_position, &measured->by_session_length, &measured->by_popularity};
            for (std::size_t i = 0; i < lists.size(); ++i) {
                for (const MeasuredGroup& group : *lists[i]) {
                    add_row(groups[i], group.from, n_methods);
                }
            }
            for (const MeasuredRanks& group : measured->ranks) {
                add_row(ranks, group.up_to, n_methods);
            }
        }
    }

    /// The curves of a run that is alone on its page.
    void add(const Run& run) {
        std::set<int> cutoffs;
        std::set<std::string> weights;
        std::set<std::string> gradients;
        for (const RunEpoch& epoch : run.epochs) {
            for (const auto& [name, norm] : epoch.weight_norms) {
                add_row(weights, name, run.epochs.size());
            }
            for (const auto& [name, norm] : epoch.gradient_norms) {
                add_row(gradients, name, run.epochs.size());
            }
            if (!epoch.valid.empty()) {
                for (const auto& [cutoff, value] : epoch.valid.front().recall) {
                    add_row(cutoffs, cutoff, run.epochs.size());
                }
            }
        }
    }

  private:
    std::size_t n_cells_ = 0;
};

}  // namespace

void check_page_size(const std::vector<Run>& runs) {
    PageSize size;
    for (const Comparison& comparison : comparisons_of(runs)) {
        size.add(comparison);
    }
    if (runs.size() == 1) {
        size.add(runs.front());
    }
}

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
