#ifndef GRU4REC_SERVE_GROUP_SCAN_HPP
#define GRU4REC_SERVE_GROUP_SCAN_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/function_ref.hpp"
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/top_k.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/core/views.hpp"
#include "gru4rec/model/model.hpp"
#include "gru4rec/serve/exact_scan.hpp"
#include "gru4rec/serve/item_scores.hpp"
#include "gru4rec/serve/quantized_scan.hpp"
#include "gru4rec/serve/quantized_table.hpp"
#include "gru4rec/serve/ranking.hpp"
#include "gru4rec/serve/recommend_options.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <type_traits>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Makes the lists of up to group_sessions requests together, on one thread, and holds the scratch memory for it. A
/// request has a vector, such as a hidden state, that items are scored for; the table is read once for all requests.
/// Several objects may take a part of the items each, for the same requests; one of them then joins the lists.
template <class Scalar>
class GroupScan {
  public:
    using List = std::span<const Recommendation<Scalar>>;

    /// @param quantized  null: read the model's table
    GroupScan(const Model<Scalar>& model, const QuantizedTable<Scalar>* quantized, Index max_requests);

    /// Begins the lists of the next requests.
    ///
    /// @param bounds  of the item scores; unused without a quantised table
    /// @param items   that are offered: all, or a part that scan_in_groups has cut
    void begin(const ItemScores<Scalar>& item_scores, const RowBounds& bounds, Range items) noexcept;

    /// Starts list r; the parameters are those of AllowedItems::start.
    Ranking<Scalar>& start(std::size_t r, const RecommendOptions& options, std::optional<ItemIndex> besides = {});

    /// Offers the list every item that it may hold: now if the request has RecommendOptions::only, else in scan().
    ///
    /// @param write  writes the request's vector, [h | 1] for a hidden state h, to memory that holds an earlier one or
    ///               zeros; the zeros after it (ItemScores) are there already
    void add(Ranking<Scalar>& ranking, FunctionRef<void(Scalar*)> write);

    /// Offers the items to the lists that wait for it. Allocates only if no earlier list was as long.
    void scan();

    /// Joins the first `n` lists with those of another part of the items, which are unfinished, too.
    void join(const GroupScan& other, std::size_t n);

    /// lists[r] = list r, valid until the next begin().
    void finish(std::span<List> lists) noexcept;

    /// The bounds of the output scores.
    [[nodiscard]] RowBounds score_bounds() const noexcept {
        return quantized_ ? quantized_->score_bounds() : RowBounds{};
    }

  private:
    [[nodiscard]] Rows<Scalar> vectors() noexcept { return {vectors_.data(), stride_}; }

    Index stride_;
    AlignedBuffer<Scalar> vectors_;
    AlignedBuffer<Scalar> lanes_;  // scratch memory of the exact scan
    std::vector<Ranking<Scalar>> rankings_;
    std::optional<QuantizedScan<Scalar>> quantized_;

    // Of the lists since begin(). The quantised scan takes the first rows of vectors(), the exact scan the last ones.
    ItemScores<Scalar> item_scores_;
    RowBounds bounds_;
    Range items_;
    Index n_quantized_ = 0;
    Index first_exact_ = 0;
    std::array<Ranking<Scalar>*, static_cast<std::size_t>(group_sessions)> scanned_{};  // by row
};

template <class Scalar>
GroupScan<Scalar>::GroupScan(const Model<Scalar>& model, const QuantizedTable<Scalar>* quantized, Index max_requests)
    : stride_(model.network().output_table().stride()),
      vectors_(max_requests * stride_),
      lanes_(ExactScan<Scalar>::lane_memory(model.network().output_table(), max_requests)),
      rankings_(static_cast<std::size_t>(max_requests)) {
    GRU4REC_ASSERT(max_requests <= group_sessions);
    if (quantized != nullptr) {
        quantized_.emplace(*quantized, max_requests);
    }
}

template <class Scalar>
void GroupScan<Scalar>::begin(const ItemScores<Scalar>& item_scores, const RowBounds& bounds, Range items) noexcept {
    item_scores_ = item_scores;
    bounds_ = bounds;
    items_ = items;
    n_quantized_ = 0;
    first_exact_ = std::ssize(rankings_);
}

template <class Scalar>
Ranking<Scalar>& GroupScan<Scalar>::start(std::size_t r, const RecommendOptions& options,
                                          std::optional<ItemIndex> besides) {
    Ranking<Scalar>& ranking = at(rankings_, r);
    ranking.start(options, item_scores_.table->rows(), besides);
    return ranking;
}

template <class Scalar>
void GroupScan<Scalar>::add(Ranking<Scalar>& ranking, FunctionRef<void(Scalar*)> write) {
    if (ranking.stays_empty()) {
        return;
    }
    const bool by_table = quantized_ && !quantized_->exact_is_faster(ranking.allowed, item_scores_.table->rows());
    const Index row = by_table ? n_quantized_ : first_exact_ - 1;
    write(vectors()(row));
    if (ranking.allowed.candidates()) {
        if (items_.begin == 0) {
            rank_candidates(item_scores_, vectors()(row), ranking);
        }
        return;
    }
    at(scanned_, row) = &ranking;
    n_quantized_ += by_table ? 1 : 0;
    first_exact_ -= by_table ? 0 : 1;
}

