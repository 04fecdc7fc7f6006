#include "figures.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include "pieces.hpp"
#include "support/chart.hpp"

namespace cli {

namespace {

using charts::Chart;
using charts::escaped;
using charts::Kind;
using charts::Scale;
using charts::Series;

constexpr std::size_t most_points = 400;  ///< of a line: a picture is not wide enough for more

[[nodiscard]] bool has_values(const Chart& chart) {
    return std::any_of(chart.series.begin(), chart.series.end(), [](const Series& series) {
        return std::any_of(series.points.begin(), series.points.end(),
                           [](const charts::Point& point) { return std::isfinite(point.y); });
    });
}

[[nodiscard]] std::string legend(const Chart& chart) {
    if (chart.series.size() == 1 && chart.series.front().name.empty()) {
        return "";
    }
    std::string text = "<ul class=\"keys\">\n";
    for (std::size_t i = 0; i < chart.series.size(); ++i) {
        text += "<li>" + charts::key_svg(i, chart.kind) + " " + isolated(chart.series[i].name) + "</li>\n";
    }
    return text + "</ul>\n";
}

/// The value of the point at `x`; NaN if the series has none there.
[[nodiscard]] double y_at(const Series& series, double x) {
    const auto point = std::lower_bound(series.points.begin(), series.points.end(), x,
                                        [](const charts::Point& p, double place) { return p.x < place; });
    return point == series.points.end() || point->x != x ? no_value : point->y;
}

/// An additional column of a table.
struct Column {
    std::string title;
    std::vector<std::string> cells;
};

[[nodiscard]] std::string table(const Chart& chart, const Column& column) {
    std::string text = "<table>\n<thead><tr>" + column_head(escaped(chart.x_title));
    if (!column.cells.empty()) {
        text += column_head(escaped(column.title));
    }
    std::set<double> places;
    for (const Series& series : chart.series) {
        text += column_head(isolated(series.name.empty() ? chart.y_title : series.name));
        for (const charts::Point& point : series.points) {
            places.insert(point.x);
        }
    }
    text += "</tr></thead>\n<tbody>\n";
    for (const double place : places) {
        const auto i = static_cast<std::size_t>(place);
        text += "<tr><th scope=\"row\">" +
                escaped(i < chart.x_labels.size() ? chart.x_labels[i] : std::to_string(static_cast<long long>(place))) +
                "</th>";
        if (i < column.cells.size()) {
            text += "<td>" + escaped(column.cells[i]) + "</td>";
        }
        for (const Series& series : chart.series) {
            text += "<td>" + full_number(y_at(series, place)) + "</td>";
        }
        text += "</tr>\n";
    }
    return "<details><summary>Numbers</summary>\n" + scrolling(chart.title, text + "</tbody>\n</table>\n") +
           "</details>\n";
}

[[nodiscard]] std::string figure(const Chart& chart, const Column& column = {}) {
    if (!has_values(chart)) {
        return "";
    }
    return "<figure>\n<figcaption>" + escaped(chart.title) + "</figcaption>\n" + charts::svg(chart) + legend(chart) +
           table(chart, column) + "</figure>\n";
}

/// At most `most_points` points: each replaces a group of neighbours by their mean.
[[nodiscard]] std::vector<charts::Point> thinned(const std::vector<charts::Point>& points) {
    const std::size_t apart = (points.size() + most_points - 1) / most_points;
    if (apart < 2) {
        return points;
    }
    std::vector<charts::Point> fewer;
    for (std::size_t i = 0; i < points.size(); i += apart) {
        const std::size_t end = (std::min)(i + apart, points.size());
        double sum = 0;
        for (std::size_t k = i; k < end; ++k) {
            sum += points[k].y / static_cast<double>(end - i);
        }
        fewer.push_back({.x = points[end - 1].x, .y = sum});
    }
    return fewer;
}

using EpochValue = std::function<double(const RunEpoch&)>;

[[nodiscard]] Series of_epochs(std::string name, const Run& run, const EpochValue& value) {
    Series series{std::move(name), {}};
    for (const RunEpoch& epoch : run.epochs) {
        series.points.push_back({.x = static_cast<double>(epoch.epoch), .y = value(epoch)});
    }
    series.points = thinned(series.points);
    return series;
}

/// A line per run; a single one has no name.
[[nodiscard]] Chart by_epoch(const std::string& title, const std::string& y_title, const std::vector<Run>& runs,
                             const EpochValue& value) {
    Chart chart{.title = title, .x_title = "epoch", .y_title = y_title};
    for (const Run& run : runs) {
        if (!run.epochs.empty()) {
            chart.series.push_back(of_epochs(runs.size() > 1 ? run.name : "", run, value));
        }
    }
    return chart;
}

using MetricOf = Values Measured::*;

/// The cutoffs of the validation curves: all of them for a single run, the largest for several runs.
[[nodiscard]] std::vector<int> cutoffs_of_validation(const std::vector<Run>& runs) {
    std::set<int> cutoffs;
    for (const Run& run : runs) {
        for (const RunEpoch& epoch : run.epochs) {
            if (!epoch.valid.empty()) {
                for (const auto& [cutoff, value] : epoch.valid.front().recall) {
                    cutoffs.insert(cutoff);
                }
            }
        }
    }
    if (runs.size() > 1 && cutoffs.size() > 1) {
        return {*cutoffs.rbegin()};
    }
    return {cutoffs.begin(), cutoffs.end()};
}

[[nodiscard]] Chart validation_chart(const std::string& metric, MetricOf values, const std::vector<Run>& runs) {
    Chart chart{.title = metric + " on the validation data", .x_title = "epoch", .y_title = metric};
    const std::vector<int> cutoffs = cutoffs_of_validation(runs);
    for (const Run& run : runs) {
        for (const int cutoff : cutoffs) {
            const auto value = [&](const RunEpoch& epoch) {
                return epoch.valid.empty() ? no_value : value_at(epoch.valid.front().*values, cutoff);
            };
            if (!run.epochs.empty()) {
                chart.series.push_back(of_epochs(runs.size() > 1 ? run.name : at_cutoff(metric, cutoff), run, value));
            }
        }
    }
    if (cutoffs.size() == 1) {
        chart.title = at_cutoff(metric, cutoffs.front()) + " on the validation data";
        chart.y_title = at_cutoff(metric, cutoffs.front());
    }
    if (runs.size() == 1 && chart.series.size() == 1) {
        chart.series.front().name.clear();
    }
    return chart;
}

[[nodiscard]] Chart step_loss_chart(const std::vector<Run>& runs) {
    Chart chart{.title = "Loss of the first steps", .x_title = "step", .y_title = "loss"};
    for (const Run& run : runs) {
        std::vector<charts::Point> points;
        for (std::size_t step = 0; step < run.step_loss.size(); ++step) {
            points.push_back({.x = static_cast<double>(step + 1), .y = run.step_loss[step]});
        }
        if (!points.empty()) {
            chart.series.push_back({runs.size() > 1 ? run.name : "", thinned(points)});
        }
    }
    return chart;
}

template <class Norm>
[[nodiscard]] std::set<std::string> names_of_norms(const Run& run, std::map<std::string, Norm> RunEpoch::*norms) {
    std::set<std::string> names;
    for (const RunEpoch& epoch : run.epochs) {
        for (const auto& [name, norm] : epoch.*norms) {
            names.insert(name);
        }
    }
    return names;
}

template <class Norm>
[[nodiscard]] const Norm* norm_of(const std::map<std::string, Norm>& norms, const std::string& name) {
    const auto found = norms.find(name);
    return found == norms.end() ? nullptr : &found->second;
}

[[nodiscard]] double mean_gradient(const RunEpoch& epoch, const std::string& name) {
    const GradientNorms* const norms = norm_of(epoch.gradient_norms, name);
    return norms == nullptr ? no_value : norms->mean;
}

/// The norm of all weights together.
[[nodiscard]] double whole_norm(const RunEpoch& epoch) {
    double squares = epoch.weight_norms.empty() ? no_value : 0;
    for (const auto& [name, norm] : epoch.weight_norms) {
        squares += norm * norm;
    }
    return std::sqrt(squares);
}

/// For one run, by table and layer; for several runs, of all together.
[[nodiscard]] Chart gradient_chart(const std::vector<Run>& runs) {
    Chart chart = by_epoch("Norm of the gradients", "mean over measured updates", runs,
                           [](const RunEpoch& epoch) { return mean_gradient(epoch, "all"); });
    if (runs.size() == 1) {
        chart.series.clear();
        for (const std::string& name : names_of_norms(runs.front(), &RunEpoch::gradient_norms)) {
            chart.series.push_back(
                of_epochs(name, runs.front(), [&](const RunEpoch& epoch) { return mean_gradient(epoch, name); }));
        }
        chart.series.push_back(of_epochs("all, largest", runs.front(), [](const RunEpoch& epoch) {
            const GradientNorms* const norms = norm_of(epoch.gradient_norms, "all");
            return norms == nullptr ? no_value : norms->largest;
        }));
        chart.y_title = "mean, and largest, over measured updates";
    }
    chart.scale = Scale::logarithmic;
    return chart;
}

[[nodiscard]] Chart weight_chart(const std::vector<Run>& runs) {
    Chart chart = by_epoch("Norm of the weights", "of all weights", runs, whole_norm);
    if (runs.size() == 1) {
        chart.series.clear();
        for (const std::string& name : names_of_norms(runs.front(), &RunEpoch::weight_norms)) {
            chart.series.push_back(of_epochs(name, runs.front(), [&](const RunEpoch& epoch) {
                const double* const norm = norm_of(epoch.weight_norms, name);
                return norm == nullptr ? no_value : *norm;
            }));
        }
        chart.y_title = "by tensor";
    }
    chart.scale = Scale::logarithmic;
    return chart;
}

/// The series of a method, still without points. A single method needs no name.
[[nodiscard]] Series series_of(const Comparison& comparison, const Comparison::Method& method) {
    return {comparison.methods.size() > 1 ? method.name : "", {}};
}

void sort_by_x(Series& series) {
    std::sort(series.points.begin(), series.points.end(),
              [](const charts::Point& a, const charts::Point& b) { return a.x < b.x; });
}

using GroupsOf = std::vector<MeasuredGroup> Measured::*;
enum class GroupLabels { ranges, least };

[[nodiscard]] std::string label_of(const MeasuredGroup& group, GroupLabels labels) {
    const auto text = [](std::int64_t number) {
        return number % 1000 == 0 && number > 0 ? std::to_string(number / 1000) + "k" : std::to_string(number);
    };
    if (labels == GroupLabels::least || group.to == group.from) {
        return text(group.from);
    }
    return group.to ? text(group.from) + "–" + text(*group.to) : text(group.from) + "+";
}

/// One metric of every method in groups of predictions.
struct GroupPicture {
    std::string title;
    std::string x_title;
    GroupsOf groups;
    GroupLabels labels;

