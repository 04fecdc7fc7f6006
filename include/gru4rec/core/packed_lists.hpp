#ifndef GRU4REC_CORE_PACKED_LISTS_HPP
#define GRU4REC_CORE_PACKED_LISTS_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/version.hpp"

#include <cstddef>
#include <span>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Numbered lists of values, one behind the other in memory. Either grown list by list, or made for known sizes and
/// filled in any order.
template <class Value>
class PackedLists {
  public:
    PackedLists() = default;

    /// One list for each size, to be filled by `append`.
    template <class Sizes>
    [[nodiscard]] static PackedLists of_sizes(const Sizes& sizes) {
        PackedLists lists;
        lists.ends_.reserve(sizes.size() + 1);
        std::size_t begin = 0;
        for (const auto size : sizes) {
            lists.ends_.push_back(begin);
            begin += static_cast<std::size_t>(size);
        }
        lists.values_.resize(begin);
        return lists;
    }

    [[nodiscard]] Index size() const noexcept { return static_cast<Index>(ends_.size()) - 1; }

    /// @pre no list made for a size is short of values
    [[nodiscard]] std::span<const Value> operator[](Index list) const noexcept {
        const auto at = static_cast<std::size_t>(list);
        return std::span(values_).subspan(ends_[at], ends_[at + 1] - ends_[at]);
    }

    [[nodiscard]] std::span<const Value> values() const noexcept { return values_; }

    /// Adds a list behind the last one.
    void push_back(std::span<const Value> list) {
        values_.insert(values_.end(), list.begin(), list.end());
        ends_.push_back(values_.size());
    }

    /// Adds a value to a list made for its size. @pre it has room
    void append(Index list, const Value& value) noexcept {
        std::size_t& end = ends_[static_cast<std::size_t>(list) + 1];
        GRU4REC_ASSERT(end < values_.size());
        values_[end++] = value;
    }

  private:
    std::vector<Value> values_;
    std::vector<std::size_t> ends_{0};  // of list i at i + 1: also where list i + 1 begins, once list i is full
};

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
