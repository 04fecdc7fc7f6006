#ifndef GRU4REC_CORE_STORAGE_HPP
#define GRU4REC_CORE_STORAGE_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/types.hpp"

#include <Eigen/Core>

#include <cstddef>
#include <cstring>
#include <limits>
#include <new>
#include <string>
#include <type_traits>
#include <utility>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// One cache line, and the widest vector register.
inline constexpr std::size_t cache_line = 64;

inline constexpr std::size_t huge_page = std::size_t{2} << 20;

[[noreturn]] GRU4REC_COLD inline void throw_too_large(Index rows, Index cols) {
    throw_invalid("a buffer of " + std::to_string(rows) + " x " + std::to_string(cols) +
                  " values does not fit in memory");
}

/// Zeroed memory for n values, or null for none. Blocks of 1 MiB and more are aligned to 2 MiB and advised to use huge
/// pages if the system has them: the rows of a step are scattered over a table, and with small pages nearly every row
/// costs a walk through the page tables.
[[nodiscard]] GRU4REC_NOINLINE inline void* allocate_zeroed(Index n, std::size_t value_size) {
    if (n < 0 || n > (std::numeric_limits<Index>::max)() / static_cast<Index>(value_size)) {
        throw_too_large(n, 1);
    }
    const std::size_t bytes = static_cast<std::size_t>(n) * value_size;
    if (bytes == 0) {
        return nullptr;
    }
    if (bytes < huge_page / 2) {
        return std::memset(::operator new (bytes, std::align_val_t{cache_line}), 0, bytes);
    }
    const std::size_t whole = (bytes + huge_page - 1) / huge_page * huge_page;
    void* const memory = ::operator new (whole, std::align_val_t{huge_page});
#if defined(__linux__)
    ::madvise(memory, whole, MADV_HUGEPAGE);  // best effort: falls back to small pages
#endif
    return std::memset(memory, 0, bytes);
}

GRU4REC_NOINLINE inline void deallocate(void* memory, std::size_t bytes) noexcept {
    ::operator delete (memory, std::align_val_t{bytes < huge_page / 2 ? cache_line : huge_page});
}

/// Scalars in one cache line: rows, columns of activations and lanes are padded to a multiple of it.
template <class Scalar>
inline constexpr Index scalars_per_line = static_cast<Index>(cache_line / sizeof(Scalar));

/// The next multiple of a cache line's scalars.
template <class Scalar>
[[nodiscard]] constexpr Index padded(Index n) noexcept {
    return (n + scalars_per_line<Scalar> - 1) / scalars_per_line<Scalar> * scalars_per_line<Scalar>;
}

/// The distance between rows of `n` scalars: whole cache lines, and from four on an odd number of them. A power of two
/// would send the same column of all rows to a few sets of the cache, which then hold no more than a few rows.
template <class Scalar>
[[nodiscard]] constexpr Index row_stride(Index n) noexcept {
    const Index lines = padded<Scalar>(n) / scalars_per_line<Scalar>;
    return (lines >= 4 && lines % 2 == 0 ? lines + 1 : lines) * scalars_per_line<Scalar>;
}

/// Zeroed memory aligned to a cache line. The alignment is fixed, so that code compiled with any `-m` flags may own,
/// pass and free it; Eigen computes on it through `Eigen::Map`.
///
/// @throws std::bad_alloc, ConfigError for a size out of range
template <class Value>
class AlignedBuffer {
    static_assert(std::is_trivially_copyable_v<Value>);

  public:
    AlignedBuffer() noexcept = default;

    explicit AlignedBuffer(Index size)
        : data_(static_cast<Value*>(allocate_zeroed(size, sizeof(Value)))), size_(size) {}

    AlignedBuffer(const AlignedBuffer& other) : AlignedBuffer(other.size_) {
        if (size_ > 0) {
            std::memcpy(static_cast<void*>(data_), other.data_, bytes());
        }
    }

