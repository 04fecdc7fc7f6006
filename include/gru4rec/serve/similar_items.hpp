#ifndef GRU4REC_SERVE_SIMILAR_ITEMS_HPP
#define GRU4REC_SERVE_SIMILAR_ITEMS_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/top_k.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/model/model.hpp"
#include "gru4rec/serve/group_scan.hpp"
#include "gru4rec/serve/item_scores.hpp"
#include "gru4rec/serve/quantized_dots.hpp"
#include "gru4rec/serve/quantized_scan.hpp"
#include "gru4rec/serve/quantized_table.hpp"
#include "gru4rec/serve/recommend_options.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Inverse lengths of the rows of the output table, which turn products with the rows into cosines; with a
/// QuantizedTable also upper bounds of the cosines. Shared by the copies of a SimilarItems.
template <class Scalar>
class RowLengths {
  public:
    /// @param table  null: no bounds
    RowLengths(const Model<Scalar>& model, const QuantizedTable<Scalar>* table);

    /// (V): 1 / |w_i|. 0 for a row whose weights are all zero or denormal; NaN if a weight or the bias is not finite or
    /// a product with a row of length 1 might overflow.
    [[nodiscard]] const Scalar* inverse() const noexcept { return inverse_.data(); }

    /// With the unit vector u = t x + d in the place of h and no bias, the cosine of item i is at most
    ///
    ///     s_i / |w_i| (t (q_i x) + R) + A / |w_i|
    ///
    /// QuantizedScan defines the letters. The g in R bounds the rounding of the product in any order with some to
    /// spare, which covers that of the division.
    [[nodiscard]] RowBounds bounds() const noexcept { return {scales_.data(), offsets_.data(), 3}; }

  private:
    [[nodiscard]] static Scalar inverse_length(const Scalar* row, Index width) noexcept;
    void bound(const QuantizedTable<Scalar>& table, Index item) noexcept;

    AlignedBuffer<Scalar> inverse_;
    AlignedBuffer<float> scales_, offsets_;
};

template <class Scalar>
RowLengths<Scalar>::RowLengths(const Model<Scalar>& model, const QuantizedTable<Scalar>* table)
    : inverse_(model.n_items()) {
    const PaddedMatrix<Scalar>& rows = model.network().output_table();
    if (table != nullptr) {
        scales_ = AlignedBuffer<float>(table->n_chunks() * quantized_chunk_items);
        offsets_ = AlignedBuffer<float>(table->n_chunks() * quantized_chunk_items);
        std::fill(offsets_.begin(), offsets_.end(), -std::numeric_limits<float>::infinity());  // the padding keeps it
    }
    parallel_ranges({model.n_items(), 4096}, [&](Index begin, Index end) {
        for (Index item = begin; item < end; ++item) {
            inverse_[item] = inverse_length(rows.row(item), model.network().output_width());
            if (table != nullptr) {
                bound(*table, item);
            }
        }
    });
}

/// @param row  `width` weights and the bias
template <class Scalar>
Scalar RowLengths<Scalar>::inverse_length(const Scalar* row, Index width) noexcept {
    constexpr auto most = static_cast<double>((std::numeric_limits<Scalar>::max)() / 4);
    constexpr auto least = static_cast<double>((std::numeric_limits<Scalar>::min)());
    const auto [largest, sum] = magnitudes(row, width);
    if (!(sum <= most) || !std::isfinite(row[width])) {  // the sum may be NaN
        return std::numeric_limits<Scalar>::quiet_NaN();
    }
    if (largest < least) {
        return 0;
    }
    double squares = 0;  // of weights that are divided by the largest: no square overflows
    for (Index k = 0; k < width; ++k) {
        const double weight = static_cast<double>(row[k]) / largest;
        squares += weight * weight;
    }
    return static_cast<Scalar>(1 / (largest * std::sqrt(squares)));
}

