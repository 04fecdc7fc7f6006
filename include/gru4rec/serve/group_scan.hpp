#ifndef GRU4REC_SERVE_GROUP_SCAN_HPP
#define GRU4REC_SERVE_GROUP_SCAN_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/function_ref.hpp"
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/top_k.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/core/views.hpp"
#include "gru4rec/model/model.hpp"
#include "gru4rec/serve/quantized_table.hpp"
#include "gru4rec/serve/ranking.hpp"
#include "gru4rec/serve/recommend_options.hpp"
#include "gru4rec/serve/scan.hpp"

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <type_traits>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Makes the lists of up to group_sessions requests together, on one thread, and holds the scratch memory for it. A
/// request has a vector, such as a hidden state, that items are scored for; the table is read once for all requests.
template <class Scalar>
class GroupScan {
  public:
    using List = std::span<const Recommendation<Scalar>>;

    /// @param quantized  null: read the model's table
    GroupScan(const Model<Scalar>& model, const QuantizedTable<Scalar>* quantized, Index max_requests);

    /// Begins the lists of the next requests.
    ///
    /// @param bounds  of the item scores; unused without a quantised table
    void begin(const ItemScores<Scalar>& item_scores, const RowBounds& bounds) noexcept;

    /// Starts list r; the parameters are those of AllowedItems::start.
    Ranking<Scalar>& start(std::size_t r, const RecommendOptions& options, std::optional<ItemIndex> besides = {});

    /// Offers the list every item that it may hold: now if the request has RecommendOptions::only, else in finish().
    ///
    /// @param write  writes the request's vector, [h | 1] for a hidden state h, to memory that holds an earlier one or
    ///               zeros; the zeros after it (ItemScores) are there already
    void add(Ranking<Scalar>& ranking, FunctionRef<void(Scalar*)> write);

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
    std::vector<Ranking<Scalar>> rankings_;
    std::optional<QuantizedScan<Scalar>> quantized_;

    // Of the lists since begin(). The quantised scan takes the first rows of vectors(), the exact scan the last ones.
    ItemScores<Scalar> item_scores_;
    RowBounds bounds_;
    Index n_quantized_ = 0;
    Index first_exact_ = 0;
    std::array<Ranking<Scalar>*, static_cast<std::size_t>(group_sessions)> scanned_{};  // by row
};

template <class Scalar>
GroupScan<Scalar>::GroupScan(const Model<Scalar>& model, const QuantizedTable<Scalar>* quantized, Index max_requests)
    : stride_(model.network().output_table().stride()),
      vectors_(max_requests * stride_),
      rankings_(static_cast<std::size_t>(max_requests)) {
    GRU4REC_ASSERT(max_requests <= group_sessions);
    if (quantized != nullptr) {
        quantized_.emplace(*quantized, max_requests);
    }
}

template <class Scalar>
void GroupScan<Scalar>::begin(const ItemScores<Scalar>& item_scores, const RowBounds& bounds) noexcept {
    item_scores_ = item_scores;
    bounds_ = bounds;
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
        rank_candidates(item_scores_, vectors()(row), ranking);
        return;
    }
    at(scanned_, row) = &ranking;
    n_quantized_ += by_table ? 1 : 0;
    first_exact_ -= by_table ? 0 : 1;
}

template <class Scalar>
void GroupScan<Scalar>::finish(std::span<List> lists) noexcept {
    const std::span<Ranking<Scalar>* const> scanned(scanned_.data(), rankings_.size());
    if (n_quantized_ > 0) {
        quantized_->run(item_scores_, bounds_, vectors(), scanned.first(static_cast<std::size_t>(n_quantized_)));
    }
    if (first_exact_ < std::ssize(rankings_)) {
        ExactScan<Scalar>(item_scores_, vectors().from(first_exact_),
                          scanned.subspan(static_cast<std::size_t>(first_exact_)))
            .run();
    }
    for (std::size_t r = 0; r < lists.size(); ++r) {
        lists[r] = rankings_[r].best.finish();
    }
}

/// Calls `work(group, first, count)` for n_requests requests cut into groups of group_sessions, in parallel.
///
/// @param groups  kept from call to call; `make` makes those that are missing
template <class Group>
void for_each_group(std::vector<Group>& groups, std::size_t n_requests, std::type_identity_t<FunctionRef<Group()>> make,
                    std::type_identity_t<FunctionRef<void(Group&, std::size_t, std::size_t)>> work) {
    const Chunks chunks{static_cast<Index>(n_requests), group_sessions};
    while (std::ssize(groups) < chunks.count()) {
        groups.push_back(make());
    }
    parallel_chunks(chunks.count(), [&](Index chunk) {
        work(at(groups, chunk), static_cast<std::size_t>(chunks.begin(chunk)),
             static_cast<std::size_t>(chunks.end(chunk) - chunks.begin(chunk)));
    });
}

#if defined(GRU4REC_COMPILED)
extern template class GroupScan<float>;
extern template class GroupScan<double>;
#endif

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