    AlignedBuffer(AlignedBuffer&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

    /// Allocates only if the sizes differ.
    AlignedBuffer& operator=(const AlignedBuffer& other) {
        if (size_ != other.size_) {
            return *this = AlignedBuffer(other);
        }
        if (size_ > 0 && this != &other) {
            std::memcpy(static_cast<void*>(data_), other.data_, bytes());
        }
        return *this;
    }

    AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
        AlignedBuffer taken(std::move(other));
        std::swap(data_, taken.data_);
        std::swap(size_, taken.size_);
        return *this;
    }

    ~AlignedBuffer() {
        if (data_ != nullptr) {
            deallocate(data_, bytes());
        }
    }

    [[nodiscard]] Value* data() noexcept { return data_; }
    [[nodiscard]] const Value* data() const noexcept { return data_; }
    [[nodiscard]] Index size() const noexcept { return size_; }
    [[nodiscard]] Value& operator[](Index i) noexcept { return data_[i]; }
    [[nodiscard]] const Value& operator[](Index i) const noexcept { return data_[i]; }
    [[nodiscard]] Value* begin() noexcept { return data_; }
    [[nodiscard]] Value* end() noexcept { return data_ + size_; }
    [[nodiscard]] const Value* begin() const noexcept { return data_; }
    [[nodiscard]] const Value* end() const noexcept { return data_ + size_; }

    void set_zero() noexcept {
        if (size_ > 0) {
            std::memset(static_cast<void*>(data_), 0, bytes());
        }
    }

  private:
    [[nodiscard]] std::size_t bytes() const noexcept { return static_cast<std::size_t>(size_) * sizeof(Value); }

    Value* data_ = nullptr;
    Index size_ = 0;
};

/// A row-major matrix whose rows start at cache lines; the padding after each row is zero and stays zero.
template <class Scalar>
class PaddedMatrix {
  public:
    using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    using Map = Eigen::Map<Matrix, Eigen::Aligned16, Eigen::OuterStride<>>;
    using ConstMap = Eigen::Map<const Matrix, Eigen::Aligned16, Eigen::OuterStride<>>;

    PaddedMatrix() = default;

    /// @throws ConfigError for a negative size or one that does not fit in memory
    GRU4REC_NOINLINE PaddedMatrix(Index rows, Index cols)
        : rows_(rows), cols_(cols), stride_(row_stride<Scalar>(cols)), values_(checked_size()) {}

    [[nodiscard]] Index rows() const noexcept { return rows_; }
    [[nodiscard]] Index cols() const noexcept { return cols_; }
    /// Scalars from one row to the next.
    [[nodiscard]] Index stride() const noexcept { return stride_; }
    [[nodiscard]] bool empty() const noexcept { return rows_ == 0; }

    [[nodiscard]] Scalar* data() noexcept { return values_.data(); }
    [[nodiscard]] const Scalar* data() const noexcept { return values_.data(); }
    [[nodiscard]] Scalar* row(Index i) noexcept { return values_.data() + i * stride_; }
    [[nodiscard]] const Scalar* row(Index i) const noexcept { return values_.data() + i * stride_; }

    [[nodiscard]] Map map() noexcept { return Map(data(), rows_, cols_, Eigen::OuterStride<>(stride_)); }
    [[nodiscard]] ConstMap map() const noexcept {
        return ConstMap(data(), rows_, cols_, Eigen::OuterStride<>(stride_));
    }

    void set_zero() noexcept { values_.set_zero(); }

  private:
    [[nodiscard]] Index checked_size() const {
        if (rows_ < 0 || cols_ < 0 ||
            (stride_ > 0 &&
             rows_ > (std::numeric_limits<Index>::max)() / static_cast<Index>(sizeof(Scalar)) / stride_)) {
            throw_too_large(rows_, cols_);
        }
        return rows_ * stride_;
    }

    Index rows_ = 0;
    Index cols_ = 0;
    Index stride_ = 0;
    AlignedBuffer<Scalar> values_;
};

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
