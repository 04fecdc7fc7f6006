#ifndef GRU4REC_SERVE_HASH_SLOTS_HPP
#define GRU4REC_SERVE_HASH_SLOTS_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/version.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// The numbers of records by the hash of their key: a hash table of 32-bit words, with open addressing and linear
/// probing. A word holds a record's number plus one in its lower bits and the upper bits of the record's hash in the
/// rest, so that a search reads hardly any record but the one that it looks for.
class HashSlots {
  public:
    /// @param max_records  numbers are below it; less than 2^31
    explicit HashSlots(std::uint32_t max_records)
        : tag_shift_(static_cast<unsigned>(std::bit_width(max_records))), words_(smallest) {}

    [[nodiscard]] std::size_t bytes() const noexcept { return words_.size() * sizeof(std::uint32_t); }
    /// Whether insert() needs grow() before it.
    [[nodiscard]] bool is_full() const noexcept { return (size_ + 1) * 4 > words_.size() * 3; }
    [[nodiscard]] static constexpr std::size_t smallest_bytes() noexcept { return smallest * sizeof(std::uint32_t); }

    /// The number of the record with this hash for which `equal(number)` is true, or `none`.
    template <class Equal>
    [[nodiscard]] std::uint32_t find(std::uint32_t hash, const Equal& equal) const {
        for (std::size_t i = home(hash); words_[i] != 0; i = next(i)) {
            if ((words_[i] ^ hash) >> tag_shift_ == 0 && equal(number_of(words_[i]))) {
                return number_of(words_[i]);
            }
        }
        return none;
    }

    /// @pre !is_full()
    void insert(std::uint32_t hash, std::uint32_t number) noexcept {
        GRU4REC_ASSERT(!is_full());
        std::size_t i = home(hash);
        while (words_[i] != 0) {
            i = next(i);
        }
        words_[i] = word(hash, number);
        ++size_;
    }

    /// @param hash_of  hash_of(number) is the hash of any record in the table
    template <class HashOf>
    void erase(std::uint32_t hash, std::uint32_t number, const HashOf& hash_of) noexcept {
        std::size_t hole = position(hash, number);
        for (std::size_t i = next(hole); words_[i] != 0; i = next(i)) {
            const std::size_t wanted = home(hash_of(number_of(words_[i])));
            if (distance(wanted, i) >= distance(hole, i)) {  // a search for it would end at the hole
                words_[hole] = words_[i];
                hole = i;
            }
        }
        words_[hole] = 0;
        --size_;
    }

    /// Gives a record another number.
    ///
    /// @pre the table has record `from` and no record `to`
    void renumber(std::uint32_t hash, std::uint32_t from, std::uint32_t to) noexcept {
        words_[position(hash, from)] = word(hash, to);
    }

    /// Twice the size. @throws std::bad_alloc; nothing is changed then
    template <class HashOf>
    void grow(const HashOf& hash_of) {
        const std::vector<std::uint32_t> old = std::exchange(words_, std::vector<std::uint32_t>(2 * words_.size()));
        size_ = 0;
        for (const std::uint32_t old_word : old) {
            if (old_word != 0) {
                insert(hash_of(number_of(old_word)), number_of(old_word));
            }
        }
    }

    static constexpr std::uint32_t none = ~std::uint32_t{0};

  private:
    static constexpr std::size_t smallest = 16;

    [[nodiscard]] std::size_t home(std::uint32_t hash) const noexcept { return hash & (words_.size() - 1); }
    [[nodiscard]] std::size_t next(std::size_t i) const noexcept { return (i + 1) & (words_.size() - 1); }
    /// Steps from one place to another.
    [[nodiscard]] std::size_t distance(std::size_t from, std::size_t to) const noexcept {
        return (to - from) & (words_.size() - 1);
    }
    [[nodiscard]] std::uint32_t word(std::uint32_t hash, std::uint32_t number) const noexcept {
        return (hash >> tag_shift_ << tag_shift_) | (number + 1);
    }
    [[nodiscard]] std::uint32_t number_of(std::uint32_t word) const noexcept {
        return (word & ((std::uint32_t{1} << tag_shift_) - 1)) - 1;
    }
    /// @pre the table has the record
    [[nodiscard]] std::size_t position(std::uint32_t hash, std::uint32_t number) const noexcept {
        std::size_t i = home(hash);
        while (words_[i] != word(hash, number)) {
            i = next(i);
        }
        return i;
    }

    unsigned tag_shift_;
    std::size_t size_ = 0;
    std::vector<std::uint32_t> words_;  // a power of two of them; 0: empty
};

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
