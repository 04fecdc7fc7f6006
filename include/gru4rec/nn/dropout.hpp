#ifndef GRU4REC_NN_DROPOUT_HPP
#define GRU4REC_NN_DROPOUT_HPP

#include "gru4rec/core/function_ref.hpp"
#include "gru4rec/core/kernels.hpp"
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/core/random.hpp"
#include "gru4rec/core/simd.hpp"
#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/views.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// What the columns of a dropout mask are drawn with.
template <class Scalar>
struct DropoutDraw {
    Random random;
    std::uint32_t threshold;  ///< 32 random bits below it drop the value
    Scalar kept;              ///< 1 / (1 - drop)
};

/// One column of a dropout mask. `draw` is passed by value: the compiler then sees that writing the column changes
/// nothing that it reads.
template <class Scalar>
void draw_mask_column(DropoutDraw<Scalar> draw, Index k, Index lanes, Scalar* column) noexcept {
    for (Index lane = 0; lane < lanes; lane += 2) {
        // Two lanes share 64 bits. Lanes have 20 bits: batch_size <= 1,000,000.
        const std::uint64_t bits =
            draw.random.bits((static_cast<std::uint64_t>(k) << 20) | static_cast<std::uint64_t>(lane));
        column[lane] = static_cast<std::uint32_t>(bits) < draw.threshold ? Scalar(0) : draw.kept;
        column[lane + 1] = static_cast<std::uint32_t>(bits >> 32) < draw.threshold ? Scalar(0) : draw.kept;
    }
}

/// Draws an inverted dropout mask: 0 with probability `drop`, else 1 / (1 - drop). Lane and feature name the random
/// number, so the mask does not depend on how the work is cut.
///
/// @param random  stream of this step and layer
/// @param mask    (lanes, n_features) overwritten
/// @param then    called for columns that are drawn, up to a whole cache line, on the thread that drew them
template <class Scalar>
void draw_dropout_mask(double drop, const Random& random, Index lanes, Index n_features, LaneMatrix<Scalar> mask,
                       FunctionRef<void(Range)> then) {
    // 2^32 drop, rounded; drop < 1 keeps it within 32 bits.
    const auto threshold = static_cast<std::uint32_t>((std::min)(std::floor(drop * 0x1.0p32), 0x1.0p32 - 1));
    const DropoutDraw<Scalar> draw{random, threshold, static_cast<Scalar>(1 / (1 - drop))};
    const LoopWork loop = pass_work<Scalar>("dropout", lanes, n_features, 1);
    parallel_ranges(column_chunks(padded<Scalar>(n_features), lanes), loop, [&](Index begin, Index end) {
        for (Index k = begin; k < (std::min)(end, n_features); ++k) {
            draw_mask_column(draw, k, lanes, mask.column(k));
        }
        then({begin, end});
    });
}

/// values o= mask, for some columns
template <class Scalar>
void apply_mask(LaneMatrix<const Scalar> mask, Index lanes, Range columns, LaneMatrix<Scalar> values) noexcept {
    using Lanes = SimdVector<Scalar>;
    for (Index k = columns.begin; k < columns.end; ++k) {
        for_each_line<Scalar>(lanes, 1, 0, [&](Index at) {
            (Lanes::load(values.column(k) + at) * Lanes::load(mask.column(k) + at)).store(values.column(k) + at);
        });
    }
}

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
