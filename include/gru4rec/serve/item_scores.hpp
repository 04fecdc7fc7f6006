#ifndef GRU4REC_SERVE_ITEM_SCORES_HPP
#define GRU4REC_SERVE_ITEM_SCORES_HPP

#include "gru4rec/core/dot_products.hpp"
#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/core/views.hpp"

#include <cstddef>
#include <span>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// The exact score of item i for a vector h: f_i (row_i h). Its bits depend neither on the other items that are asked
/// for nor on the number of vectors.
template <class Scalar>
struct ItemScores {
    /// For scores (V, H + 1), row i is [W_y[i, :] | b_y[i]], and h is [h | 1]; zeros follow both up to a cache line.
    const PaddedMatrix<Scalar>* table = nullptr;
    /// (V); null: all 1
    const Scalar* factors = nullptr;

    /// out(v)[i - items.begin] = the score of item i for vector v.
    void of_range(Range items, Rows<const Scalar> h, Index n_vectors, Rows<Scalar> out) const noexcept {
        dot_products<Scalar>({{table->row(items.begin), table->stride()}, {0, items.size()}, {0, table->cols()}}, h,
                             n_vectors, out);
        for (Index v = 0; v < n_vectors && factors != nullptr; ++v) {
            for (Index i = 0; i < items.size(); ++i) {
                out(v)[i] *= factors[items.begin + i];
            }
        }
    }

    /// out(v)[i] = the score of items[i] for vector v.
    void of_items(std::span<const ItemIndex> items, Rows<const Scalar> h, Index n_vectors,
                  Rows<Scalar> out) const noexcept {
        dot_products<Scalar>(
            {{table->data(), table->stride(), items.data()}, {0, std::ssize(items)}, {0, table->cols()}}, h, n_vectors,
            out);
        for (Index v = 0; v < n_vectors && factors != nullptr; ++v) {
            for (std::size_t i = 0; i < items.size(); ++i) {
                out(v)[i] *= factors[to_index(items[i])];
            }
        }
    }
};

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
