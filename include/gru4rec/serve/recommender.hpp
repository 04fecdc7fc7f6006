#ifndef GRU4REC_SERVE_RECOMMENDER_HPP
#define GRU4REC_SERVE_RECOMMENDER_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/function_ref.hpp"
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/top_k.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/model/model.hpp"
#include "gru4rec/model/session_state.hpp"
#include "gru4rec/serve/quantized_table.hpp"
#include "gru4rec/serve/scan.hpp"
#include "gru4rec/serve/session_step.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
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

    /// @param quantized  null: scan the model's table
    SessionGroup(const Model<Scalar>& model, const QuantizedTable<Scalar>* quantized, Index max_sessions);

    void advance(SessionSpan<SessionState<Scalar>> sessions, std::span<const ItemIndex> items) noexcept {
        step_.advance(sessions, items);
    }

    /// lists[i] = the best n for sessions[i], valid until the next call.
    void recommend(SessionSpan<const SessionState<Scalar>> sessions, Index n, std::span<List> lists);

    /// scores[i] = the score of item i, all V of them.
    void score(const SessionState<Scalar>& session, std::span<Scalar> scores) noexcept;

  private:
    void load_state(const SessionState<Scalar>& session, Index s) noexcept;
    void score_by_support(Index first, std::span<Scalar> scores) const noexcept;
    void offer_popular(TopK<Scalar>& list) const;

    /// A row [h | 1] per session: the 1 is multiplied by the bias.
    [[nodiscard]] Rows<Scalar> h() noexcept { return {h_.data(), stride_}; }

    const Model<Scalar>* model_;
    SessionStep<Scalar> step_;
    Index stride_;
    AlignedBuffer<Scalar> h_;
    std::vector<TopK<Scalar>> lists_;
    std::optional<QuantizedScan<Scalar>> quantized_;
};

template <class Scalar>
SessionGroup<Scalar>::SessionGroup(const Model<Scalar>& model, const QuantizedTable<Scalar>* quantized,
                                   Index max_sessions)
    : model_(&model),
      step_(model, max_sessions),
      stride_(model.network().output_table().stride()),
      h_(max_sessions * stride_),
      lists_(static_cast<std::size_t>(max_sessions)) {
    if (quantized != nullptr) {
        quantized_.emplace(*quantized, max_sessions);
    }
}

template <class Scalar>
void SessionGroup<Scalar>::recommend(SessionSpan<const SessionState<Scalar>> sessions, Index n, std::span<List> lists) {
    std::array<TopK<Scalar>*, static_cast<std::size_t>(group_sessions)> scanned;
    std::size_t n_scanned = 0;
    for (std::size_t s = 0; s < sessions.size(); ++s) {
        lists_[s].start(n);
        if (sessions[s].n_events() == 0) {
            offer_popular(lists_[s]);
        } else {
            load_state(sessions[s], static_cast<Index>(n_scanned));
            scanned[n_scanned++] = &lists_[s];
        }
    }
    if (quantized_) {
        quantized_->scan(h(), {scanned.data(), n_scanned});
    } else {
        scan_items<Scalar>(model_->network().output_table(), h(), {scanned.data(), n_scanned});
    }
    for (std::size_t s = 0; s < sessions.size(); ++s) {
        lists[s] = lists_[s].finish();
    }
}

template <class Scalar>
void SessionGroup<Scalar>::score(const SessionState<Scalar>& session, std::span<Scalar> scores) noexcept {
    if (session.n_events() == 0) {
        score_by_support(0, scores);
        return;
    }
    load_state(session, 0);
    score_items<Scalar>(model_->network().output_table(), {0, model_->n_items()}, h(), 1, {scores.data(), 0});
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
void SessionGroup<Scalar>::offer_popular(TopK<Scalar>& list) const {
    std::array<Scalar, 64> scores;
    for (Index first = 0; first < model_->n_items(); first += std::ssize(scores)) {
        const Index count = (std::min)(std::ssize(scores), model_->n_items() - first);
        const std::span<Scalar> block(scores.data(), static_cast<std::size_t>(count));
        score_by_support(first, block);
        list.offer_range(to_item(first), block);
    }
}

}  // namespace detail

