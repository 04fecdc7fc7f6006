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

/// A line through points with error bars, as SVG. The points stand at equal distances, whatever their labels say.
struct LineChart {
    struct Point {
        std::string label;  ///< below the axis
        double value = 0;
        double low = 0;
        double high = 0;
    };

    std::string title;
    std::string x_axis;
    std::vector<Point> points;  ///< one at least

    /// A file of its own; texts are escaped.
    [[nodiscard]] std::string svg() const {
        const Scale scale = value_scale();
        std::string text =
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 640 400\" font-family=\"sans-serif\" "
            "font-size=\"13\">\n<rect width=\"640\" height=\"400\" fill=\"white\"/>\n";
        text += label(320, 28, "middle", title) + label(345, 388, "middle", x_axis);
        for (double tick = scale.low; tick <= scale.high + scale.step / 2; tick += scale.step) {
            text += line(left, scale.y(tick), right, scale.y(tick), "#ddd");
            text += label(left - 8, scale.y(tick) + 4, "end", number("%.3f", tick));
        }
        std::string path;
        for (std::size_t i = 0; i < points.size(); ++i) {
            const Point& point = points[i];
            const double x = x_of(i);
            path += number("%.1f,", x) + number("%.1f ", scale.y(point.value));
            text += line(x, scale.y(point.low), x, scale.y(point.high), "#3465a4");
            text += "<circle cx=\"" + number("%.1f", x) + "\" cy=\"" + number("%.1f", scale.y(point.value)) +
                    "\" r=\"4\" fill=\"#3465a4\"/>\n";
            text += label(x, bottom + 20, "middle", point.label);
        }
        return text + "<polyline points=\"" + path +
               "\" fill=\"none\" stroke=\"#3465a4\" stroke-width=\"2\"/>\n</svg>\n";
    }

  private:
    static constexpr double left = 80;
    static constexpr double right = 610;
    static constexpr double top = 50;
    static constexpr double bottom = 345;

    /// The values between two round numbers, and the distance of the lines between them.
    struct Scale {
        double low;
        double high;
        double step;
        [[nodiscard]] double y(double value) const { return bottom - (value - low) / (high - low) * (bottom - top); }
    };

    [[nodiscard]] Scale value_scale() const {
        const double low = std::ranges::min_element(points, {}, &Point::low)->low;
        const double high = std::ranges::max_element(points, {}, &Point::high)->high;
        const double rough = (std::max)(high - low, 0.004) / 4;
        const double power = std::pow(10, std::floor(std::log10(rough)));
        const double step = power * (rough <= 2 * power ? 2 : rough <= 5 * power ? 5 : 10);
        const double from = std::floor(low / step) * step;
        return {from, (std::max)(std::ceil(high / step) * step, from + step), step};
    }

    [[nodiscard]] double x_of(std::size_t i) const {
        return left + (right - left) * (static_cast<double>(i) + 0.5) / static_cast<double>(points.size());
    }

    [[nodiscard]] static std::string number(const char* format, double value) {
        std::array<char, 40> text{};
        std::snprintf(text.data(), text.size(), format, value);
        return text.data();
    }

    [[nodiscard]] static std::string line(double x1, double y1, double x2, double y2, std::string_view colour) {
        return "<line x1=\"" + number("%.1f", x1) + "\" y1=\"" + number("%.1f", y1) + "\" x2=\"" + number("%.1f", x2) +
               "\" y2=\"" + number("%.1f", y2) + "\" stroke=\"" + std::string(colour) + "\"/>\n";
    }

    [[nodiscard]] static std::string label(double x, double y, std::string_view anchor, std::string_view text) {
        return "<text x=\"" + number("%.1f", x) + "\" y=\"" + number("%.1f", y) + "\" text-anchor=\"" +
               std::string(anchor) + "\">" + escaped(text) + "</text>\n";
    }

    [[nodiscard]] static std::string escaped(std::string_view text) {
        std::string result;
        for (const char c : text) {
            c == '&' ? result += "&amp;" : c == '<' ? result += "&lt;" : result += c;
        }
        return result;
    }
};

#endif
