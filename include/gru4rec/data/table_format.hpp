#ifndef GRU4REC_DATA_TABLE_FORMAT_HPP
#define GRU4REC_DATA_TABLE_FORMAT_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/events.hpp"
#include "gru4rec/data/fields.hpp"
#include "gru4rec/data/missing_values.hpp"
#include "gru4rec/data/read_options.hpp"
#include "gru4rec/data/time_format.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Columns that filters may read, beyond those of the events.
inline constexpr std::size_t max_filter_columns = 8;

inline constexpr std::uint8_t offset_slot = n_event_fields;
inline constexpr std::uint8_t first_filter_slot = n_event_fields + 1;
inline constexpr std::uint8_t unused_slot = first_filter_slot + max_filter_columns;

/// The fields of a row that are read, each in its slot: by EventField, the time's offset, those of filters, and one
/// for all others. Begins and sizes lie apart: a processor that has just written both of a field, one by one, waits if
/// they are read back as one vector.
class Record {
  public:
    GRU4REC_ALWAYS_INLINE void set(std::size_t slot, std::string_view field) noexcept {
        begins_[slot] = field.data();
        sizes_[slot] = field.size();
    }

    [[nodiscard]] GRU4REC_ALWAYS_INLINE std::string_view operator[](std::size_t slot) const noexcept {
        return {begins_[slot], sizes_[slot]};
    }

  private:
    std::array<const char*, unused_slot + 1> begins_{};
    std::array<std::size_t, unused_slot + 1> sizes_{};
};

/// A RowFilter whose column has been found.
struct FilterSlot {
    std::uint8_t slot = unused_slot;
    std::vector<std::string> values{};

    [[nodiscard]] bool accepts(const Record& record) const noexcept {
        return std::find(values.begin(), values.end(), trimmed(at(record, slot))) != values.end();
    }
};

/// How a table is written: its separator, the slot of each column, the format of its times.
struct TableFormat {
    char separator = '\t';
    Quotes quotes = Quotes::enclose;
    std::string header{};                                 ///< the first row as it is written, if it names the columns
    std::vector<std::uint8_t> column_slots{};             ///< by column
    std::array<std::string, n_event_fields + 1> names{};  ///< of the columns by slot, for messages
    TimeFormat times{};
    std::vector<FilterSlot> filters{};
    MissingValues missing{};
    bool has_offset = false;  ///< milliseconds that are added to the time

    [[nodiscard]] std::size_t n_columns() const noexcept { return column_slots.size(); }

    [[nodiscard]] std::string_view separator_name() const noexcept {
        switch (separator) {
            case '\t': return "TAB";
            case ',': return "comma";
            case ';': return "semicolon";
            default: return "|";
        }
    }
};

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