/// Serves live sessions from a trained model: feeds events to sessions, and ranks the items that may come next. Feeding
/// an event computes no scores. The calls for many sessions are cheaper than one call per session, and give the same
/// states and scores, to the bit.
///
/// The model is shared and const; the recommender holds scratch memory.
/// @threads use a recommender on one thread at a time; any number of recommenders may share a model. advance_many and
/// recommend_many use the threads of the caller's TBB arena
template <class Scalar>
class Recommender {
  public:
    /// Recommended items with their scores, best first.
    using List = std::span<const Recommendation<Scalar>>;
    /// What advance_many takes: a vector, span or array of SessionState, or of pointers to SessionState.
    using Sessions = detail::SessionSpan<SessionState<Scalar>>;
    /// What recommend_many takes, likewise.
    using ConstSessions = detail::SessionSpan<const SessionState<Scalar>>;

    /// @param model  must outlive the recommender
    explicit Recommender(const Model<Scalar>& model);
    explicit Recommender(const Model<Scalar>&& model) = delete;  // the recommender would refer to a dead model

    /// Ranks with a quantised table: the same items and scores, to the bit, in less time on large catalogues.
    ///
    /// @param table  must outlive the recommender, and so must its model
    explicit Recommender(const QuantizedTable<Scalar>& table);
    explicit Recommender(const QuantizedTable<Scalar>&& table) = delete;

    /// @{
    /// A copy refers to the same model and table and has its own scratch memory: make one copy per thread.
    Recommender(const Recommender& other);
    Recommender& operator=(const Recommender& other);
    Recommender(Recommender&& other) noexcept;
    Recommender& operator=(Recommender&& other) noexcept;
    ~Recommender();
    /// @}

    /// Feeds the session's next event.
    ///
    /// @throws ContractError if the model has no such item, or if the session does not fit the model: see
    ///         SessionState::fits
    /// @complexity O(H^2), no allocation
    void advance(SessionState<Scalar>& session, ItemIndex item);

    /// Feeds one event to each of many sessions: items[i] to session i.
    ///
    /// @pre the sessions are distinct objects
    /// @throws ContractError as advance, and if there are not as many items as sessions. No session is changed then
    /// @complexity O(sessions H^2), parallel over sessions; allocates only if no earlier call had as many sessions
    void advance_many(Sessions sessions, std::span<const ItemIndex> items);

    /// The n items with the highest scores (all items if n >= V), best first. Among equal scores the lower item index
    /// comes first; NaN comes last. A session without events gets the items most frequent in training; their scores are
    /// their supports.
    ///
    /// Scores are dot products, summed in the order of core/dot_products.hpp. Training and evaluation sum in another
    /// order: the last bits may differ, and so may the ranks of items with nearly equal scores.
    ///
    /// @throws ContractError if n < 0, or if the session does not fit the model
    /// @returns valid until the next call
    /// @complexity O(V H); allocates only in the first call with this n
    [[nodiscard]] List recommend(const SessionState<Scalar>& session, Index n);

    /// Element i is what recommend returns for session i. The item table is read once for every sixteen sessions.
    ///
    /// @throws ContractError as recommend
    /// @returns valid until the next call of recommend_many
    /// @complexity O(sessions V H), parallel over sessions; allocates only if no earlier call had as many sessions and
    ///             this n
    [[nodiscard]] std::span<const List> recommend_many(ConstSessions sessions, Index n);

    /// The scores of all items: out[i] is the score that recommend gives to item i, also for a session without events.
    ///
    /// @param out  as many elements as the model has items
    /// @throws ContractError if `out` has another size, or if the session does not fit the model
    /// @complexity O(V H), no allocation
    void scores(const SessionState<Scalar>& session, std::span<Scalar> out);

  private:
    using Group = detail::SessionGroup<Scalar>;

    Recommender(const Model<Scalar>& model, const QuantizedTable<Scalar>* quantized);

    void require_fit(const SessionState<Scalar>& session) const;
    void require_item(ItemIndex item) const;
    /// n, or V if n is larger.
    [[nodiscard]] Index list_size(Index n) const;

    void for_each_group(std::size_t n_sessions, detail::FunctionRef<void(Group&, std::size_t, std::size_t)> work);

    const Model<Scalar>* model_;
    const QuantizedTable<Scalar>* quantized_;
    // Of the sessions that this recommender serves: Model::set_hyperparameters may change that of sessions made later.
    std::shared_ptr<const detail::SessionShape> shape_;
    Group single_;
    std::vector<Group> groups_;  // one for every sixteen sessions of the largest batch
    std::vector<List> lists_;
};

template <class Scalar>
Recommender<Scalar>::Recommender(const Model<Scalar>& model) : Recommender(model, nullptr) {}

template <class Scalar>
Recommender<Scalar>::Recommender(const QuantizedTable<Scalar>& table) : Recommender(table.model(), &table) {}

