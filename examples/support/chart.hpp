#ifndef GRU4REC_EXAMPLES_SUPPORT_CHART_HPP
#define GRU4REC_EXAMPLES_SUPPORT_CHART_HPP

#include <cstddef>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

// Charts as SVG: text and numbers in, text out. What is not finite is left out.
namespace charts {

inline constexpr std::size_t n_colours = 8;  ///< of series; with more of them, lines still differ, bars do not

struct Point {
    double x = 0;
    double y = 0;
    double low = std::numeric_limits<double>::quiet_NaN();  ///< of an error bar
    double high = std::numeric_limits<double>::quiet_NaN();
};

struct Series {
    std::string name;
    std::vector<Point> points;  ///< by ascending x
};

enum class Scale { fitted, from_zero, logarithmic };  ///< of values; a logarithmic one leaves out what is not positive
enum class Kind { lines, bars };                      ///< bars need Chart::x_labels

struct Chart {
    std::string title;
    std::string x_title;
    std::string y_title;
    std::vector<std::string> x_labels{};  ///< of x = 0, 1, 2, ...; empty: x is a whole number, such as an epoch
    Scale scale = Scale::fitted;
    Kind kind = Kind::lines;
    std::vector<Series> series{};
};

/// A picture for an HTML page with the classes of `style()`. The element's label says what it shows.
[[nodiscard]] std::string svg(const Chart& chart);

/// A complete SVG file with a white background.
[[nodiscard]] std::string svg_file(const Chart& chart);

/// The line or bar of a series, for a legend.
[[nodiscard]] std::string key_svg(std::size_t series, Kind kind);

/// CSS of what `svg` draws, for both colour schemes. Text takes the colour `--quiet`, grid lines `--line`.
[[nodiscard]] std::string style();

/// With as many digits as a reader can use: 0.4123, 36.5k.
[[nodiscard]] std::string short_number(double value);

/// Text for the content and the attribute values of HTML and SVG. @param text  UTF-8
[[nodiscard]] std::string escaped(std::string_view text);

}  // namespace charts

#endif
