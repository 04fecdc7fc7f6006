#include "chart.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "support/formatted.hpp"

namespace charts {

namespace {

constexpr double width = 400;
constexpr double height = 250;
constexpr double top = 30;  ///< of the area of the points, without the margins for labels
constexpr double bottom = height - 42;
constexpr double right = width - 12;
constexpr double title_height = 24;     ///< in a file; on a page the title is text of the page
constexpr double digit_width = 6.9;     ///< of the font, a little too wide rather than too narrow
constexpr double largest = 1e300;       ///< differences of larger numbers overflow
constexpr double smallest = 1e-290;     ///< quotients of smaller ones do
constexpr std::size_t most_marks = 40;  ///< with more points in a line, marks hide it
constexpr std::size_t n_dashes = 4;

constexpr std::string_view light_style =
    R"(.chart { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
.chart text { fill: var(--quiet); }
.grid { stroke: var(--line); }
.curve { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.error { stroke-width: 1.5; }
.mark { stroke: none; }
.c0 { --colour: #0a6b73; } .c1 { --colour: #b4490c; } .c2 { --colour: #3157c8; } .c3 { --colour: #9c2a9c; }
.c4 { --colour: #4a7a16; } .c5 { --colour: #b3223c; } .c6 { --colour: #7a5b2c; } .c7 { --colour: #5b6470; }
.curve, .error { stroke: var(--colour); }
.mark, .bar { fill: var(--colour); }
.curve.d1 { stroke-dasharray: 7 4; } .curve.d2 { stroke-dasharray: 2 4; } .curve.d3 { stroke-dasharray: 9 4 2 4; }
)";

constexpr std::string_view dark_colours = R"(@media (prefers-color-scheme: dark) {
  .c0 { --colour: #63c5c9; } .c1 { --colour: #f2a262; } .c2 { --colour: #8fb1ff; } .c3 { --colour: #e191e6; }
  .c4 { --colour: #9fd06c; } .c5 { --colour: #ff9c8f; } .c6 { --colour: #d3b183; } .c7 { --colour: #a9b3bd; }
}
)";

[[nodiscard]] std::string coordinate(double value) { return formatted("%.1f", value); }

[[nodiscard]] bool is_drawn(const Chart& chart, double value) {
    return std::isfinite(value) && std::abs(value) < largest && (chart.scale != Scale::logarithmic || value > smallest);
}

/// The next number up of 1, 2, 5, 10, 20, ...
[[nodiscard]] double round_step(double rough) {
    const double power = std::pow(10, std::floor(std::log10(rough)));
    const double digit = rough / power;
    return power * (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10);
}

/// A value as a label of an axis whose labels are `step` apart and no larger than `most`.
[[nodiscard]] std::string tick_label(double value, double step, double most) {
    if (most >= 1e10 || step < 1e-4) {
        return formatted("%.3g", value);
    }
    const bool millions = most >= 1e6;
    const double unit = millions ? 1e6 : most >= 1e4 ? 1e3 : 1;
    const double digits = std::ceil(-std::log10(step / unit) - 1e-9);
    return formatted(value / unit, digits > 0 ? static_cast<int>(digits) : 0) + (value == 0 || unit == 1 ? ""
                                                                                 : millions              ? "M"
                                                                                                         : "k");
}

struct Tick {
    double value;
    std::string label;
};

struct Range {
    double low = largest;
    double high = -largest;

    void add(double value) {
        low = (std::min)(low, value);
        high = (std::max)(high, value);
    }
    [[nodiscard]] bool is_empty() const { return low > high; }
};

[[nodiscard]] Range values_of(const Chart& chart) {
    Range range;
    for (const Series& series : chart.series) {
        for (const Point& point : series.points) {
            for (const double value : {point.y, point.low, point.high}) {
                if (is_drawn(chart, value) && is_drawn(chart, point.y)) {
                    range.add(value);
                }
            }
        }
    }
    if (!range.is_empty() && (chart.scale == Scale::from_zero || chart.kind == Kind::bars)) {
        range.add(0);
    }
    return range;
}

/// The axis of values.
class ValueAxis {
  public:
    /// @param range  not empty
    ValueAxis(Range range, Scale scale) : logarithmic_(scale == Scale::logarithmic) {
        if (logarithmic_) {
            add_decades(range);
        } else {
            add_steps(range);
        }
    }

    [[nodiscard]] const std::vector<Tick>& ticks() const { return ticks_; }

    [[nodiscard]] double y(double value) const {
        const double place = logarithmic_ ? std::log10(value) : value;
        return bottom - (place - low_) / (high_ - low_) * (bottom - top);
    }

  private:
    void add_steps(Range range) {
        if (range.high == range.low) {
            range.high += range.high == 0 ? 1 : std::abs(range.high) / 10;
        }
        const double size = (std::max)(std::abs(range.low), std::abs(range.high));
        const double least = (std::max)(size * 1e-12, smallest);
        const double step = round_step((std::max)((range.high - range.low) / 4.5, least));
        low_ = std::floor(range.low / step + 1e-9) * step;
        const int n = (std::max)(static_cast<int>(std::ceil((range.high - low_) / step - 1e-9)), 1);
        high_ = low_ + n * step;
        for (int i = 0; i <= n; ++i) {
            const double value = std::abs(low_ + i * step) < step / 1e6 ? 0 : low_ + i * step;
            ticks_.push_back({value, tick_label(value, step, (std::max)(std::abs(low_), std::abs(high_)))});
        }
    }

    void add_decades(Range range) {
        const int from = static_cast<int>(std::floor(std::log10(range.low)));
        const int to = (std::max)(static_cast<int>(std::ceil(std::log10(range.high))), from + 1);
        low_ = from;
        high_ = to;
        const int apart = (to - from + 4) / 5;
        for (int decade = from; decade <= to; decade += apart) {
            for (const int digit : {1, 2, 5}) {
                const double value = digit * std::pow(10, decade);
                if (digit == 1 || (to - from <= 2 && decade < to)) {
                    const bool plain = decade >= -4 && decade < 10;
                    ticks_.push_back({value, plain ? tick_label(value, value, value) : formatted("%.0e", value)});
                }
            }
        }
    }

    bool logarithmic_;
    double low_ = 0;  // logarithms of a logarithmic scale
    double high_ = 1;
    std::vector<Tick> ticks_;
};

/// @param text  UTF-8
[[nodiscard]] double text_width(std::string_view text) {
    const auto continues_character = [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U; };
    const auto n = static_cast<double>(text.size()) -
                   static_cast<double>(std::count_if(text.begin(), text.end(), continues_character));
    return n * digit_width;
}

/// The axis that points lie along.
class PlaceAxis {
  public:
    PlaceAxis(const Chart& chart, double left) : left_(left), n_slots_(static_cast<double>(chart.x_labels.size())) {
        if (n_slots_ > 0) {
            for (std::size_t i = 0; i < chart.x_labels.size(); ++i) {
                ticks_.push_back({static_cast<double>(i), chart.x_labels[i]});
            }
        } else {
            add_numbers(chart);
        }
        thin_out();
    }

    [[nodiscard]] const std::vector<Tick>& ticks() const { return ticks_; }
    [[nodiscard]] double slot_width() const { return (right - left_) / n_slots_; }

    [[nodiscard]] double x(double place) const {
        if (n_slots_ > 0) {
            return left_ + slot_width() * (place + 0.5);
        }
        constexpr double margin = 10;
        const double share = high_ > low_ ? (place - low_) / (high_ - low_) : 0.5;
        return left_ + margin + share * (right - left_ - 2 * margin);
    }

  private:
    void add_numbers(const Chart& chart) {
        Range range;
        for (const Series& series : chart.series) {
            for (const Point& point : series.points) {
                range.add(point.x);
            }
        }
        if (range.is_empty()) {
            return;
        }
        low_ = range.low;
        high_ = range.high;
        const double step = high_ > low_ ? (std::max)(1.0, round_step((high_ - low_) / 6)) : 1;
        const double first = std::ceil(low_ / step);
        const int n_more = static_cast<int>(std::floor(high_ / step) - first);
        for (int i = 0; i <= n_more; ++i) {  // a step added to a number beyond 2^53 may not change it
            const double value = (first + i) * step;
            ticks_.push_back({value, tick_label(value, step, high_)});
        }
    }

    /// Leaves out every second label until none touches the next.
    void thin_out() {
        const auto touch = [&] {
            for (std::size_t i = 1; i < ticks_.size(); ++i) {
                const double apart = x(ticks_[i].value) - x(ticks_[i - 1].value);
                if (apart < (text_width(ticks_[i].label) + text_width(ticks_[i - 1].label)) / 2 + 5) {
                    return true;
                }
            }
            return false;
        };
        const std::vector<Tick> all = std::exchange(ticks_, {});
        std::size_t apart = 0;
        do {
            ++apart;
            ticks_.clear();
            for (std::size_t i = 0; i < all.size(); i += apart) {
                ticks_.push_back(all[i]);
            }
        } while (touch());
    }

    double left_;
    double n_slots_;
    double low_ = 0;
    double high_ = 0;
    std::vector<Tick> ticks_;
};

[[nodiscard]] std::string classes(std::size_t series) {
    return "c" + std::to_string(series % n_colours) + " d" + std::to_string((series + series / n_colours) % n_dashes);
}

struct Position {
    double x;
    double y;
};

[[nodiscard]] std::string line(Position from, Position to, const std::string& of_class) {
    return "<line class=\"" + of_class + "\" x1=\"" + coordinate(from.x) + "\" y1=\"" + coordinate(from.y) +
           "\" x2=\"" + coordinate(to.x) + "\" y2=\"" + coordinate(to.y) + "\"/>\n";
}

[[nodiscard]] std::string label(Position at, std::string_view anchor, std::string_view text) {
    return "<text x=\"" + coordinate(at.x) + "\" y=\"" + coordinate(at.y) + "\" text-anchor=\"" + std::string(anchor) +
           "\">" + escaped(text) + "</text>\n";
}

/// Draws the points of a chart along its axes.
class Drawing {
  public:
    Drawing(const Chart& chart, const PlaceAxis& places, const ValueAxis& values)
        : chart_(chart), places_(places), values_(values) {}

    [[nodiscard]] std::string text() {
        for (std::size_t i = 0; i < chart_.series.size(); ++i) {
            if (chart_.kind == Kind::bars) {
                add_bars(i);
            } else {
                add_line(i);
            }
        }
        return std::move(text_);
    }

  private:
    [[nodiscard]] std::string tip(const Series& series, const Point& point) const {
        const auto place = static_cast<std::size_t>(point.x);
        const std::string where = place < chart_.x_labels.size() ? chart_.x_labels[place] : formatted("%.10g", point.x);
        return "<title>" +
               escaped((series.name.empty() ? "" : series.name + ", ") + where + ": " + formatted("%.6g", point.y)) +
               "</title>";
    }

    void add_bars(std::size_t i) {
        const Series& series = chart_.series[i];
        const double bar = places_.slot_width() * 0.8 / static_cast<double>(chart_.series.size());
        for (const Point& point : series.points) {
            if (!is_drawn(chart_, point.y)) {
                continue;
            }
            const double x = places_.x(point.x) - places_.slot_width() * 0.4 + static_cast<double>(i) * bar;
            const double y = (std::min)(values_.y(point.y), values_.y(0));
            text_ += "<rect class=\"bar " + classes(i) + "\" x=\"" + coordinate(x) + "\" y=\"" + coordinate(y) +
                     "\" width=\"" + coordinate((std::max)(bar - 0.5, 0.5)) + "\" height=\"" +
                     coordinate(std::abs(values_.y(point.y) - values_.y(0))) + "\">" + tip(series, point) + "</rect>\n";
        }
    }

    void add_line(std::size_t i) {
        const Series& series = chart_.series[i];
        std::vector<Position> run;
        for (const Point& point : series.points) {
            if (is_drawn(chart_, point.y)) {
                run.push_back({places_.x(point.x), values_.y(point.y)});
                add_error_bar(point, i);
            } else {
                end_run(run, i);
            }
        }
        end_run(run, i);
        if (series.points.size() <= most_marks) {
            for (const Point& point : series.points) {
                if (is_drawn(chart_, point.y)) {
                    add_mark({places_.x(point.x), values_.y(point.y)}, i, tip(series, point));
                }
            }
        }
    }

    void add_error_bar(const Point& point, std::size_t i) {
        if (is_drawn(chart_, point.low) && is_drawn(chart_, point.high)) {
            const double x = places_.x(point.x);
            text_ += line({x, values_.y(point.low)}, {x, values_.y(point.high)}, "error " + classes(i));
        }
    }

    /// Draws the points that follow each other without a gap.
    void end_run(std::vector<Position>& run, std::size_t i) {
        if (run.size() == 1 && chart_.series[i].points.size() > most_marks) {
            add_mark(run.front(), i, "");
        }
        if (run.size() > 1) {
            text_ += "<polyline class=\"curve " + classes(i) + "\" points=\"";
            for (const Position& at : run) {
                text_ += coordinate(at.x) + "," + coordinate(at.y) + " ";
            }
            text_ += "\"/>\n";
        }
        run.clear();
    }

    void add_mark(Position at, std::size_t i, const std::string& content) {
        text_ += "<circle class=\"mark " + classes(i) + "\" cx=\"" + coordinate(at.x) + "\" cy=\"" + coordinate(at.y) +
                 "\" r=\"3\">" + content + "</circle>\n";
    }

    const Chart& chart_;
    const PlaceAxis& places_;
    const ValueAxis& values_;
    std::string text_;
};

/// Grid, labels and points.
[[nodiscard]] std::string content(const Chart& chart) {
    const Range range = values_of(chart);
    if (range.is_empty()) {
        return label({width / 2, height / 2}, "middle", "no values");
    }
    const ValueAxis values(range, chart.kind == Kind::bars ? Scale::from_zero : chart.scale);
    double widest = 0;
    for (const Tick& tick : values.ticks()) {
        widest = (std::max)(widest, text_width(tick.label));
    }
    const double left = widest + 12;
    const PlaceAxis places(chart, left);
    std::string text = label({0, 13}, "start", chart.y_title);
    text += label({(left + right) / 2, height - 5}, "middle", chart.x_title);
    for (const Tick& tick : values.ticks()) {
        const double y = values.y(tick.value);
        text += line({left, y}, {right, y}, "grid") + label({left - 6, y + 4}, "end", tick.label);
    }
    for (const Tick& tick : places.ticks()) {
        text += label({places.x(tick.value), bottom + 17}, "middle", tick.label);
    }
    return text + Drawing(chart, places, values).text();
}

/// What a screen reader says.
[[nodiscard]] std::string description(const Chart& chart) {
    constexpr std::size_t most = 8;
    std::string text = chart.title + " by " + chart.x_title + ".";
    for (std::size_t i = 0; i < chart.series.size() && i < most; ++i) {
        const std::vector<Point>& points = chart.series[i].points;
        if (!points.empty()) {
            text += " " + chart.series[i].name + (chart.series[i].name.empty() ? "From " : ": from ") +
                    short_number(points.front().y) + " to " + short_number(points.back().y) + ".";
        }
    }
    return text;
}

/// @param above  room above the chart, for a title
[[nodiscard]] std::string opening(const Chart& chart, double above) {
    return "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" viewBox=\"0 " + formatted("%.0f", 0 - above) +
           " " + formatted("%.0f", width) + " " + formatted("%.0f", height + above) + "\" role=\"img\" aria-label=\"" +
           escaped(description(chart)) + "\">\n";
}

}  // namespace

std::string svg(const Chart& chart) { return opening(chart, 0) + content(chart) + "</svg>\n"; }

std::string svg_file(const Chart& chart) {
    return opening(chart, title_height) + "<style>\nsvg { --quiet: #59626d; --line: #dfe3e7; }\n" +
           std::string(light_style) + "</style>\n<rect y=\"-100\" width=\"100%\" height=\"200%\" fill=\"white\"/>\n" +
           label({width / 2, 13 - title_height}, "middle", chart.title) + content(chart) + "</svg>\n";
}

std::string key_svg(std::size_t series, Kind kind) {
    const std::string shape =
        kind == Kind::bars ? "<rect class=\"bar " + classes(series) + "\" x=\"6\" width=\"12\" height=\"10\"/>"
                           : "<line class=\"curve " + classes(series) + "\" x1=\"0\" y1=\"5\" x2=\"24\" y2=\"5\"/>";
    return "<svg class=\"key\" viewBox=\"0 0 24 10\" width=\"24\" height=\"10\" aria-hidden=\"true\">" + shape +
           "</svg>";
}

std::string style() { return std::string(light_style) + std::string(dark_colours); }

std::string short_number(double value) {
    if (!std::isfinite(value)) {
        return "none";
    }
    const double size = std::abs(value);
    return size >= 1e6 && size < 1e12  ? formatted("%.3g", value / 1e6) + "M"
           : size >= 1e4 && size < 1e6 ? formatted("%.3g", value / 1e3) + "k"
                                       : formatted("%.4g", value);
}

std::string escaped(std::string_view text) {
    std::string result;
    for (const char c : text) {
        switch (c) {
            case '&': result += "&amp;"; break;
            case '<': result += "&lt;"; break;
            case '>': result += "&gt;"; break;
            case '"': result += "&quot;"; break;
            case '\'': result += "&#39;"; break;
            default:
                const bool is_control = static_cast<unsigned char>(c) < 0x20 || c == 0x7f;  // XML does not allow them
                result += is_control ? std::string("\xef\xbf\xbd") : std::string(1, c);
        }
    }
    return result;
}

}  // namespace charts
