// Dates: a text per line. The reader of many dates and the parser of one must agree, and what they read is a date.

#include "gru4rec/data/parse_date.hpp"
#include "gru4rec/data/parse_time.hpp"
#include "gru4rec/data/time_column.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

using gru4rec::detail::EventTime;

void require(bool condition, const char* what) {
    if (!condition) {
        std::fprintf(stderr, "violated: %s\n", what);
        std::abort();
    }
}

/// The same time in the longest form reads back.
void check_round_trip(EventTime time) {
    using namespace std::chrono;  // NOLINT(google-build-using-namespace): a function's scope
    require(time.nanoseconds < 1'000'000'000, "a fraction is less than a second");
    const sys_seconds seconds{std::chrono::seconds(time.whole)};
    const auto day = floor<days>(seconds);
    const year_month_day date(day);
    const auto rest = (seconds - day).count();
    if (static_cast<int>(date.year()) < 1 || static_cast<int>(date.year()) > 9999) {
        return;  // an offset can lead beyond the first and the last year
    }
    char text[64];
    std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%09uZ", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), static_cast<int>(rest / 3600),
                  static_cast<int>(rest / 60 % 60), static_cast<int>(rest % 60),
                  static_cast<unsigned>(time.nanoseconds));
    require(gru4rec::detail::parse_date(text) == std::optional(time), "a date in its longest form reads back");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view text(reinterpret_cast<const char*>(data), size);
    gru4rec::detail::DateReader reader;
    while (!text.empty()) {
        const std::size_t length = text.find('\n') < text.size() ? text.find('\n') : text.size();
        const std::vector<char> exact(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(length));
        const std::string_view line(exact.data(), exact.size());
        text.remove_prefix(length < text.size() ? length + 1 : length);
        const auto parsed = gru4rec::detail::parse_date(line);
        EventTime time;
        require(reader.read(line, time) == parsed.has_value(), "both say whether it is a date");
        if (parsed) {
            require(time == *parsed, "both read the same date");
            require(!gru4rec::detail::parse_time(line), "a date is not a number");
            check_round_trip(time);
        }
    }
    return 0;
}
