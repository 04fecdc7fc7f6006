#ifndef GRU4REC_SERVE_RECOMMENDER_HPP
#define GRU4REC_SERVE_RECOMMENDER_HPP

#include "gru4rec/core/kernels.hpp"
#include "gru4rec/model/model.hpp"
#include "gru4rec/model/session_state.hpp"
#include "gru4rec/serve/top_k.hpp"

#include <algorithm>
#include <array>
#include <span>

namespace gru4rec::inline GRU4REC_ABI {

/// Serves live sessions from a trained model. Feeding an event, and ranking the items, are calls of their own: a
/// history is fed without scoring anything.
///
/// The model is shared and const; the recommender holds scratch memory.
/// @threads one recommender per thread, any number over one model
template <class Scalar>
class Recommender {
  public:
    /// @param model  must outlive the recommender
    explicit Recommender(const Model<Scalar>& model)
        : model_(model),
          state_size_(SessionState<Scalar>(model).values().size()),
          tape_(model.network(), 1),
          scores_(scalars_per_line<Scalar> * block_items) {}

    /// Feeds the session's next event.
    ///
    /// @pre item < model.n_items(); `session` was made for this model
    /// @complexity O(H^2), no allocation
    void advance(SessionState<Scalar>& session, ItemIndex item) {
        GRU4REC_ASSERT(to_index(item) >= 0 && to_index(item) < model_.n_items());
        enter(session);
        const std::array<Index, 1> same_lane{0};
        tape_.enter_step(same_lane);
        const std::array<ItemIndex, 1> inputs{item};
        forward(model_.network(), inputs, DropoutStep{}, tape_);
        Scalar* value = session.values().data();
        for (GruTape<Scalar>& layer : tape_.layers()) {
            for (Index k = 0; k < layer.units(); ++k) {
                *value++ = layer.out().column(k)[0];
            }
        }
        session.count_event();
    }

    /// The n items that most likely come next (all of them where n >= V), best first; equal scores by lower item index.
    /// A session without events gets the items that were most frequent in training, scored by their support.
    ///
    /// @pre `session` was made for this model
    /// @returns valid until the next call
    /// @complexity O(V H), no allocation after the first call with this n
    [[nodiscard]] std::span<const Recommendation<Scalar>> recommend(const SessionState<Scalar>& session, Index n) {
        top_.start((std::min)(n, model_.n_items()));
        if (session.n_events() == 0) {
            offer_popular();
        } else {
            enter(session);
            offer_scored();
        }
        return top_.finish();
    }

  private:
    static constexpr Index block_items = 8 * detail::tile_multiple;

    /// Lane 0 of the tape takes the session's state.
    void enter(const SessionState<Scalar>& session) noexcept {
        GRU4REC_ASSERT(session.values().size() == state_size_);
        const Scalar* value = session.values().data();
        for (GruTape<Scalar>& layer : tape_.layers()) {
            for (Index k = 0; k < layer.units(); ++k) {
                layer.out().column(k)[0] = *value++;
            }
        }
    }

    void offer_popular() {
        for (Index i = 0; i < model_.n_items(); ++i) {
            top_.offer(to_item(i), static_cast<Scalar>(model_.supports()[static_cast<std::size_t>(i)]));
        }
    }

    void offer_scored() {
        const Parameter<Scalar>& table = model_.network().output_table();
        const LaneMatrix<Scalar> scores{scores_.data(), scalars_per_line<Scalar>};
        for (Index begin = 0; begin < table.rows(); begin += block_items) {
            const Index count = (std::min)(block_items, table.rows() - begin);
            multiply_rows(Rows<const Scalar>{table.row(begin), table.stride()}, 0, count, table.cols(),
                          tape_.top().out(), scalars_per_line<Scalar>, scores);
            for (Index j = 0; j < count; ++j) {
                top_.offer(to_item(begin + j), scores.column(j)[0]);
            }
        }
    }

    const Model<Scalar>& model_;
    std::size_t state_size_;
    NetworkTape<Scalar> tape_;
    AlignedBuffer<Scalar> scores_;  // (lanes of one cache line, block_items)
    TopK<Scalar> top_;
};

}  // namespace gru4rec::inline GRU4REC_ABI

#endif
