#ifndef GRU4REC_SERVE_RECOMMENDER_HPP
#define GRU4REC_SERVE_RECOMMENDER_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/function_ref.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/core/top_k.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/model/model.hpp"
#include "gru4rec/model/session_state.hpp"
#include "gru4rec/serve/group_scan.hpp"
#include "gru4rec/serve/quantized_table.hpp"
#include "gru4rec/serve/recommend_options.hpp"
#include "gru4rec/serve/session_group.hpp"
#include "gru4rec/serve/session_step.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {

/// What `feed` does with an id that the model does not know.
enum class UnknownItems {
    skip,  ///< leave it out: the session goes on with the next id
    error  ///< throw; nothing is fed
};

/// What `feed` did.
struct FedItems {
    Index n_fed = 0;                           ///< events that the session got
    Index n_unknown = 0;                       ///< ids that the model does not know
    std::optional<std::size_t> first_unknown;  ///< position of the first of these
};

/// Serves live sessions from a trained model: feeds events to sessions, and ranks the items that may come next. Feeding
/// an event computes no scores. The calls for many sessions are cheaper than one call per session, and give the same
/// states and scores, to the bit.
///
/// The model is shared and const; the recommender holds scratch memory.
/// @threads use a recommender on one thread at a time; any number of recommenders may share a model. advance_many,
/// recommend_many and scores_many use the threads of the caller's TBB arena
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
    /// @complexity allocates scratch memory, O(H) per session of a group
    explicit Recommender(const Model<Scalar>& model);
    explicit Recommender(const Model<Scalar>&& model) = delete;  // the recommender would refer to a dead model

    /// Ranks with a quantised table: the same items and scores, to the bit, in less time on large catalogues.
    ///
    /// @param table  must outlive the recommender, and so must its model
    /// @complexity allocates scratch memory, O(H) per session of a group; a list takes 3 KB more while it is made
    explicit Recommender(const QuantizedTable<Scalar>& table);
    explicit Recommender(const QuantizedTable<Scalar>&& table) = delete;

    /// @{
    /// A copy refers to the same model and table and has its own scratch memory: make one copy per thread. A
    /// recommender that was moved from may only be assigned to or destroyed.
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

    /// Feeds events by item id, the oldest first; ids that are unknown to Model::items() are skipped, or an error.
    ///
    /// @throws ConfigError naming the first unknown id and its position, with UnknownItems::error; ContractError if the
    ///         session does not fit the model. The session is unchanged then
    /// @complexity O(ids H^2), no allocation
    FedItems feed(SessionState<Scalar>& session, std::span<const std::string_view> ids,
                  UnknownItems unknown = UnknownItems::skip);

    /// Feeds one event to each of many sessions: items[i] to session i.
    ///
    /// @pre the sessions are distinct objects
    /// @throws ContractError as advance, naming the position, and if there are not as many items as sessions. No
    ///         session is changed then
    /// @complexity O(sessions H^2), parallel over sessions; allocates only if no earlier call of advance_many or
    ///             scores_many had as many sessions
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
    /// @complexity O(V H); allocates only if no earlier list was as long
    [[nodiscard]] List recommend(const SessionState<Scalar>& session, Index n);

    /// The same list without the items that the options leave out, cut after the first n: all that the other overload
    /// says of order and scores holds. For the defaults write RecommendOptions{}: a bare {} is the number 0.
    ///
    /// @throws ContractError if n < 0, if the filter was made for another number of items, if an item of `exclude` or
    ///         `only` is out of range, or if the session does not fit the model
    /// @returns valid until the next call; shorter than n if fewer items are left
    /// @complexity O(V H), less if much is left out; O(k H) if `only` lists k items. Allocates only if no earlier list,
    ///             of results or of options, was as long
    [[nodiscard]] List recommend(const SessionState<Scalar>& session, const RecommendOptions& options);

    /// Element i is what recommend returns for session i. The item table is read once for up to 64 sessions. Threads
    /// share the sessions; if there are fewer than sixteen for each thread, they share a large table as well, so that
    /// one session alone gets its list sooner than from recommend.
    ///
    /// @throws ContractError as recommend, naming the position of the session
    /// @returns valid until the next call of recommend_many
    /// @complexity O(sessions V H), parallel over sessions and parts of the table; allocates only if no earlier call
    ///             had as many sessions, this n and as many threads
    [[nodiscard]] std::span<const List> recommend_many(ConstSessions sessions, Index n);

    /// Element i is what recommend returns for request i. Sessions, lengths and what is left out may differ. The item
    /// table is read once for up to 64 requests, and best used if neighbours leave out the same items; requests with
    /// `only` read the rows of their items.
    ///
    /// @throws ContractError as recommend, naming the request, and for one without a session
    /// @returns valid until the next call of recommend_many
    /// @complexity as recommend with options for each request, parallel and allocating as the overload above
    [[nodiscard]] std::span<const List> recommend_many(std::span<const RecommendRequest<Scalar>> requests);

    /// The scores of all items: out[i] is the score that recommend gives to item i, also for a session without events.
    ///
    /// @param out  as many elements as the model has items
    /// @throws ContractError if `out` has another size, or if the session does not fit the model
    /// @complexity O(V H), no allocation
    void scores(const SessionState<Scalar>& session, std::span<Scalar> out);

    /// The scores of some items, to rank candidates that something else has chosen: out[i] is the score of items[i], to
    /// the bit the one that recommend gives to it.
    ///
    /// @param items  in any order, repeats allowed
    /// @param out    as many elements
    /// @throws ContractError if `out` has another size, if an item is out of range, or if the session does not fit the
    ///         model
    /// @complexity O(items H), no allocation
    void scores(const SessionState<Scalar>& session, std::span<const ItemIndex> items, std::span<Scalar> out);

    /// Writes for each request what scores writes for its session and items.
    ///
    /// @pre no request's `out` overlaps another's
    /// @throws ContractError as scores, naming the request, and for one without a session. Nothing is written then
    /// @complexity O(items H) for each request, parallel over requests; allocates only if no earlier call of
    ///             scores_many or advance_many had as many
    void scores_many(std::span<const ScoreRequest<Scalar>> requests);

  private:
    using Group = detail::SessionGroup<Scalar>;
    using Request = RecommendRequest<Scalar>;

    Recommender(const Model<Scalar>& model, const QuantizedTable<Scalar>* quantized);

    void require_fit(const SessionState<Scalar>& session, std::optional<std::size_t> request = {}) const;
    void require_item(ItemIndex item) const;
    void require_known(std::span<const std::string_view> ids) const;
    void require_valid(const ScoreRequest<Scalar>& asked, std::optional<std::size_t> request = {}) const;

    [[nodiscard]] std::span<const List> answer(std::size_t n_requests,
                                               detail::FunctionRef<Request(std::size_t)> request);
    void for_each_step_group(std::size_t n_sessions, detail::FunctionRef<void(Group&, std::size_t, std::size_t)> work);

    const Model<Scalar>* model_;
    const QuantizedTable<Scalar>* quantized_;
    // Of the sessions that this recommender serves: Model::set_hyperparameters may change that of sessions made later.
    std::shared_ptr<const detail::SessionShape> shape_;
    Group single_;
    detail::Groups<Group> step_groups_;  // for up to step_sessions, which advance or are scored, but not ranked
    detail::Groups<Group> groups_;       // as many as the largest batch of lists was cut into
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
Recommender<Scalar>::Recommender(const Recommender& other)
    : model_(other.model_), quantized_(other.quantized_), shape_(other.shape_), single_(*model_, quantized_, 1) {}
