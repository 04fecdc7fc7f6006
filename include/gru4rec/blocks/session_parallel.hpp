#ifndef GRU4REC_BLOCKS_SESSION_PARALLEL_HPP
#define GRU4REC_BLOCKS_SESSION_PARALLEL_HPP

#include "gru4rec/batch/session_parallel.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/core/views.hpp"
#include "gru4rec/data/session_source.hpp"

#include <Eigen/Core>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

// SessionParallelBatcher itself is in batch/session_parallel.hpp. This header includes it and adds SessionList, a
// source of sessions from plain vectors, and carry_states, which moves the hidden states to the lanes of the next step.
//
// Compile time (g++ 12, -O3): including this header takes about as long as including Eigen; using it takes 1.6 times
// as long.
namespace gru4rec {
inline namespace GRU4REC_ABI {

/// A copy of sessions that the caller has as vectors, in training order. Each is a vector of ItemIndex or of integers.
class SessionList {
  public:
    /// @throws ConfigError for an item below 0
    template <class Item>
    explicit SessionList(const std::vector<std::vector<Item>>& sessions) {
        for (const std::vector<Item>& session : sessions) {
            add(session);
        }
    }

    /// Back to the first session. The order is the same in every epoch.
    void start_epoch(std::uint64_t) noexcept { next_ = 0; }

    /// The next session that has events; empty at the end of the epoch.
    [[nodiscard]] std::span<const ItemIndex> next_session() noexcept {
        while (next_ + 1 < offsets_.size()) {
            const std::size_t begin = offsets_[next_++];
            if (const std::size_t size = offsets_[next_] - begin; size > 0) {
                return {items_.data() + begin, size};
            }
        }
        return {};
    }

    /// V: one more than the largest item.
    [[nodiscard]] Index n_items() const noexcept { return static_cast<Index>(supports_.size()); }
    /// (input, target) pairs: n - 1 of a session of n events.
    [[nodiscard]] Index n_pairs() const noexcept { return n_pairs_; }
    /// Events of each item, (V).
    [[nodiscard]] std::span<const std::int64_t> supports() const noexcept { return supports_; }

  private:
    template <class Item>
    void add(const std::vector<Item>& session) {
        for (const Item item : session) {
            const auto value = static_cast<std::int64_t>(item);
            if (value < 0 || value > (std::numeric_limits<std::int32_t>::max)()) {
                detail::throw_invalid("item", value, "0 <= item < 2^31");
            }
            const auto i = static_cast<Index>(value);
            items_.push_back(to_item(i));
            supports_.resize((std::max)(supports_.size(), static_cast<std::size_t>(i) + 1));
            ++detail::at(supports_, i);
        }
        offsets_.push_back(items_.size());
        n_pairs_ += session.empty() ? 0 : static_cast<Index>(session.size()) - 1;
    }

    std::vector<ItemIndex> items_;
    std::vector<std::size_t> offsets_{0};
    std::vector<std::int64_t> supports_;
    Index n_pairs_ = 0;
    std::size_t next_ = 0;
};

static_assert(SessionSource<SessionList>);

/// The states that enter a step from those that left the step before: row m is row previous_lane[m] of `last`, or zero
/// for a lane that starts a session.
///
/// @param last           (M of the step before, H); (0, H) before the first step of an epoch
/// @param previous_lane  of the MiniBatch, (M)
/// @throws ConfigError for a lane that `last` does not have
template <class Derived>
[[nodiscard]] Matrix<typename Derived::Scalar> carry_states(const Eigen::MatrixBase<Derived>& last,
                                                            std::span<const Index> previous_lane) {
    Matrix<typename Derived::Scalar> h(static_cast<Index>(previous_lane.size()), last.cols());
    for (Index m = 0; m < h.rows(); ++m) {
        const Index from = detail::at(previous_lane, m);
        if (from == MiniBatch::fresh) {
            h.row(m).setZero();
        } else if (from >= 0 && from < last.rows()) {
            h.row(m) = last.row(from);
        } else {
            detail::throw_invalid("previous_lane[" + std::to_string(m) + "]", from,
                                  "-1 (a new session) or a lane below " + std::to_string(last.rows()));
        }
    }
    return h;
}

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
