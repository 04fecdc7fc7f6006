#ifndef GRU4REC_SERVE_RECOMMENDER_HPP
#define GRU4REC_SERVE_RECOMMENDER_HPP

#include "gru4rec/core/parallel.hpp"
#include "gru4rec/core/top_k.hpp"
#include "gru4rec/model/model.hpp"
#include "gru4rec/serve/scan.hpp"
#include "gru4rec/serve/session_step.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {

namespace detail {

/// Serves up to group_sessions sessions at a time on one thread: the scratch memory and the work of a Recommender.
template <class Scalar>
class SessionGroup {
  public:
    SessionGroup(const Model<Scalar>& model, const QuantizedTable<Scalar>* quantized, Index max_sessions)
        : model_(&model),
          step_(model, max_sessions),
          stride_(model.network().output_table().stride()),
          h_(max_sessions * stride_),
          lists_(static_cast<std::size_t>(max_sessions)) {
        if (quantized != nullptr) {
            quantized_.emplace(*quantized, max_sessions);
        }
    }

    void advance(std::span<SessionState<Scalar>* const> sessions, std::span<const ItemIndex> items) noexcept {
        step_.advance(sessions, items);
    }

    /// lists[i] = the best n for sessions[i], valid until the next call.
    void recommend(std::span<const SessionState<Scalar>* const> sessions, Index n,
                   std::span<std::span<const Recommendation<Scalar>>> lists) {
        std::array<TopK<Scalar>*, static_cast<std::size_t>(group_sessions)> scored;
        std::size_t n_scored = 0;
        for (std::size_t s = 0; s < sessions.size(); ++s) {
            lists_[s].start(n);
            if (sessions[s]->n_events() == 0) {
                offer_popular(lists_[s]);
            } else {
                enter(*sessions[s], h_.data() + static_cast<Index>(n_scored) * stride_);
                scored[n_scored++] = &lists_[s];
            }
        }
        const Rows<const Scalar> h{h_.data(), stride_};
        if (quantized_) {
            quantized_->scan(h, {scored.data(), n_scored});
        } else {
            scan_items<Scalar>(model_->network().output_table(), h, {scored.data(), n_scored});
        }
        for (std::size_t s = 0; s < sessions.size(); ++s) {
            lists[s] = lists_[s].finish();
        }
    }

  private:
    /// The hidden state of the last layer, and the 1 that the bias is multiplied with.
    void enter(const SessionState<Scalar>& session, Scalar* h) const noexcept {
        const Index width = model_->network().output_width();
        std::copy_n(session.values().end() - width, width, h);
        h[width] = Scalar(1);
    }

    void offer_popular(TopK<Scalar>& list) const {
        for (Index i = 0; i < model_->n_items(); ++i) {
            list.offer(to_item(i), static_cast<Scalar>(model_->supports()[static_cast<std::size_t>(i)]));
        }
    }

    const Model<Scalar>* model_;
    SessionStep<Scalar> step_;
    Index stride_;
    AlignedBuffer<Scalar> h_;  // per session [h | 1]
    std::vector<TopK<Scalar>> lists_;
    std::optional<QuantizedScan<Scalar>> quantized_;
};

}  // namespace detail

/// Serves live sessions from a trained model. Feeding an event, and ranking the items, are calls of their own: a
/// history is fed without scoring anything. Many sessions at once are cheaper than one after the other, and get the
/// same states and scores, to the bit.
///
/// The model is shared and const; the recommender holds scratch memory.
/// @threads one recommender per thread, any number over one model; advance_many and recommend_many run in the caller's
/// TBB arena
template <class Scalar>
class Recommender {
  public:
    using List = std::span<const Recommendation<Scalar>>;

    /// @param model  must outlive the recommender
    explicit Recommender(const Model<Scalar>& model) : Recommender(model, nullptr) {}

    /// Ranks by way of a quantised table: the same items and scores, to the bit, in less time on large catalogues.
    ///
    /// @param table  must outlive the recommender, and so must its model
    explicit Recommender(const QuantizedTable<Scalar>& table) : Recommender(table.model(), &table) {}

    /// Feeds the session's next event.
    ///
    /// @pre item < model.n_items(); `session` was made for this model
    /// @complexity O(H^2), no allocation
    void advance(SessionState<Scalar>& session, ItemIndex item) {
        assert_fits(session, item);
        const std::array<SessionState<Scalar>*, 1> sessions{&session};
        single_.advance(sessions, {&item, 1});
    }

