#ifndef GRU4REC_BATCH_SESSION_PARALLEL_HPP
#define GRU4REC_BATCH_SESSION_PARALLEL_HPP

#include "gru4rec/batch/inputs.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/session_source.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {

/// One step of M lanes. The input of lane m is one item or, with a history, several weighted ones; it must predict
/// targets[m].
struct MiniBatch {
    /// The `previous_lane` of a lane that starts a session: its hidden state is zero.
    static constexpr Index fresh = -1;

    detail::LaneInputs inputs;           ///< (M) one part per lane
    std::span<const ItemIndex> targets;  ///< (M)
    /// (M) the lane that held the hidden state of lane m in the step before, or `fresh`. Otherwise it is m, except
    /// at the end of an epoch, where later lanes move up and it is larger.
    std::span<const Index> previous_lane;

    /// M
    [[nodiscard]] Index n_lanes() const noexcept { return static_cast<Index>(targets.size()); }
};

/// Cuts sessions into session-parallel mini-batches (arXiv 1511.06939, section 3.1.1): every lane walks through a
/// session, then takes the next unused one, and is dropped when none is left. Sessions of one event have no pair and
/// are skipped. Every (input, target) pair of the source occurs exactly once; with `min_lanes` 2, the pairs of a single
/// last lane are left out.
template <SessionSource Source>
class SessionParallelBatcher {
  public:
    /// @param source      must outlive this object; not const, as reading from it changes it
    /// @param batch_size  lanes, >= 1
    /// @param min_lanes   the epoch ends when fewer are left: 2 if lanes are each other's only negatives, else 1
    /// @param history     which events of its session a lane feeds in each step; by default only the current one
    /// @throws ConfigError unless batch_size and min_lanes are at least 1
    SessionParallelBatcher(Source& source, Index batch_size, Index min_lanes = 1, detail::InputHistory history = {})
        : source_(&source), batch_size_(batch_size), min_lanes_(min_lanes), history_(std::move(history)) {
        if (batch_size < 1) {
            detail::throw_invalid("batch_size", batch_size, "batch_size >= 1");
        }
        if (min_lanes < 1) {
            detail::throw_invalid("min_lanes", min_lanes, "min_lanes >= 1");
        }
        const auto size = static_cast<std::size_t>(batch_size);
        lanes_.reserve(size);
        const auto n_inputs = size * static_cast<std::size_t>(history_.max_events());
        inputs_.reserve(n_inputs);
        weights_.reserve(n_inputs);
        input_ends_.reserve(size);
        targets_.reserve(size);
        previous_lane_.reserve(size);
    }

    /// Rewinds the source and fills the lanes. Epochs count from 0.
    void start_epoch(std::uint64_t epoch) {
        source_->start_epoch(epoch);
        lanes_.clear();
        while (static_cast<Index>(lanes_.size()) < batch_size_) {
            const auto session = next_session_with_pair();
            if (session.empty()) {
                break;
            }
            lanes_.push_back({session, 0, MiniBatch::fresh});
        }
    }

    /// The next step; call start_epoch first. A step without lanes means that the epoch is over. The spans are valid
    /// until the next call.
    /// @complexity O(M n), n the most events that the history lets a lane feed; no allocation
    [[nodiscard]] MiniBatch next() {
        inputs_.clear();
        weights_.clear();
        input_ends_.clear();
        targets_.clear();
        previous_lane_.clear();
        if (static_cast<Index>(lanes_.size()) < min_lanes_) {
            return {};
        }
        std::size_t kept = 0;
        for (Lane lane : lanes_) {
            append_events(lane);
            targets_.push_back(lane.session[lane.position + 1]);
            previous_lane_.push_back(lane.previous);
            ++lane.position;
            lane.previous = static_cast<Index>(targets_.size()) - 1;
            if (lane.position + 1 == lane.session.size()) {
                lane = {next_session_with_pair(), 0, MiniBatch::fresh};
            }
            if (!lane.session.empty()) {
                lanes_[kept++] = lane;
            }
        }
        lanes_.resize(kept);
        if (history_.max_events() == 1) {
            return {inputs_, targets_, previous_lane_};
        }
        return {detail::LaneInputs(inputs_, weights_, input_ends_), targets_, previous_lane_};
    }

  private:
    struct Lane {
        std::span<const ItemIndex> session;
        std::size_t position = 0;
        Index previous = MiniBatch::fresh;
    };

    /// Appends the lane's current event and those before it that its history includes.
    void append_events(const Lane& lane) {
        const auto n_events = static_cast<Index>(lane.position) + 1;
        const Index length = history_.length(n_events);
        for (Index age = length; age-- > 0;) {
            inputs_.push_back(detail::at(lane.session, n_events - 1 - age));
            weights_.push_back(history_.weight(age, length));
        }
        input_ends_.push_back(static_cast<Index>(inputs_.size()));
    }

    /// Skips sessions of one event.
    [[nodiscard]] std::span<const ItemIndex> next_session_with_pair() {
        while (true) {
            const std::span<const ItemIndex> session = source_->next_session();
            if (session.size() != 1) {
                return session;
            }
        }
    }

    Source* source_;
    Index batch_size_;
    Index min_lanes_;
    detail::InputHistory history_;
    std::vector<Lane> lanes_;
    std::vector<ItemIndex> inputs_;
    std::vector<double> weights_;
    std::vector<Index> input_ends_;
    std::vector<ItemIndex> targets_;
    std::vector<Index> previous_lane_;
};

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
