#ifndef GRU4REC_SERVE_SESSION_GROUP_HPP
#define GRU4REC_SERVE_SESSION_GROUP_HPP

#include "gru4rec/core/function_ref.hpp"
#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/top_k.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/model/model.hpp"
#include "gru4rec/model/session_state.hpp"
#include "gru4rec/serve/group_scan.hpp"
#include "gru4rec/serve/item_scores.hpp"
#include "gru4rec/serve/quantized_table.hpp"
#include "gru4rec/serve/ranking.hpp"
#include "gru4rec/serve/recommend_options.hpp"
#include "gru4rec/serve/session_step.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Sessions that advance together, at most: the weights are read once for all of them.
inline constexpr Index step_sessions = 16;

/// Does the work of a Recommender for up to group_sessions sessions at a time, on one thread, and holds the scratch
/// memory for it.
template <class Scalar>
class SessionGroup {
  public:
    using List = std::span<const Recommendation<Scalar>>;
    using Request = RecommendRequest<Scalar>;

    /// @param quantized  null: scan the model's table
    SessionGroup(const Model<Scalar>& model, const QuantizedTable<Scalar>* quantized, Index max_sessions);

    /// Feeds items[i] to session i; at most step_sessions, and no more than max_sessions.
    void advance(SessionSpan<SessionState<Scalar>> sessions, std::span<const ItemIndex> items) noexcept {
        step_.advance(sessions, items);
    }

    /// Offers the items to the lists of the requests; then join() and finish() as of GroupScan.
    ///
    /// @param request  returns request r of `count`, which is at most max_sessions
    void scan(FunctionRef<Request(std::size_t)> request, std::size_t count, Range items);
    void join(const SessionGroup& other, std::size_t count) { scan_.join(other.scan_, count); }
    void finish(std::span<List> lists) noexcept { scan_.finish(lists); }

    /// scores[i] = the score of item i, all V of them.
    void score(const SessionState<Scalar>& session, std::span<Scalar> scores) noexcept;

    /// scores[i] = the score of items[i].
    void score(const SessionState<Scalar>& session, std::span<const ItemIndex> items,
               std::span<Scalar> scores) noexcept;

  private:
    /// to = [h | 1]: the 1 is multiplied by the bias.
    void load_state(const SessionState<Scalar>& session, Scalar* to) const noexcept;
    void score_by_support(Index first, std::span<Scalar> scores) const noexcept;
    void score_by_support(std::span<const ItemIndex> items, std::span<Scalar> scores) const noexcept;
    void rank_by_support(Ranking<Scalar>& ranking, Range items) const noexcept;

    [[nodiscard]] ItemScores<Scalar> item_scores() const noexcept { return {&model_->network().output_table()}; }

    const Model<Scalar>* model_;
    SessionStep<Scalar> step_;
    GroupScan<Scalar> scan_;
    AlignedBuffer<Scalar> h_;  // [h | 1] of a session of which scores are asked for
};

template <class Scalar>
SessionGroup<Scalar>::SessionGroup(const Model<Scalar>& model, const QuantizedTable<Scalar>* quantized,
                                   Index max_sessions)
    : model_(&model),
      step_(model, (std::min)(max_sessions, step_sessions)),
      scan_(model, quantized, max_sessions),
      h_(model.network().output_table().stride()) {}

template <class Scalar>
void SessionGroup<Scalar>::scan(FunctionRef<Request(std::size_t)> request, std::size_t count, Range items) {
    scan_.begin(item_scores(), scan_.score_bounds(), items);
    for (std::size_t r = 0; r < count; ++r) {
        const Request& asked = request(r);
        Ranking<Scalar>& ranking = scan_.start(r, asked.options);
        if (asked.session->n_events() == 0) {
            rank_by_support(ranking, items);
        } else {
            scan_.add(ranking, [&](Scalar* to) { load_state(*asked.session, to); });
        }
    }
    scan_.scan();
}

template <class Scalar>
void SessionGroup<Scalar>::score(const SessionState<Scalar>& session, std::span<Scalar> scores) noexcept {
    if (session.n_events() == 0) {
        score_by_support(0, scores);
        return;
    }
    load_state(session, h_.data());
    item_scores().of_range({0, model_->n_items()}, {h_.data(), 0}, 1, {scores.data(), 0});
}

template <class Scalar>
void SessionGroup<Scalar>::score(const SessionState<Scalar>& session, std::span<const ItemIndex> items,
                                 std::span<Scalar> scores) noexcept {
    if (session.n_events() == 0) {
        score_by_support(items, scores);
        return;
    }
    load_state(session, h_.data());
    item_scores().of_items(items, {h_.data(), 0}, 1, {scores.data(), 0});
}

template <class Scalar>
void SessionGroup<Scalar>::load_state(const SessionState<Scalar>& session, Scalar* to) const noexcept {
    const Index width = model_->network().output_width();
    std::copy_n(session.values().end() - width, width, to);
    to[width] = Scalar(1);
}

/// The scores of items first, first + 1, ... in a session without events.
template <class Scalar>
void SessionGroup<Scalar>::score_by_support(Index first, std::span<Scalar> scores) const noexcept {
    std::transform(model_->supports().begin() + first, model_->supports().begin() + first + std::ssize(scores),
                   scores.begin(), [](auto support) { return static_cast<Scalar>(support); });
}

template <class Scalar>
void SessionGroup<Scalar>::score_by_support(std::span<const ItemIndex> items, std::span<Scalar> scores) const noexcept {
    std::transform(items.begin(), items.end(), scores.begin(),
                   [this](ItemIndex item) { return static_cast<Scalar>(at(model_->supports(), item)); });
}

/// Offers the items to the list of a session without events.
template <class Scalar>
void SessionGroup<Scalar>::rank_by_support(Ranking<Scalar>& ranking, Range items) const noexcept {
    if (ranking.stays_empty()) {
        return;
    }
    constexpr Index block_items = AllowedItems::block_items;
    std::array<Scalar, static_cast<std::size_t>(block_items)> scores;
    if (const auto candidates = ranking.allowed.candidates()) {
        for (const ItemIndex item : items.begin == 0 ? *candidates : std::span<const ItemIndex>()) {
            ranking.best.offer(item, static_cast<Scalar>(at(model_->supports(), item)));
        }
        return;
    }
    for (Index first = items.begin; first < items.end; first += block_items) {
        if (const std::uint64_t allowed = ranking.allowed.next(first / block_items); allowed != 0) {
            const Index count = (std::min)(block_items, items.end - first);
            const std::span<Scalar> block(scores.data(), static_cast<std::size_t>(count));
            score_by_support(first, block);
            ranking.best.offer_range(to_item(first), block, allowed);
        }
    }
}

#if defined(GRU4REC_COMPILED)
extern template class SessionGroup<float>;
extern template class SessionGroup<double>;
#endif

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
