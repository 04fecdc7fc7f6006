#ifndef GRU4REC_SERVE_RECOMMEND_OPTIONS_HPP
#define GRU4REC_SERVE_RECOMMEND_OPTIONS_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/model/session_state.hpp"
#include "gru4rec/serve/item_filter.hpp"
#include "gru4rec/version.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string>

namespace gru4rec {
inline namespace GRU4REC_ABI {

/// What a list of recommendations may hold. The list is the ranking of the whole catalogue without the items that
/// `filter`, `exclude` or `only` leaves out, cut after the first n: shorter than n if fewer items are left.
struct RecommendOptions {
    /// The length of the list, >= 0.
    Index n = 20;
    /// Items that may be recommended; null: all. Must have been made for as many items as the model has, and must
    /// outlive the call.
    const ItemFilter* filter = nullptr;
    /// Items to leave out besides, in any order, repeats allowed: seen, in the basket. Meant to be short: it is sorted
    /// for each request.
    std::span<const ItemIndex> exclude = {};
    /// If set, only these are ranked, in any order, repeats allowed; an empty list gives no recommendation. Meant to be
    /// short: the cost is that of scoring these items one by one, at most thousands; for more make an ItemFilter.
    std::optional<std::span<const ItemIndex>> only = {};
};

/// One of many requests that are answered together.
template <class Scalar>
struct RecommendRequest {
    const SessionState<Scalar>* session = nullptr;  ///< must outlive the call
    RecommendOptions options = {};                  ///< what the list may hold
};

/// One of many re-ranking requests that are answered together.
template <class Scalar>
struct ScoreRequest {
    const SessionState<Scalar>* session = nullptr;  ///< must outlive the call
    std::span<const ItemIndex> items = {};          ///< in any order, repeats allowed
    std::span<Scalar> out = {};                     ///< as many elements; gets the scores
};

namespace detail {

/// The beginning of a message on one of many requests: "request 3: "; nothing if there is only one.
[[nodiscard]] GRU4REC_INLINE std::string in_request(std::optional<std::size_t> request);

/// The message on one of many requests that names no session.
[[nodiscard]] inline std::string lacks_session(std::size_t request) {
    return "request " + std::to_string(request) + " has no session";
}

/// @{
/// Throw a ContractError unless the options, or the items of the argument or option `name`, fit a catalogue of n_items.
///
/// @param request  the position of the request among many, for the message
GRU4REC_INLINE void require_valid(const RecommendOptions& options, Index n_items,
                                  std::optional<std::size_t> request = {});
GRU4REC_INLINE void require_items(std::span<const ItemIndex> items, Index n_items, const char* name,
                                  std::optional<std::size_t> request = {});
/// @}

#if GRU4REC_DEFINITIONS

GRU4REC_INLINE std::string in_request(std::optional<std::size_t> request) {
    return request ? "request " + std::to_string(*request) + ": " : "";
}

GRU4REC_INLINE void require_items(std::span<const ItemIndex> items, Index n_items, const char* name,
                                  std::optional<std::size_t> request) {
    std::size_t i = 0;
    while (i < items.size() && to_index(items[i]) >= 0 && to_index(items[i]) < n_items) {
        ++i;
    }
    GRU4REC_REQUIRE(i == items.size(), in_request(request) + name + "[" + std::to_string(i) +
                                           "] = " + std::to_string(to_index(items[i])) + ", must satisfy 0 <= item < " +
                                           std::to_string(n_items));
}

GRU4REC_INLINE void require_valid(const RecommendOptions& options, Index n_items, std::optional<std::size_t> request) {
    GRU4REC_REQUIRE(options.n >= 0, in_request(request) + "n = " + std::to_string(options.n) + ", must satisfy n >= 0");
    GRU4REC_REQUIRE(options.filter == nullptr || options.filter->n_items() == n_items,
                    in_request(request) + "filter was made for " + std::to_string(options.filter->n_items()) +
                        " items; the model has " + std::to_string(n_items));
    require_items(options.exclude, n_items, "exclude", request);
    if (options.only) {
        require_items(*options.only, n_items, "only", request);
    }
}

#endif

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