template <class Scalar>
void RowLengths<Scalar>::bound(const QuantizedTable<Scalar>& table, Index item) noexcept {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    constexpr auto tiny = static_cast<double>((std::numeric_limits<float>::min)());
    constexpr double largest_scale = 1e30;  // no product with it overflows
    const auto inverse = static_cast<double>(inverse_[item]);
    const double scale = static_cast<double>(table.scales()[item]) * inverse;
    if (!(scale <= largest_scale) || table.upper_biases()[item] == infinity) {
        offsets_[item] = infinity;
        return;
    }
    const auto width = static_cast<double>(table.model().network().output_width());
    scales_[item] = static_cast<float>(scale);
    offsets_[item] = std::nextafter(static_cast<float>(3 * (width + 16) * tiny * (1 + inverse)), infinity);
}

}  // namespace detail

/// One of many requests for similar items that are answered together.
struct SimilarRequest {
    ItemIndex item{};               ///< the item whose similar items are wanted
    RecommendOptions options = {};  ///< what the list may hold
};

/// Finds the items that are similar to an item: those whose output rows have the largest cosines with its row. Biases
/// have no part in it. The model recommends similar items in the same sessions.
///
/// Memory: one Scalar per item, with a quantised table 8 bytes per item more; copies share it.
/// @threads holds scratch memory: one copy per thread. find_many uses the threads of the caller's TBB arena
template <class Scalar>
class SimilarItems {
  public:
    /// Items with their cosines, the most similar first.
    using List = std::span<const Recommendation<Scalar>>;

    /// Reads the output table once, in parallel.
    ///
    /// @param model  must outlive this object. If its weights change, make a new object
    /// @complexity O(V H)
    explicit SimilarItems(const Model<Scalar>& model);
    explicit SimilarItems(const Model<Scalar>&& model) = delete;  // this object would refer to a dead model

    /// Makes an object that finds the same as one made from the model, to the bit, and is faster on large catalogues.
    ///
    /// @param table  must outlive this object, and so must its model
    explicit SimilarItems(const QuantizedTable<Scalar>& table);
    explicit SimilarItems(const QuantizedTable<Scalar>&& table) = delete;

    /// @{
    /// A copy refers to the same model and table and has its own scratch memory. An object that was moved from may only
    /// be assigned to or destroyed.
    SimilarItems(const SimilarItems& other);
    SimilarItems& operator=(const SimilarItems& other);
    SimilarItems(SimilarItems&& other) noexcept;
    SimilarItems& operator=(SimilarItems&& other) noexcept;
    ~SimilarItems();
    /// @}

    /// The items with the largest cosines, -1 .. 1 up to rounding, without the item itself and what the options leave
    /// out. Equal cosines are ordered by item index.
    ///
    /// An item whose weights are all zero or denormal has cosine 0 with every item. An item whose weights or bias are
    /// not finite, or whose weights are so large that products might overflow, has cosine NaN with every item and comes
    /// last; the list for such an item holds the others in the order of their indices, all with NaN.
    ///
    /// @throws ContractError if the model has no such item, or if the options do not fit: see Recommender::recommend
    /// @returns valid until the next call of find
    /// @complexity O(V H), O(k H) if `only` lists k items; allocates only if no earlier list was as long
    [[nodiscard]] List find(ItemIndex item, const RecommendOptions& options = {});

    /// Element i is what find returns for request i. Requests may differ in item, length and what is left out. The
    /// item table is read once for up to 64 requests, and threads share it as in Recommender::recommend_many.
    ///
    /// @throws ContractError as find, naming the request
    /// @returns valid until the next call of find_many
    /// @complexity as find for each request, parallel over requests and parts of the table; allocates only if no
    ///             earlier call had as many requests and threads, and lists as long
    [[nodiscard]] std::span<const List> find_many(std::span<const SimilarRequest> requests);

  private:
    using Group = detail::GroupScan<Scalar>;

    SimilarItems(const Model<Scalar>& model, const QuantizedTable<Scalar>* quantized);

    void require_valid(const SimilarRequest& asked, std::optional<std::size_t> request = {}) const;
    void scan(Group& group, std::span<const SimilarRequest> requests, detail::Range items) const;