template <class Scalar>
Recommender<Scalar>& Recommender<Scalar>::operator=(const Recommender& other) {
    return *this = Recommender(other);
}
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
        require_fit(sessions[s], s);
    }
    detail::require_items(items, model_->n_items(), "items");
    for_each_step_group(sessions.size(), [&](Group& group, std::size_t first, std::size_t count) {
        group.advance(sessions.subspan(first, count), items.subspan(first, count));
    });
}

template <class Scalar>
FedItems Recommender<Scalar>::feed(SessionState<Scalar>& session, std::span<const std::string_view> ids,
                                   UnknownItems unknown) {
    require_fit(session);
    if (unknown == UnknownItems::error) {
        require_known(ids);
    }
    FedItems fed;
    for (std::size_t i = 0; i < ids.size(); ++i) {
        if (const std::optional<ItemIndex> item = model_->items().find(ids[i])) {
            single_.advance(std::span(&session, 1), {&*item, 1});
            ++fed.n_fed;
        } else {
            fed.first_unknown = fed.n_unknown == 0 ? i : fed.first_unknown;
            ++fed.n_unknown;
        }
    }
    return fed;
}

template <class Scalar>
typename Recommender<Scalar>::List Recommender<Scalar>::recommend(const SessionState<Scalar>& session, Index n) {
    return recommend(session, {.n = n});
}

template <class Scalar>
typename Recommender<Scalar>::List Recommender<Scalar>::recommend(const SessionState<Scalar>& session,
                                                                  const RecommendOptions& options) {
    require_fit(session);
    detail::require_valid(options, model_->n_items());
    List list;
    single_.scan([&](std::size_t) { return Request{&session, options}; }, 1, {0, model_->n_items()});
    single_.finish({&list, 1});
    return list;
}

