#include "support/chart.hpp"

#include "support/contains.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <limits>
#include <regex>
#include <string>
#include <utility>
#include <vector>

namespace {

using charts::Chart;
using charts::Kind;
using charts::Point;
using charts::Scale;
using charts::svg;

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

Chart chart_of(const std::vector<double>& values) {
    Chart chart{.title = "Loss", .x_title = "epoch", .y_title = "loss", .x_labels = {}, .series = {{"a run", {}}}};
    for (const double value : values) {
        chart.series[0].points.push_back({.x = static_cast<double>(chart.series[0].points.size() + 1), .y = value});
    }
    return chart;
}

std::size_t count(const std::string& text, const std::string& part) {
    std::size_t n = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
        ++n;
    }
    return n;
}

struct Label {
    double x;
    double y;
    std::string anchor;
    std::string text;
};

std::vector<Label> labels_of(const std::string& picture) {
    const std::regex form("<text x=\"([-0-9.]+)\" y=\"([-0-9.]+)\" text-anchor=\"(\\w+)\">([^<]*)</text>");
    std::vector<Label> labels;
    for (std::sregex_iterator match(picture.begin(), picture.end(), form), end; match != end; ++match) {
        labels.push_back({std::stod((*match)[1]), std::stod((*match)[2]), (*match)[3], (*match)[4]});
    }
    return labels;
}

std::vector<std::string> value_labels(const Chart& chart) {
    std::vector<std::string> texts;
    for (const Label& label : labels_of(svg(chart))) {
        if (label.anchor == "end") {
            texts.push_back(label.text);
        }
    }
    return texts;
}

TEST_CASE("a value that is not finite leaves a gap and never becomes a coordinate") {
    for (const auto& values : {std::vector<double>{},
                               {not_a_number},
                               {infinity, -infinity},
                               {1, not_a_number, 2, 3},
                               {1e308, -1e308, 4},
                               {0},
                               {5},
                               {-3},
                               {1e-300},
                               {5e-324},
                               {1e15, 1e15 + 1},
                               {1, 1, 1}}) {
        for (const Scale scale : {Scale::fitted, Scale::from_zero, Scale::logarithmic}) {
            Chart chart = chart_of(values);
            chart.scale = scale;
            const std::string picture = svg(chart);
            CAPTURE(picture);
            const std::string drawn = picture.substr(picture.find('>'));  // not the description
            CHECK(!contains(drawn, "=\"nan"));
            CHECK(!contains(drawn, "=\"-nan"));
            CHECK(!contains(drawn, "inf"));
            CHECK(picture.size() < 6000);
        }
    }
    CHECK(contains(svg(chart_of({not_a_number})), "no values"));
    CHECK(contains(svg(chart_of({})), "no values"));
    const std::string gap = svg(chart_of({1, 2, not_a_number, 3, 4}));
    CHECK(count(gap, "<polyline") == 2);
    CHECK(count(gap, "<circle") == 4);
    const std::string single = svg(chart_of({7}));
    CHECK(count(single, "<circle") == 1);
    CHECK(count(single, "<polyline") == 0);
}

TEST_CASE("places that a double cannot count have few labels, too") {
    const double beyond = 0x1p53;
    for (const auto& [first, last] : {std::pair{beyond, beyond}, {beyond, beyond + 2}, {0x1p62, 0x1p62 + 1024}}) {
        Chart chart = chart_of({1, 2});
        chart.series[0].points[0].x = first;
        chart.series[0].points[1].x = last;
        CHECK(svg(chart).size() < 6000);
    }
}

TEST_CASE("axes have few round labels") {
    CHECK(value_labels(chart_of({0.42, 0.47})) == std::vector<std::string>{"0.42", "0.44", "0.46", "0.48"});
    Chart chart = chart_of({31000, 36543});
    chart.scale = Scale::from_zero;
    CHECK(value_labels(chart) == std::vector<std::string>{"0", "10k", "20k", "30k", "40k"});
    chart = chart_of({0.002, 40});
    chart.scale = Scale::logarithmic;
    CHECK(value_labels(chart) == std::vector<std::string>{"0.001", "0.01", "0.1", "1", "10", "100"});
    chart = chart_of({3, 4});
    chart.scale = Scale::logarithmic;
    CHECK(value_labels(chart) == std::vector<std::string>{"1", "2", "5", "10"});
    CHECK(value_labels(chart_of({0, 0})) == std::vector<std::string>{"0.0", "0.5", "1.0"});
    CHECK(value_labels(chart_of({1e-7, 3e-7})).back() == "3e-07");
}