template <class Scalar>
Recommender<Scalar>::Recommender(const Model<Scalar>& model, const QuantizedTable<Scalar>* quantized)
    : model_(&model), quantized_(quantized), shape_(model.session_shape_), single_(model, quantized, 1) {}

template <class Scalar>
Recommender<Scalar>::Recommender(const Recommender& other) = default;
template <class Scalar>
Recommender<Scalar>& Recommender<Scalar>::operator=(const Recommender& other) = default;
template <class Scalar>
Recommender<Scalar>::Recommender(Recommender&& other) noexcept = default;
template <class Scalar>
Recommender<Scalar>& Recommender<Scalar>::operator=(Recommender&& other) noexcept = default;
template <class Scalar>
Recommender<Scalar>::~Recommender() = default;

template <class Scalar>
void Recommender<Scalar>::advance(SessionState<Scalar>& session, ItemIndex item) {
    require_fit(session);
    require_item(item);
    single_.advance(std::span(&session, 1), {&item, 1});
}

template <class Scalar>
void Recommender<Scalar>::advance_many(Sessions sessions, std::span<const ItemIndex> items) {
    GRU4REC_REQUIRE(sessions.size() == items.size(), "advance_many got " + std::to_string(sessions.size()) +
                                                         " sessions and " + std::to_string(items.size()) +
                                                         " items; it needs one item for each session");
    for (std::size_t s = 0; s < sessions.size(); ++s) {
        require_fit(sessions[s]);
        require_item(items[s]);
    }
    for_each_group(sessions.size(), [&](Group& group, std::size_t first, std::size_t count) {
        group.advance(sessions.subspan(first, count), items.subspan(first, count));
    });
}

template <class Scalar>
typename Recommender<Scalar>::List Recommender<Scalar>::recommend(const SessionState<Scalar>& session, Index n) {
    require_fit(session);
    List list;
    single_.recommend(std::span(&session, 1), list_size(n), {&list, 1});
    return list;
}

template <class Scalar>
std::span<const typename Recommender<Scalar>::List> Recommender<Scalar>::recommend_many(ConstSessions sessions,
                                                                                        Index n) {
    const Index size = list_size(n);
    for (std::size_t s = 0; s < sessions.size(); ++s) {
        require_fit(sessions[s]);
    }
    lists_.resize(sessions.size());
    for_each_group(sessions.size(), [&](Group& group, std::size_t first, std::size_t count) {
        group.recommend(sessions.subspan(first, count), size, std::span(lists_).subspan(first, count));
    });
    return lists_;
}

template <class Scalar>
void Recommender<Scalar>::scores(const SessionState<Scalar>& session, std::span<Scalar> out) {
    require_fit(session);
    GRU4REC_REQUIRE(std::ssize(out) == model_->n_items(), "scores got room for " + std::to_string(out.size()) +
                                                              " scores; the model has " +
                                                              std::to_string(model_->n_items()) + " items");
    single_.score(session, out);
}

template <class Scalar>
void Recommender<Scalar>::require_fit(const SessionState<Scalar>& session) const {
    GRU4REC_REQUIRE(session.fits(*shape_),
                    "the session was made for another model: its layers, history or number of items are different");
}

template <class Scalar>
void Recommender<Scalar>::require_item(ItemIndex item) const {
    GRU4REC_REQUIRE(
        to_index(item) >= 0 && to_index(item) < model_->n_items(),
        "item = " + std::to_string(to_index(item)) + ", must satisfy 0 <= item < " + std::to_string(model_->n_items()));
}

template <class Scalar>
Index Recommender<Scalar>::list_size(Index n) const {
    GRU4REC_REQUIRE(n >= 0, "n = " + std::to_string(n) + ", must satisfy n >= 0");
    return (std::min)(n, model_->n_items());
}

/// Calls `work(group, first, count)` for n_sessions sessions cut into groups, in parallel.
template <class Scalar>
void Recommender<Scalar>::for_each_group(std::size_t n_sessions,
                                         detail::FunctionRef<void(Group&, std::size_t, std::size_t)> work) {
    const detail::Chunks chunks{static_cast<Index>(n_sessions), detail::group_sessions};
    while (std::ssize(groups_) < chunks.count()) {
        groups_.emplace_back(*model_, quantized_, detail::group_sessions);
    }
    detail::parallel_chunks(chunks.count(), [&](Index chunk) {
        work(detail::at(groups_, chunk), static_cast<std::size_t>(chunks.begin(chunk)),
             static_cast<std::size_t>(chunks.end(chunk) - chunks.begin(chunk)));
    });
}

#if defined(GRU4REC_COMPILED)
extern template class Recommender<float>;
extern template class Recommender<double>;
#endif

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
