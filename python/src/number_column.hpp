#ifndef GRU4REC_PYTHON_NUMBER_COLUMN_HPP
#define GRU4REC_PYTHON_NUMBER_COLUMN_HPP

#include "gru4rec/core/text.hpp"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "columns.hpp"

namespace gru4rec_python {

/// Whether a row has a value. @param bits  one for each row, 1 if it has a value; nullptr: all rows have one
[[nodiscard]] inline bool is_present(const std::uint8_t* bits, gru4rec::Index row) noexcept {
    return bits == nullptr || ((bits[row / 8] >> (row % 8)) & 1) != 0;
}

/// Numbers at equal distances in memory, with or without a bitmap of the rows that have a value.
template <class Number>
class NumberColumn final : public Column {
  public:
    /// @param stride     bytes between two numbers
    /// @param present    bit `first_bit + row` is set if the row has a value; nullptr: all rows have one
    /// @param times_are  what the numbers are if they are times
    NumberColumn(const void* numbers, gru4rec::Index size, gru4rec::Index stride, const std::uint8_t* present = nullptr,
                 gru4rec::Index first_bit = 0, TimesAre times_are = TimesAre::numbers)
        : numbers_(static_cast<const char*>(numbers)),
          size_(size),
          stride_(stride),
          present_(present),
          first_bit_(first_bit),
          times_are_(times_are) {}

    [[nodiscard]] gru4rec::Index size() const noexcept override { return size_; }

    [[nodiscard]] bool is_missing(gru4rec::Index row) const override {
        if (!is_present(present_, first_bit_ + row)) {
            return true;
        }
        if constexpr (std::is_floating_point_v<Number>) {
            return std::isnan(number(row));
        }
        return false;
    }

    [[nodiscard]] std::string_view text(gru4rec::Index row, std::string& buffer) const override {
        buffer = gru4rec::detail::format_number(+number(row));  // +: format a byte as a number
        return buffer;
    }

    [[nodiscard]] std::optional<gru4rec::detail::EventTime> time(gru4rec::Index row) const override {
        if constexpr (std::is_floating_point_v<Number>) {
            return gru4rec::detail::to_event_time(static_cast<double>(number(row)));
        } else {
            return std::in_range<std::int64_t>(number(row))
                       ? std::optional(gru4rec::detail::EventTime{static_cast<std::int64_t>(number(row)), 0})
                       : std::nullopt;
        }
    }

    [[nodiscard]] TimesAre times_are(gru4rec::Index) const noexcept override { return times_are_; }

    [[nodiscard]] IdKind kind() const noexcept override {
        return std::is_floating_point_v<Number> ? IdKind::real : IdKind::integer;
    }

    [[nodiscard]] Number number(gru4rec::Index row) const noexcept {
        Number number;
        std::memcpy(&number, numbers_ + row * stride_, sizeof(number));  // it may not be aligned
        return number;
    }

  private:
    const char* numbers_;
    gru4rec::Index size_;
    gru4rec::Index stride_;
    const std::uint8_t* present_;
    gru4rec::Index first_bit_;
    TimesAre times_are_;
};

}  // namespace gru4rec_python

#endif
