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

/// Lists of values in one array, each a contiguous range. Built list by list with push_back, or for known sizes and
/// then filled in any order with append.
template <class Value>
class PackedLists {
  public:
    PackedLists() = default;

    /// One list per size, to be filled by `append`.
    template <class Sizes>
    [[nodiscard]] static PackedLists of_sizes(const Sizes& sizes) {
        PackedLists lists;
        lists.ends_.reserve(sizes.size() + 1);
        lists.assign_sizes(sizes);
        return lists;
    }

    /// Replaces all lists by empty ones with room for these sizes. Allocates only if the memory so far is too small.
    template <class Sizes>
    void assign_sizes(const Sizes& sizes) {
        ends_.assign(1, 0);
        std::size_t begin = 0;
        for (const auto size : sizes) {
            ends_.push_back(begin);
            begin += static_cast<std::size_t>(size);
        }
        values_.resize(begin);
    }

    void reserve(Index n_lists, Index n_values) {
        ends_.reserve(static_cast<std::size_t>(n_lists) + 1);
        values_.reserve(static_cast<std::size_t>(n_values));
    }

    [[nodiscard]] Index size() const noexcept { return static_cast<Index>(ends_.size()) - 1; }

    /// @pre every list made for a size is full
    [[nodiscard]] std::span<const Value> operator[](Index list) const noexcept {
        return {values_.data() + at(ends_, list), values_.data() + at(ends_, list + 1)};
    }

    [[nodiscard]] std::span<const Value> values() const noexcept { return values_; }

    /// Adds a list at the end.
    void push_back(std::span<const Value> list) {
        values_.insert(values_.end(), list.begin(), list.end());
        ends_.push_back(values_.size());
    }

    /// Adds a value to a list made for its size. @pre it has room
    void append(Index list, const Value& value) noexcept {
        std::size_t& end = at(ends_, list + 1);
        GRU4REC_ASSERT(end < values_.size());
        values_[end++] = value;
    }

  private:
    std::vector<Value> values_;
    std::vector<std::size_t> ends_{0};  // [i + 1]: end of list i, and begin of list i + 1 once list i is full
};

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