template <class Scalar>
std::span<const typename Recommender<Scalar>::List> Recommender<Scalar>::recommend_many(ConstSessions sessions,
                                                                                        Index n) {
    const RecommendOptions options{.n = n};
    detail::require_valid(options, model_->n_items());
    for (std::size_t s = 0; s < sessions.size(); ++s) {
        require_fit(sessions[s], s);
    }
    return answer(sessions.size(), [&](std::size_t s) { return Request{&sessions[s], options}; });
}

template <class Scalar>
std::span<const typename Recommender<Scalar>::List> Recommender<Scalar>::recommend_many(
    std::span<const RecommendRequest<Scalar>> requests) {
    for (std::size_t r = 0; r < requests.size(); ++r) {
        GRU4REC_REQUIRE(requests[r].session != nullptr, detail::lacks_session(r));
        require_fit(*requests[r].session, r);
        detail::require_valid(requests[r].options, model_->n_items(), r);
    }
    return answer(requests.size(), [&](std::size_t r) { return requests[r]; });
}

/// @param request  returns request r, which is valid
template <class Scalar>
std::span<const typename Recommender<Scalar>::List> Recommender<Scalar>::answer(
    std::size_t n_requests, detail::FunctionRef<Request(std::size_t)> request) {
    lists_.resize(n_requests);
    detail::scan_in_groups(
        groups_, model_->n_items(),
        [this] { return std::make_unique<Group>(*model_, quantized_, detail::group_sessions); },
        [&](Group& group, std::size_t first, std::size_t count, detail::Range items) {
            group.scan([&](std::size_t r) { return request(first + r); }, count, items);
        },
        std::span(lists_));
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
void Recommender<Scalar>::scores(const SessionState<Scalar>& session, std::span<const ItemIndex> items,
                                 std::span<Scalar> out) {
    require_valid({&session, items, out});
    single_.score(session, items, out);
}

template <class Scalar>
void Recommender<Scalar>::scores_many(std::span<const ScoreRequest<Scalar>> requests) {
    for (std::size_t r = 0; r < requests.size(); ++r) {
        GRU4REC_REQUIRE(requests[r].session != nullptr, detail::lacks_session(r));
        require_valid(requests[r], r);
    }
    for_each_step_group(requests.size(), [&](Group& group, std::size_t first, std::size_t count) {
        for (const ScoreRequest<Scalar>& request : requests.subspan(first, count)) {
            group.score(*request.session, request.items, request.out);
        }
    });
}

template <class Scalar>
void Recommender<Scalar>::require_valid(const ScoreRequest<Scalar>& asked, std::optional<std::size_t> request) const {
    require_fit(*asked.session, request);
    GRU4REC_REQUIRE(asked.out.size() == asked.items.size(),
                    detail::in_request(request) + "scores got " + std::to_string(asked.items.size()) +
                        " items and room for " + std::to_string(asked.out.size()) +
                        " scores; it needs one for each item");
    detail::require_items(asked.items, model_->n_items(), "items", request);
}

/// @param request  its position among many, for the message
template <class Scalar>
void Recommender<Scalar>::require_fit(const SessionState<Scalar>& session, std::optional<std::size_t> request) const {
    GRU4REC_REQUIRE(session.fits(*shape_),
                    detail::in_request(request) +
                        "the session was made for another model: its layers, history or number of items are different");
}

template <class Scalar>
void Recommender<Scalar>::require_known(std::span<const std::string_view> ids) const {
    for (std::size_t i = 0; i < ids.size(); ++i) {
        if (!model_->items().find(ids[i])) {
            detail::throw_invalid("ids[" + std::to_string(i) + "] = " + detail::quote(ids[i]) + " is none of the " +
                                  std::to_string(model_->n_items()) +
                                  " items that the model knows; nothing was fed. UnknownItems::skip leaves it out");
        }
    }
}

template <class Scalar>
void Recommender<Scalar>::require_item(ItemIndex item) const {
    GRU4REC_REQUIRE(to_index(item) >= 0 && to_index(item) < model_->n_items(),
                    detail::item_out_of_range(item, model_->n_items()));
}

/// Calls `work(group, first, count)` for n_sessions sessions cut into groups of step_sessions, in parallel.
template <class Scalar>
void Recommender<Scalar>::for_each_step_group(std::size_t n_sessions,
                                              detail::FunctionRef<void(Group&, std::size_t, std::size_t)> work) {
    const detail::Chunks sessions{static_cast<Index>(n_sessions), detail::step_sessions};
    detail::make_missing(step_groups_, sessions.count(),
                         [this] { return std::make_unique<Group>(*model_, nullptr, detail::step_sessions); });
    detail::parallel_ranges(sessions, [&](Index begin, Index end) {
        work(*detail::at(step_groups_, begin / detail::step_sessions), static_cast<std::size_t>(begin),
             static_cast<std::size_t>(end - begin));
    });
}

#if defined(GRU4REC_COMPILED)
extern template class Recommender<float>;
extern template class Recommender<double>;
#endif

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
