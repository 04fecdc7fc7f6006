#ifndef GRU4REC_DATA_MISSING_VALUES_HPP
#define GRU4REC_DATA_MISSING_VALUES_HPP

#include "gru4rec/data/parse_date.hpp"
#include "gru4rec/data/parse_time.hpp"
#include "gru4rec/data/read_options.hpp"
#include "gru4rec/data/time_column.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// The texts that stand for a missing value, and what happens to rows that lack a session or a time.
class MissingValues {
  public:
    explicit MissingValues(std::vector<std::string> markers = usual_missing_markers(),
                           MissingRows rows = MissingRows::skip)
        : markers_(std::move(markers)), rows_(rows) {
        for (const std::string& text : markers_) {
            longest_ = (std::max)(longest_, text.size());
        }
        any_time_ = std::any_of(markers_.begin(), markers_.end(),
                                [](const std::string& text) { return parse_time(text) || parse_date(text); });
    }

    [[nodiscard]] bool contains(std::string_view text) const noexcept {
        return text.size() <= longest_ && std::find(markers_.begin(), markers_.end(), text) != markers_.end();
    }

    /// Whether one of the texts could be taken for a time.
    [[nodiscard]] bool any_time() const noexcept { return any_time_; }

    /// Whether rows without a session or a time are an error.
    [[nodiscard]] bool are_refused() const noexcept { return rows_ == MissingRows::refuse; }

  private:
    std::vector<std::string> markers_;
    MissingRows rows_;
    std::size_t longest_ = 0;
    bool any_time_ = false;
};

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
