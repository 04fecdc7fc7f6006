#ifndef GRU4REC_SERVE_SESSION_GROUP_HPP
#define GRU4REC_SERVE_SESSION_GROUP_HPP

#include "gru4rec/core/function_ref.hpp"
#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/top_k.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/core/views.hpp"
#include "gru4rec/model/model.hpp"
#include "gru4rec/model/session_state.hpp"
#include "gru4rec/serve/quantized_table.hpp"
#include "gru4rec/serve/ranking.hpp"
#include "gru4rec/serve/recommend_options.hpp"
#include "gru4rec/serve/scan.hpp"
#include "gru4rec/serve/session_step.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Does the work of a Recommender for up to group_sessions sessions at a time, on one thread, and holds the scratch
/// memory for it.
template <class Scalar>
class SessionGroup {
  public:
    using List = std::span<const Recommendation<Scalar>>;
    using Request = RecommendRequest<Scalar>;

    /// @param quantized  null: scan the model's table
    SessionGroup(const Model<Scalar>& model, const QuantizedTable<Scalar>* quantized, Index max_sessions);

    void advance(SessionSpan<SessionState<Scalar>> sessions, std::span<const ItemIndex> items) noexcept {
        step_.advance(sessions, items);
    }

    /// lists[r] = the best items for request(r), valid until the next call.
    ///
    /// @param lists  at most max_sessions
    void recommend(FunctionRef<Request(std::size_t)> request, std::span<List> lists);

    /// scores[i] = the score of item i, all V of them.
    void score(const SessionState<Scalar>& session, std::span<Scalar> scores) noexcept;

    /// scores[i] = the score of items[i].
    void score(const SessionState<Scalar>& session, std::span<const ItemIndex> items,
               std::span<Scalar> scores) noexcept;

  private:
    void load_state(const SessionState<Scalar>& session, Index s) noexcept;
    void score_by_support(Index first, std::span<Scalar> scores) const noexcept;
    void score_by_support(std::span<const ItemIndex> items, std::span<Scalar> scores) const noexcept;
    void rank_by_support(Ranking<Scalar>& ranking) const noexcept;

    [[nodiscard]] ItemScores<Scalar> item_scores() const noexcept { return {&model_->network().output_table()}; }
    /// A row [h | 1] per session: the 1 is multiplied by the bias.
    [[nodiscard]] Rows<Scalar> h() noexcept { return {h_.data(), stride_}; }

    const Model<Scalar>* model_;
    SessionStep<Scalar> step_;
    Index stride_;
    AlignedBuffer<Scalar> h_;
    std::vector<Ranking<Scalar>> rankings_;
    std::optional<QuantizedScan<Scalar>> quantized_;
};

template <class Scalar>
SessionGroup<Scalar>::SessionGroup(const Model<Scalar>& model, const QuantizedTable<Scalar>* quantized,
                                   Index max_sessions)
    : model_(&model),
      step_(model, max_sessions),
      stride_(model.network().output_table().stride()),
      h_(max_sessions * stride_),
      rankings_(static_cast<std::size_t>(max_sessions)) {
    if (quantized != nullptr) {
        quantized_.emplace(*quantized, max_sessions);
    }
}

template <class Scalar>
void SessionGroup<Scalar>::recommend(FunctionRef<Request(std::size_t)> request, std::span<List> lists) {
    // Each with its row of h(): the quantised scan takes the first ones, the exact scan the last ones.
    std::array<Ranking<Scalar>*, static_cast<std::size_t>(group_sessions)> scanned{};
    Index n_quantized = 0;
    Index first_exact = std::ssize(rankings_);
    for (std::size_t r = 0; r < lists.size(); ++r) {
        const Request& asked = request(r);
        Ranking<Scalar>& ranking = rankings_[r];
        ranking.start(asked.options, model_->n_items());
        if (asked.session->n_events() == 0) {
            rank_by_support(ranking);
            continue;
        }
        const bool by_table = quantized_ && !quantized_->exact_is_faster(ranking.allowed, model_->n_items());
        const Index row = by_table ? n_quantized : first_exact - 1;
        load_state(*asked.session, row);
        if (ranking.allowed.candidates()) {
            rank_candidates(item_scores(), h()(row), ranking);
        } else {
            at(scanned, row) = &ranking;
            n_quantized += by_table ? 1 : 0;
            first_exact -= by_table ? 0 : 1;
        }
    }
    const std::span<Ranking<Scalar>* const> rankings(scanned.data(), rankings_.size());
    if (n_quantized > 0) {
        quantized_->run(item_scores(), quantized_->score_bounds(), h(),
                        rankings.first(static_cast<std::size_t>(n_quantized)));
    }
    if (first_exact < std::ssize(rankings_)) {
        ExactScan<Scalar>(item_scores(), h().from(first_exact), rankings.subspan(static_cast<std::size_t>(first_exact)))
            .run();
    }
    for (std::size_t r = 0; r < lists.size(); ++r) {
        lists[r] = rankings_[r].best.finish();
    }
}

template <class Scalar>
void SessionGroup<Scalar>::score(const SessionState<Scalar>& session, std::span<Scalar> scores) noexcept {
    if (session.n_events() == 0) {
        score_by_support(0, scores);
        return;
    }
    load_state(session, 0);
    item_scores().of_range({0, model_->n_items()}, h(), 1, {scores.data(), 0});
}

template <class Scalar>
void SessionGroup<Scalar>::score(const SessionState<Scalar>& session, std::span<const ItemIndex> items,
                                 std::span<Scalar> scores) noexcept {
    if (session.n_events() == 0) {
        score_by_support(items, scores);
        return;
    }
    load_state(session, 0);
    item_scores().of_items(items, h(), 1, {scores.data(), 0});
}

template <class Scalar>
void SessionGroup<Scalar>::load_state(const SessionState<Scalar>& session, Index s) noexcept {
    const Index width = model_->network().output_width();
    std::copy_n(session.values().end() - width, width, h()(s));
    h()(s)[width] = Scalar(1);
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

/// Ranks the items for a session without events.
template <class Scalar>
void SessionGroup<Scalar>::rank_by_support(Ranking<Scalar>& ranking) const noexcept {
    constexpr Index block_items = AllowedItems::block_items;
    std::array<Scalar, static_cast<std::size_t>(block_items)> scores;
    if (const auto candidates = ranking.allowed.candidates()) {
        for (const ItemIndex item : *candidates) {
            ranking.best.offer(item, static_cast<Scalar>(at(model_->supports(), item)));
        }
        return;
    }
    for (Index first = 0; first < model_->n_items(); first += block_items) {
        if (const std::uint64_t allowed = ranking.allowed.next(first / block_items); allowed != 0) {
            const Index count = (std::min)(block_items, model_->n_items() - first);
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