    /// Feeds one event to each of many sessions: items[i] to *sessions[i].
    ///
    /// @pre as many items as sessions; the sessions are different objects; otherwise as advance
    /// @complexity O(n H^2), parallel over sessions; no allocation after a call with as many sessions
    void advance_many(std::span<SessionState<Scalar>* const> sessions, std::span<const ItemIndex> items) {
        GRU4REC_ASSERT(sessions.size() == items.size());
        for_each_group(sessions.size(), [&](detail::SessionGroup<Scalar>& group, std::size_t first, std::size_t count) {
            for (std::size_t s = first; s < first + count; ++s) {
                assert_fits(*sessions[s], items[s]);
            }
            group.advance(sessions.subspan(first, count), items.subspan(first, count));
        });
    }

    /// The n items that most likely come next (all of them where n >= V), best first; equal scores by lower item index,
    /// NaN last. A session without events gets the items that were most frequent in training, scored by their support.
    ///
    /// A score is the sum of core/dot_products.hpp, which may differ from the sum that training and evaluation take in
    /// the last bits; items whose scores differ by no more than that may be ranked otherwise there.
    ///
    /// @pre `session` was made for this model
    /// @returns valid until the next call
    /// @complexity O(V H), no allocation after the first call with this n
    [[nodiscard]] List recommend(const SessionState<Scalar>& session, Index n) {
        assert_fits(session);
        const std::array<const SessionState<Scalar>*, 1> sessions{&session};
        List list;
        single_.recommend(sessions, (std::min)(n, model_->n_items()), {&list, 1});
        return list;
    }

    /// Element i is what recommend(*sessions[i], n) returns. The table is read once for every sixteen sessions.
    ///
    /// @pre the sessions were made for this model
    /// @returns valid until the next call of recommend_many
    /// @complexity O(sessions V H), parallel over sessions; no allocation after a call with as many sessions and this n
    [[nodiscard]] std::span<const List> recommend_many(std::span<const SessionState<Scalar>* const> sessions, Index n) {
        lists_.resize(sessions.size());
        for_each_group(sessions.size(), [&](detail::SessionGroup<Scalar>& group, std::size_t first, std::size_t count) {
            for (std::size_t s = first; s < first + count; ++s) {
                assert_fits(*sessions[s]);
            }
            group.recommend(sessions.subspan(first, count), (std::min)(n, model_->n_items()),
                            std::span(lists_).subspan(first, count));
        });
        return lists_;
    }

  private:
    Recommender(const Model<Scalar>& model, const QuantizedTable<Scalar>* quantized)
        : model_(&model),
          quantized_(quantized),
          state_size_(SessionState<Scalar>(model).values().size()),
          single_(model, quantized, 1) {}

    void assert_fits([[maybe_unused]] const SessionState<Scalar>& session,
                     [[maybe_unused]] ItemIndex item = ItemIndex{}) const noexcept {
        GRU4REC_ASSERT(session.values().size() == state_size_);
        GRU4REC_ASSERT(to_index(item) >= 0 && to_index(item) < model_->n_items());
    }

    /// Calls `work(group, first, count)` for `n` sessions cut into groups, in parallel.
    template <class Work>
    void for_each_group(std::size_t n, const Work& work) {
        const detail::Chunks chunks{static_cast<Index>(n), detail::group_sessions};
        while (static_cast<Index>(groups_.size()) < chunks.count()) {
            groups_.emplace_back(*model_, quantized_, detail::group_sessions);
        }
        detail::parallel_chunks(chunks.count(), [&](Index chunk) {
            work(groups_[static_cast<std::size_t>(chunk)], static_cast<std::size_t>(chunks.begin(chunk)),
                 static_cast<std::size_t>(chunks.end(chunk) - chunks.begin(chunk)));
        });
    }

    const Model<Scalar>* model_;
    const QuantizedTable<Scalar>* quantized_;
    std::size_t state_size_;
    detail::SessionGroup<Scalar> single_;
    std::vector<detail::SessionGroup<Scalar>> groups_;  // one for every sixteen sessions of the largest batch
    std::vector<List> lists_;
};

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
