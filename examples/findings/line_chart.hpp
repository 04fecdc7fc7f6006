#ifndef GRU4REC_FINDINGS_LINE_CHART_HPP
#define GRU4REC_FINDINGS_LINE_CHART_HPP

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace findings {

/// A line through points with error bars, as SVG. Points are equally spaced, whatever their labels say.
struct LineChart {
    struct Point {
        std::string label;   ///< below the axis
        std::string detail;  ///< below the label
        double value = 0;
        double low = 0;
        double high = 0;
    };

    std::string title;
    std::string x_axis;
    std::string y_axis;
    std::vector<Point> points;  ///< at least one

    /// A complete SVG file; strings are escaped.
    [[nodiscard]] std::string svg() const {
        const std::string size = number("%.0f", width) + " " + number("%.0f", height);
        std::string text = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " + size +
                           "\" font-family=\"sans-serif\" font-size=\"13\">\n"
                           "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n";
        text += label({width / 2, 22}, "middle", title);
        text += label({(left + right) / 2, height - 12}, "middle", x_axis);
        text += label({left - 8, top - 14}, "end", y_axis);
        const Scale scale = value_scale();
        return text + grid(scale) + error_bars(scale) + curve(scale) + "</svg>\n";
    }

  private:
    static constexpr double width = 640;
    static constexpr double height = 400;
    static constexpr double left = 80;  ///< area of the points, without the margins for labels
    static constexpr double right = width - 30;
    static constexpr double top = 50;
    static constexpr double bottom = height - 73;
    static constexpr std::string_view grey = "#ddd";
    static constexpr std::string_view blue = "#3465a4";

    struct Position {
        double x;
        double y;
    };

    /// The range of values between two round numbers, and the distance of grid lines.
    struct Scale {
        double low;
        double high;
        double step;
        [[nodiscard]] double y(double value) const { return bottom - (value - low) / (high - low) * (bottom - top); }
    };

    [[nodiscard]] Scale value_scale() const {
        double low = points.front().low;
        double high = points.front().high;
        for (const Point& point : points) {
            low = (std::min)(low, point.low);
            high = (std::max)(high, point.high);
        }
        const double rough = (std::max)(high - low, 0.004) / 4;
        const double power = std::pow(10, std::floor(std::log10(rough)));
        const double step = power * (rough <= 2 * power ? 2 : rough <= 5 * power ? 5 : 10);
        const double from = std::floor(low / step) * step;
        return {from, (std::max)(std::ceil(high / step) * step, from + step), step};
    }

    [[nodiscard]] double x_of(std::size_t i) const {
        return left + (right - left) * (static_cast<double>(i) + 0.5) / static_cast<double>(points.size());
    }

    [[nodiscard]] static std::string grid(const Scale& scale) {
        std::string text;
        for (double tick = scale.low; tick <= scale.high + scale.step / 2; tick += scale.step) {
            const double y = scale.y(tick);
            text += line({left, y}, {right, y}, grey) + label({left - 8, y + 4}, "end", number("%.3f", tick));
        }
        return text;
    }

    [[nodiscard]] std::string error_bars(const Scale& scale) const {
        std::string text;
        for (std::size_t i = 0; i < points.size(); ++i) {
            const double x = x_of(i);
            text += line({x, scale.y(points[i].low)}, {x, scale.y(points[i].high)}, blue);
            text += label({x, bottom + 20}, "middle", points[i].label);
            text += points[i].detail.empty() ? "" : label({x, bottom + 38}, "middle", points[i].detail);
        }
        return text;
    }

    [[nodiscard]] std::string curve(const Scale& scale) const {
        std::string circles;
        std::string path;
        for (std::size_t i = 0; i < points.size(); ++i) {
            const std::string x = number("%.1f", x_of(i));
            const std::string y = number("%.1f", scale.y(points[i].value));
            circles += "<circle cx=\"" + x + "\" cy=\"" + y + "\" r=\"4\" fill=\"" + std::string(blue) + "\"/>\n";
            path += x + "," + y + " ";
        }
        return circles + "<polyline points=\"" + path + "\" fill=\"none\" stroke=\"" + std::string(blue) +
               "\" stroke-width=\"2\"/>\n";
    }

    [[nodiscard]] static std::string number(const char* format, double value) {
        std::array<char, 40> text{};
        std::snprintf(text.data(), text.size(), format, value);
        return text.data();
    }

    [[nodiscard]] static std::string line(Position from, Position to, std::string_view colour) {
        return "<line x1=\"" + number("%.1f", from.x) + "\" y1=\"" + number("%.1f", from.y) + "\" x2=\"" +
               number("%.1f", to.x) + "\" y2=\"" + number("%.1f", to.y) + "\" stroke=\"" + std::string(colour) +
               "\"/>\n";
    }

    [[nodiscard]] static std::string label(Position at, std::string_view anchor, std::string_view text) {
        return "<text x=\"" + number("%.1f", at.x) + "\" y=\"" + number("%.1f", at.y) + "\" text-anchor=\"" +
               std::string(anchor) + "\">" + escaped(text) + "</text>\n";
    }

    [[nodiscard]] static std::string escaped(std::string_view text) {
        std::string result;
        for (const char c : text) {
            switch (c) {
                case '&': result += "&amp;"; break;
                case '<': result += "&lt;"; break;
                default: result += c;
            }
        }
        return result;
    }
};

}  // namespace findings

#endif