template <class Scalar>
void GroupScan<Scalar>::scan() {
    const std::span<Ranking<Scalar>* const> scanned(scanned_.data(), rankings_.size());
    if (n_quantized_ > 0) {
        quantized_->run(item_scores_, bounds_, vectors(), scanned.first(static_cast<std::size_t>(n_quantized_)),
                        items_);
    }
    if (first_exact_ < std::ssize(rankings_)) {
        ExactScan<Scalar>(item_scores_, vectors().from(first_exact_),
                          scanned.subspan(static_cast<std::size_t>(first_exact_)), lanes_.data())
            .run(items_);
    }
}

template <class Scalar>
void GroupScan<Scalar>::join(const GroupScan& other, std::size_t n) {
    for (std::size_t r = 0; r < n; ++r) {
        rankings_[r].best.offer_all(other.rankings_[r].best);
    }
}

template <class Scalar>
void GroupScan<Scalar>::finish(std::span<List> lists) noexcept {
    for (std::size_t r = 0; r < lists.size(); ++r) {
        lists[r] = rankings_[r].best.finish();
    }
}

/// How requests are cut into groups and items into parts.
struct ScanPlan {
    Chunks requests;
    Chunks items;
};

/// As large groups as keep all threads busy; if there are fewer groups than threads, the items are cut as well. The
/// lists are the same however they are cut, so this may depend on the number of threads.
[[nodiscard]] GRU4REC_INLINE ScanPlan plan_scan(Index n_requests, Index n_items, Index threads);

/// Calls in parallel `scan(task, first, count, items)` for groups of requests and parts of the items. A group has as
/// many tasks as there are parts, numbered one after another. Then calls `finish(task, n_parts, first, count)` for the
/// first task of each group, in parallel if there is one part.
GRU4REC_INLINE void run_scan(const ScanPlan& plan, FunctionRef<void(Index, std::size_t, std::size_t, Range)> scan,
                             FunctionRef<void(Index, Index, std::size_t, std::size_t)> finish);

/// The scratch memory of each group, made when it is first needed. By pointer, as a growing vector would move it.
template <class Group>
using Groups = std::vector<std::unique_ptr<Group>>;

/// Appends to `groups` until there are `n`.
template <class Group>
void make_missing(Groups<Group>& groups, Index n, std::type_identity_t<FunctionRef<std::unique_ptr<Group>()>> make) {
    while (std::ssize(groups) < n) {
        groups.push_back(make());
    }
}

/// Makes the lists of requests, in parallel: calls `scan(group, first, count, items)` for groups of requests and parts
/// of the items, which offers the items to the lists of requests first .. first + count - 1.
///
/// @param groups  kept from call to call; `make` makes those that are missing
/// @param lists   one per request, written
template <class Group, class List>
void scan_in_groups(Groups<Group>& groups, Index n_items,
                    std::type_identity_t<FunctionRef<std::unique_ptr<Group>()>> make,
                    std::type_identity_t<FunctionRef<void(Group&, std::size_t, std::size_t, Range)>> scan,
                    std::span<List> lists) {
    const ScanPlan plan = plan_scan(std::ssize(lists), n_items, available_threads());
    make_missing(groups, plan.requests.count() * plan.items.count(), make);
    run_scan(
        plan,
        [&](Index task, std::size_t first, std::size_t count, Range items) {
            scan(*at(groups, task), first, count, items);
        },
        [&](Index task, Index n_parts, std::size_t first, std::size_t count) {
            for (Index part = 1; part < n_parts; ++part) {
                at(groups, task)->join(*at(groups, task + part), count);
            }
            at(groups, task)->finish(lists.subspan(first, count));
        });
}

#if GRU4REC_DEFINITIONS

GRU4REC_INLINE ScanPlan plan_scan(Index n_requests, Index n_items, Index threads) {
    constexpr Index unit = 16;              // whole tiles of lanes
    constexpr Index least_items = 1 << 14;  // of a part: each part fills its lists from scratch
    const Index share = Chunks{n_requests, threads}.count();
    const Chunks requests{n_requests, std::clamp(Chunks{share, unit}.count() * unit, unit, group_sessions)};
    const Index n_parts = std::clamp(threads / (std::max)(requests.count(), Index{1}), Index{1},
                                     (std::max)(n_items / least_items, Index{1}));
    const Index part = Chunks{n_items, n_parts}.count();
    return {requests, {n_items, Chunks{part, quantized_chunk_items}.count() * quantized_chunk_items}};
}

GRU4REC_INLINE void run_scan(const ScanPlan& plan, FunctionRef<void(Index, std::size_t, std::size_t, Range)> scan,
                             FunctionRef<void(Index, Index, std::size_t, std::size_t)> finish) {
    const Chunks& requests = plan.requests;
    const Chunks& items = plan.items;
    const Index n_parts = items.count();
    const auto finish_group = [&](Index chunk) {
        finish(chunk * n_parts, n_parts, static_cast<std::size_t>(requests.begin(chunk)),
               static_cast<std::size_t>(requests.end(chunk) - requests.begin(chunk)));
    };
    parallel_chunks(requests.count() * n_parts, [&](Index task) {
        const Index chunk = task / n_parts;
        const Index part = task % n_parts;
        scan(task, static_cast<std::size_t>(requests.begin(chunk)),
             static_cast<std::size_t>(requests.end(chunk) - requests.begin(chunk)),
             Range{items.begin(part), items.end(part)});
        if (n_parts == 1) {
            finish_group(chunk);
        }
    });
    for (Index chunk = 0; n_parts > 1 && chunk < requests.count(); ++chunk) {
        finish_group(chunk);
    }
}

#endif

#if defined(GRU4REC_COMPILED)
extern template class GroupScan<float>;
extern template class GroupScan<double>;
#endif

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