TEST_CASE("no label lies over another, however many there are") {
    for (const std::size_t n : {1U, 7U, 30U, 200U}) {
        Chart chart = chart_of({});
        for (std::size_t i = 0; i < n; ++i) {
            chart.x_labels.push_back(std::to_string(1000 * i));
            chart.series[0].points.push_back({.x = static_cast<double>(i), .y = 1.0 * static_cast<double>(i)});
        }
        double end = -1;
        std::size_t n_labels = 0;
        for (const Label& label : labels_of(svg(chart))) {
            if (label.anchor == "middle" && label.text != "epoch") {
                const double half = 3 * static_cast<double>(label.text.size());
                CHECK(label.x - half > end);
                end = label.x + half;
                ++n_labels;
            }
        }
        CHECK(n_labels >= (n < 10 ? n : 5));
        CHECK(end < 405);
    }
}

TEST_CASE("points lie where their values are, with their error bars") {
    Chart chart = chart_of({1, 3});
    chart.series[0].points[0].low = 0;
    chart.series[0].points[0].high = 2;
    const std::string picture = svg(chart);
    std::smatch bar;
    REQUIRE(std::regex_search(picture, bar, std::regex("class=\"error[^>]*y1=\"([0-9.]+)\"[^>]*y2=\"([0-9.]+)\"")));
    std::smatch mark;
    REQUIRE(std::regex_search(picture, mark, std::regex("<circle[^>]*cy=\"([0-9.]+)\"")));
    CHECK(std::stod(mark[1]) == doctest::Approx((std::stod(bar[1]) + std::stod(bar[2])) / 2).epsilon(0.001));
    CHECK(std::stod(bar[1]) > std::stod(bar[2]));  // downwards is less
    CHECK(contains(picture, "<title>a run, 2: 3</title>"));
}

TEST_CASE("bars stand on zero") {
    Chart chart = chart_of({});
    chart.kind = Kind::bars;
    chart.x_labels = {"5", "20"};
    chart.series = {{"a", {{.x = 0, .y = 0.2}, {.x = 1, .y = not_a_number}}},
                    {"b", {{.x = 0, .y = 0.4}, {.x = 1, .y = 0.1}}}};
    const std::string picture = svg(chart);
    CHECK(count(picture, "<rect") == 3);
    const std::regex form("y=\"([0-9.]+)\" width=\"[0-9.]+\" height=\"([0-9.]+)\"");
    std::vector<double> feet;
    for (std::sregex_iterator match(picture.begin(), picture.end(), form), end; match != end; ++match) {
        feet.push_back(std::stod((*match)[1]) + std::stod((*match)[2]));
    }
    REQUIRE(feet.size() == 3);
    CHECK(feet[0] == doctest::Approx(feet[1]).epsilon(0.001));
    CHECK(feet[0] == doctest::Approx(feet[2]).epsilon(0.001));
}

TEST_CASE("text of others is text") {
    CHECK(charts::escaped("<a b=\"c\" d='e'>&\x01") == "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;\xef\xbf\xbd");
    Chart chart = chart_of({1, 2});
    chart.title = chart.x_title = chart.y_title = chart.series[0].name = "<script>\"'&";
    for (const std::string& picture : {svg(chart), charts::svg_file(chart)}) {
        CHECK(!contains(picture, "<script"));
        CHECK(!contains(picture, "\"'&"));
    }
}

TEST_CASE("series differ in colour and dashes as far as there are any") {
    Chart chart = chart_of({1, 2});
    chart.series.resize(24, chart.series[0]);
    const std::string picture = svg(chart);
    std::vector<std::string> kinds;
    const std::regex form("<polyline class=\"([^\"]*)\"");
    for (std::sregex_iterator match(picture.begin(), picture.end(), form), end; match != end; ++match) {
        CHECK(count(picture, "<polyline class=\"" + std::string((*match)[1]) + "\"") == 1);
        kinds.push_back((*match)[1]);
    }
    CHECK(kinds.size() == 24);
}

}  // namespace