    const Model<Scalar>* model_;
    const QuantizedTable<Scalar>* quantized_;
    std::shared_ptr<const detail::RowLengths<Scalar>> lengths_;
    Group single_;
    detail::Groups<Group> groups_;  // as many as the largest batch was cut into
    std::vector<List> lists_;
};

template <class Scalar>
SimilarItems<Scalar>::SimilarItems(const Model<Scalar>& model) : SimilarItems(model, nullptr) {}

template <class Scalar>
SimilarItems<Scalar>::SimilarItems(const QuantizedTable<Scalar>& table) : SimilarItems(table.model(), &table) {}

template <class Scalar>
SimilarItems<Scalar>::SimilarItems(const Model<Scalar>& model, const QuantizedTable<Scalar>* quantized)
    : model_(&model),
      quantized_(quantized),
      lengths_(std::make_shared<const detail::RowLengths<Scalar>>(model, quantized)),
      single_(model, quantized, 1) {}

template <class Scalar>
SimilarItems<Scalar>::SimilarItems(const SimilarItems& other)
    : model_(other.model_), quantized_(other.quantized_), lengths_(other.lengths_), single_(*model_, quantized_, 1) {}
template <class Scalar>
SimilarItems<Scalar>& SimilarItems<Scalar>::operator=(const SimilarItems& other) {
    return *this = SimilarItems(other);
}
template <class Scalar>
SimilarItems<Scalar>::SimilarItems(SimilarItems&& other) noexcept = default;
template <class Scalar>
SimilarItems<Scalar>& SimilarItems<Scalar>::operator=(SimilarItems&& other) noexcept = default;
template <class Scalar>
SimilarItems<Scalar>::~SimilarItems() = default;

template <class Scalar>
typename SimilarItems<Scalar>::List SimilarItems<Scalar>::find(ItemIndex item, const RecommendOptions& options) {
    const SimilarRequest request{item, options};
    require_valid(request);
    List list;
    scan(single_, {&request, 1}, {0, model_->n_items()});
    single_.finish({&list, 1});
    return list;
}

template <class Scalar>
std::span<const typename SimilarItems<Scalar>::List> SimilarItems<Scalar>::find_many(
    std::span<const SimilarRequest> requests) {
    for (std::size_t r = 0; r < requests.size(); ++r) {
        require_valid(requests[r], r);
    }
    lists_.resize(requests.size());
    detail::scan_in_groups(
        groups_, model_->n_items(),
        [this] { return std::make_unique<Group>(*model_, quantized_, detail::group_sessions); },
        [&](Group& group, std::size_t first, std::size_t count, detail::Range items) {
            scan(group, requests.subspan(first, count), items);
        },
        std::span(lists_));
    return lists_;
}

template <class Scalar>
void SimilarItems<Scalar>::require_valid(const SimilarRequest& asked, std::optional<std::size_t> request) const {
    const Index item = to_index(asked.item);
    GRU4REC_REQUIRE(item >= 0 && item < model_->n_items(),
                    detail::in_request(request) + detail::item_out_of_range(asked.item, model_->n_items()));
    detail::require_valid(asked.options, model_->n_items(), request);
}

/// The vector of a request is its item's row, of length 1, with a zero in the place of the bias.
///
/// @param requests  valid, no more than the group takes
template <class Scalar>
void SimilarItems<Scalar>::scan(Group& group, std::span<const SimilarRequest> requests, detail::Range items) const {
    const detail::PaddedMatrix<Scalar>& table = model_->network().output_table();
    group.begin({&table, lengths_->inverse()}, lengths_->bounds(), items);
    for (std::size_t r = 0; r < requests.size(); ++r) {
        const auto& [item, options] = requests[r];
        const Scalar* const row = table.row(to_index(item));
        const Scalar inverse = lengths_->inverse()[to_index(item)];
        group.add(group.start(r, options, item), [&](Scalar* to) {
            std::transform(row, row + model_->network().output_width(), to,
                           [inverse](Scalar weight) { return weight * inverse; });
        });
    }
    group.scan();
}

#if defined(GRU4REC_COMPILED)
extern template class SimilarItems<float>;
extern template class SimilarItems<double>;
#endif

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
