#ifndef GRU4REC_OPTIM_GRADIENT_CLIPPING_HPP
#define GRU4REC_OPTIM_GRADIENT_CLIPPING_HPP

#include "gru4rec/core/kernels.hpp"
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/optim/update.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

template <class Scalar>
[[nodiscard]] double sum_of_squares(Packet<Scalar> values) noexcept {
    alignas(cache_line) Scalar of_packet[static_cast<std::size_t>(packet_size<Scalar>)];
    simd::pstore(of_packet, values);
    double sum = 0;
    for (const Scalar value : of_packet) {
        sum += static_cast<double>(value) * static_cast<double>(value);
    }
    return sum;
}

/// Adds up the squares of each row's gradient: a sink of for_each_outer_row.
template <class Scalar>
class RowSquares {
  public:
    using Packet = detail::Packet<Scalar>;

    RowSquares(const Scalar* const* extra, double* squares) noexcept : extra_(extra), squares_(squares) {}

    void prefetch(Index, Index) const noexcept {}
    [[nodiscard]] Packet start(Index j, Index offset) const noexcept {
        return extra_ != nullptr && extra_[j] != nullptr ? simd::pload<Packet>(extra_[j] + offset)
                                                         : simd::pset1<Packet>(Scalar(0));
    }
    [[nodiscard]] auto row(Index j) const noexcept {
        return [sum = squares_ + j](Index, Packet gradient) { *sum += sum_of_squares<Scalar>(gradient); };
    }

  private:
    const Scalar* const* extra_;
    double* squares_;
};

/// Adds up the squares of gradients in double: row by row in parallel, then the rows in their order, so that the sum
/// has the same bits for any number of threads.
template <class Scalar>
class SquaredNorm {
  public:
    /// @param max_rows  of a call; no call allocates
    explicit SquaredNorm(Index max_rows = 0) : of_rows_(max_rows) {}

    void start() noexcept { sum_ = 0; }
    [[nodiscard]] double value() const noexcept { return sum_; }

    /// @param width  columns of a row   @complexity O(n_lanes count width)
    void add(const OuterGradients<Scalar>& gradients, Index width) {
        std::fill_n(of_rows_.data(), gradients.count, 0.0);
        const RowSquares<Scalar> sink(gradients.extra, of_rows_.data());
        const Chunks chunks =
            chunks_by_work(gradients.count, tile_multiple, static_cast<double>(width * (2 * gradients.n_lanes + 20)),
                           outer_flops_per_chunk);
        parallel_ranges(chunks, [&](Index begin, Index end) {
            for_each_outer_row<Scalar>(gradients.d, begin, end, gradients.x, gradients.n_lanes, width, sink);
        });
        add_rows(gradients.count);
    }

    /// @complexity O(count width)
    void add(const RowGradients<Scalar>& gradients) {
        const Index width = padded<Scalar>(gradients.width);
        const Chunks chunks = chunks_by_work(gradients.count, 1, static_cast<double>(width), row_values_per_chunk);
        parallel_ranges(chunks, [&](Index begin, Index end) {
            for (Index j = begin; j < end; ++j) {
                double sum = 0;
                for (Index at = 0; at < width; at += packet_size<Scalar>) {
                    sum += sum_of_squares<Scalar>(simd::pload<Packet<Scalar>>(gradients.gradient[j] + at));
                }
                of_rows_[j] = sum;
            }
        });
        add_rows(gradients.count);
    }

  private:
    void add_rows(Index count) noexcept {
        for (Index j = 0; j < count; ++j) {
            sum_ += of_rows_[j];
        }
    }

    AlignedBuffer<double> of_rows_;
    double sum_ = 0;
};

/// Scales all gradients of an update by cap / |g| where |g|, the norm over dense blocks and merged rows together, is
/// larger than the cap.
template <class Scalar>
class GradientCap {
  public:
    /// @param cap       0: none
    /// @param max_rows  of one block of gradients
    GradientCap(double cap, Index max_rows) : cap_(cap), squared_norm_(cap > 0 ? max_rows : 0) {}

    /// @param gradients  shows all of them by `visit(learned, visitor)`, takes a factor by `scale(factor)`
    template <class Network, class Gradients>
    void apply(Network& learned, Gradients& gradients) {
        if (cap_ == 0) {
            return;
        }
        squared_norm_.start();
        gradients.visit(learned, [&](Learned<Scalar>& of, const auto& block) { add(of, block); });
        const double norm = std::sqrt(squared_norm_.value());
        if (norm > cap_) {
            gradients.scale(static_cast<Scalar>(cap_ / norm));
        }
    }

  private:
    void add(const Learned<Scalar>& learned, const OuterGradients<Scalar>& block) {
        squared_norm_.add(block, learned.parameter().cols());
    }
    void add(const Learned<Scalar>&, const RowGradients<Scalar>& block) { squared_norm_.add(block); }

    double cap_;
    SquaredNorm<Scalar> squared_norm_;
};

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