    [[nodiscard]] std::string draw(const Comparison& comparison, const std::string& metric,
                                   Values MeasuredGroup::*values) const {
        std::map<std::int64_t, const MeasuredGroup*> all;
        for (const Comparison::Method& method : comparison.methods) {
            for (const MeasuredGroup& group : method.measured->*groups) {
                all.emplace(group.from, &group);
            }
        }
        const std::string y_title = at_cutoff(metric, comparison.cutoff());
        Chart chart{.title = y_title + " " + title, .x_title = x_title, .y_title = y_title, .scale = Scale::from_zero};
        Column predictions{"predictions", {}};
        std::map<std::int64_t, double> places;
        for (const auto& [from, group] : all) {
            places[from] = static_cast<double>(chart.x_labels.size());
            chart.x_labels.push_back(label_of(*group, labels));
            predictions.cells.push_back(std::to_string(group->predictions));
        }
        for (const Comparison::Method& method : comparison.methods) {
            Series series = series_of(comparison, method);
            for (const MeasuredGroup& group : method.measured->*groups) {
                series.points.push_back(
                    {.x = places.at(group.from), .y = value_at(group.*values, comparison.cutoff())});
            }
            sort_by_x(series);
            chart.series.push_back(std::move(series));
        }
        return figure(chart, predictions);
    }
};

/// The limits of the groups of ranks of all methods.
[[nodiscard]] std::vector<std::int64_t> rank_limits(const Comparison& comparison) {
    std::set<std::int64_t> limits;
    for (const Comparison::Method& method : comparison.methods) {
        for (const MeasuredRanks& group : method.measured->ranks) {
            limits.insert(group.up_to);
        }
    }
    return {limits.begin(), limits.end()};
}

enum class Shares { of_groups, summed };

[[nodiscard]] Chart rank_chart(const Comparison& comparison, Shares shares) {
    const std::vector<std::int64_t> limits = rank_limits(comparison);
    Chart chart{.title = shares == Shares::summed ? "Recall by length of the list" : "Distribution of ranks",
                .x_title = shares == Shares::summed ? "items in the list" : "rank of the target, up to",
                .y_title = "share of predictions",
                .scale = Scale::from_zero};
    for (const std::int64_t limit : limits) {
        chart.x_labels.push_back(charts::short_number(static_cast<double>(limit)));
    }
    for (const Comparison::Method& method : comparison.methods) {
        Series series = series_of(comparison, method);
        double sum = 0;
        for (const MeasuredRanks& group : method.measured->ranks) {
            const double share = static_cast<double>(group.predictions) /
                                 static_cast<double>((std::max)(method.measured->predictions, std::int64_t{1}));
            sum += share;
            const auto place = std::lower_bound(limits.begin(), limits.end(), group.up_to) - limits.begin();
            series.points.push_back({.x = static_cast<double>(place), .y = shares == Shares::summed ? sum : share});
        }
        sort_by_x(series);
        chart.series.push_back(std::move(series));
    }
    chart.kind = shares == Shares::of_groups && chart.series.size() < 4 ? Kind::bars : Kind::lines;
    return chart;
}

[[nodiscard]] Chart list_chart(const std::string& title, const std::string& y_title, const Comparison& comparison,
                               MetricOf values) {
    std::set<int> cutoffs;
    for (const Comparison::Method& method : comparison.methods) {
        for (const auto& [cutoff, value] : method.measured->*values) {
            cutoffs.insert(cutoff);
        }
    }
    Chart chart{.title = title,
                .x_title = "items in the list",
                .y_title = y_title,
                .scale = Scale::from_zero,
                .kind = comparison.methods.size() > charts::n_colours ? Kind::lines : Kind::bars};
    for (const int cutoff : cutoffs) {
        chart.x_labels.push_back(std::to_string(cutoff));
    }
    for (const Comparison::Method& method : comparison.methods) {
        Series series = series_of(comparison, method);
        double place = 0;
        for (const int cutoff : cutoffs) {
            series.points.push_back({.x = place++, .y = value_at(method.measured->*values, cutoff)});
        }
        chart.series.push_back(std::move(series));
    }
    return chart;
}

}  // namespace

int Comparison::cutoff() const {
    int largest = 1;
    for (const Method& method : methods) {
        if (!method.measured->recall.empty()) {
            largest = (std::max)(largest, method.measured->recall.rbegin()->first);
        }
    }
    return largest;
}

std::string training_figures(const std::vector<Run>& runs) {
    std::string text = figure(by_epoch("Loss", "mean over the steps", runs, [](const RunEpoch& e) { return e.loss; }));
    text += figure(validation_chart("Recall", &Measured::recall, runs));
    text += figure(validation_chart("MRR", &Measured::mrr, runs));
    text += figure(validation_chart("NDCG", &Measured::ndcg, runs));
    text += figure(step_loss_chart(runs));
    Chart speed = by_epoch("Throughput", "events per second", runs,
                           [](const RunEpoch& e) { return e.events_per_second > 0 ? e.events_per_second : no_value; });
    speed.scale = Scale::from_zero;
    text += figure(speed);
    Chart rate = by_epoch("Learning rate", "learning rate", runs, [](const RunEpoch& e) { return e.learning_rate; });
    rate.scale = Scale::from_zero;
    return text + figure(rate) + figure(gradient_chart(runs)) + figure(weight_chart(runs));
}

std::string group_figures(const Comparison& comparison) {
    const std::array<GroupPicture, 3> pictures{{
        {"by position in the session", "known events before the target", &Measured::by_position, GroupLabels::ranges},
        {"by length of the session", "events of the session", &Measured::by_session_length, GroupLabels::ranges},
        {"by popularity of the target", "training events of the target, at least", &Measured::by_popularity,
         GroupLabels::least},
    }};
    std::string text;
    for (const GroupPicture& picture : pictures) {
        text += picture.draw(comparison, "Recall", &MeasuredGroup::recall);
        text += picture.draw(comparison, "MRR", &MeasuredGroup::mrr);
    }
    return text;
}

std::string list_figures(const Comparison& comparison) {
    return figure(rank_chart(comparison, Shares::summed)) + figure(rank_chart(comparison, Shares::of_groups)) +
           figure(list_chart("Catalogue coverage", "share of items in any list", comparison, &Measured::coverage)) +
           figure(list_chart("Popularity of listed items", "mean share of training events", comparison,
                             &Measured::popularity));
}

}  // namespace cli
