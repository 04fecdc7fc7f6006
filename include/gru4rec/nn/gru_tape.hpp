#ifndef GRU4REC_NN_GRU_TAPE_HPP
#define GRU4REC_NN_GRU_TAPE_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/kernels.hpp"
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/core/simd.hpp"
#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/views.hpp"

#include <algorithm>
#include <cstddef>
#include <span>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// The activations of one layer that its backward pass needs, for up to `max_lanes` lanes; owned by the caller that
/// runs the network. `pre`, `d_pre` and `d_hidden` are (lanes, 3 units), the others (lanes, units); columns beyond the
/// last are zero, except that `out` has a 1 in column `units`. Lanes beyond the live ones are computed as well, but
/// never read.
template <class Scalar>
class GruTape {
  public:
    GRU4REC_NOINLINE GruTape(Index max_lanes, Index units)
        : max_lanes_(padded<Scalar>(max_lanes)),
          stride_(row_stride<Scalar>(max_lanes)),
          units_(units),
          pre_(columns(3 * units)),
          d_pre_(columns(3 * units)),
          d_hidden_(columns(3 * units)),
          r_(columns(units)),
          z_(columns(units)),
          c_(columns(units)),
          reset_(columns(units)),
          state_(columns(units)),
          out_(columns(units + 1)),
          d_out_(columns(units)),
          scratch_(columns(units)),
          mask_(columns(units)),
          state_rows_(rows(units)),
          reset_rows_(rows(units)),
          out_rows_(rows(units)) {
        set_ones();
    }

    [[nodiscard]] Index stride() const noexcept { return stride_; }
    [[nodiscard]] Index units() const noexcept { return units_; }

    /// W_x x + bias; after the forward pass the gates' sums
    [[nodiscard]] LaneMatrix<Scalar> pre() noexcept { return view(pre_); }
    [[nodiscard]] LaneMatrix<Scalar> d_pre() noexcept { return view(d_pre_); }  ///< gradient of the input side
    /// reset_after: gradient of the hidden side
    [[nodiscard]] LaneMatrix<Scalar> d_hidden() noexcept { return view(d_hidden_); }
    [[nodiscard]] LaneMatrix<Scalar> r() noexcept { return view(r_); }
    [[nodiscard]] LaneMatrix<Scalar> z() noexcept { return view(z_); }
    [[nodiscard]] LaneMatrix<Scalar> c() noexcept { return view(c_); }          ///< candidate state
    [[nodiscard]] LaneMatrix<Scalar> reset() noexcept { return view(reset_); }  ///< r o h, or W_hn h + b_hn
    [[nodiscard]] LaneMatrix<Scalar> state() noexcept { return view(state_); }  ///< hidden state entering the step
    [[nodiscard]] LaneMatrix<Scalar> out() noexcept { return view(out_); }  ///< state leaving it; column `units` is 1
    [[nodiscard]] LaneMatrix<Scalar> d_out() noexcept { return view(d_out_); }
    [[nodiscard]] LaneMatrix<Scalar> scratch() noexcept { return view(scratch_); }
    [[nodiscard]] LaneMatrix<Scalar> mask() noexcept { return view(mask_); }  ///< dropout: 0 or 1 / (1 - p)
    /// state(), reset() and out() lane by lane, once the backward pass has copied them
    [[nodiscard]] Rows<Scalar> state_rows() noexcept { return {state_rows_.data(), row_stride<Scalar>(units_)}; }
    [[nodiscard]] Rows<Scalar> reset_rows() noexcept { return {reset_rows_.data(), row_stride<Scalar>(units_)}; }
    [[nodiscard]] Rows<Scalar> out_rows() noexcept { return {out_rows_.data(), row_stride<Scalar>(units_)}; }

    /// The states that left the step of `from`, a tape of the same shape, enter this one, lane by lane.
    void carry_state(const GruTape& from, Index lanes) noexcept {
        for_each_line<Scalar>(lanes, units_, stride_, [&](Index at) {
            SimdVector<Scalar>::load(from.out_.data() + at).store(state_.data() + at);
        });
    }

    /// d_out of lane previous_lane[m] += lane m of `d_state`; fresh lanes (-1) have no part in it.
    void add_d_out(LaneMatrix<const Scalar> d_state, std::span<const Index> previous_lane) {
        const auto n_lanes = static_cast<Index>(previous_lane.size());
        const LoopWork loop = pass_work<Scalar>("gradient of the later step", n_lanes, units_, 3);
        parallel_ranges(column_chunks(units_, n_lanes), loop, [&](Index begin, Index end) {
            for (Index k = begin; k < end; ++k) {
                for (Index m = 0; m < n_lanes; ++m) {
                    if (const Index to = previous_lane[static_cast<std::size_t>(m)]; to >= 0) {
                        d_out_[k * stride_ + to] += d_state.column(k)[m];
                    }
                }
            }
        });
    }

    /// Zeroes the entering state of one lane.
    void reset_lane(Index lane) noexcept {
        for (Index k = 0; k < units_; ++k) {
            state_[k * stride_ + lane] = Scalar(0);
        }
    }

    /// The state that left the step of `last` in lane `from` enters this one in lane `to`.
    void move_lane(const GruTape& last, Index from, Index to) noexcept {
        for (Index k = 0; k < units_; ++k) {
            state_[k * stride_ + to] = last.out_[k * stride_ + from];
        }
    }

    void reset_all_lanes() noexcept {
        state_.set_zero();
        out_.set_zero();
        set_ones();
    }

  private:
    [[nodiscard]] AlignedBuffer<Scalar> columns(Index n) const {
        return AlignedBuffer<Scalar>(stride_ * padded<Scalar>(n));
    }
    [[nodiscard]] AlignedBuffer<Scalar> rows(Index n) const {
        return AlignedBuffer<Scalar>(max_lanes_ * row_stride<Scalar>(n));
    }
    [[nodiscard]] LaneMatrix<Scalar> view(AlignedBuffer<Scalar>& buffer) noexcept { return {buffer.data(), stride_}; }

    /// The output table holds its bias as one more column; this is the 1 that it is multiplied with.
    void set_ones() noexcept { std::fill_n(out_.data() + units_ * stride_, max_lanes_, Scalar(1)); }

    Index max_lanes_;
    Index stride_;
    Index units_;
    AlignedBuffer<Scalar> pre_, d_pre_, d_hidden_, r_, z_, c_, reset_, state_, out_, d_out_, scratch_, mask_;
    AlignedBuffer<Scalar> state_rows_, reset_rows_, out_rows_;
};

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
