#ifndef GRU4REC_BASELINES_MARKOV_HPP
#define GRU4REC_BASELINES_MARKOV_HPP

#include "gru4rec/baselines/popularity_order.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/dataset.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <optional>
#include <span>
#include <vector>

namespace gru4rec::inline GRU4REC_ABI {

/// Recommends what followed the session's last item most often in training (a first-order Markov chain); equal counts
/// are ordered by popularity, equal popularity by item index, so that no two items tie.
///
/// Copies share the tables and have a session of their own.
class Markov {
  public:
    struct Successor {
        ItemIndex item;
        std::int32_t count;  ///< how often it directly followed, at least 1
    };

    /// @complexity O(events log(successors of an item)); 8 bytes per different pair of neighbours
    explicit Markov(const Dataset& train) : tables_(std::make_shared<const Tables>(train)) {}

    /// Starts a new session.
    void reset() noexcept { last_.reset(); }

    void observe(ItemIndex item) noexcept { last_ = item; }

    /// A score for every item, higher is better, (V): the count, and below one the popularity. Before the first event
    /// of a session, and after an item without successors, popularity alone.
    void scores(std::span<double> out) const noexcept {
        GRU4REC_ASSERT(out.size() == tables_->tie_breaks.size());
        std::copy(tables_->tie_breaks.begin(), tables_->tie_breaks.end(), out.begin());
        if (last_) {
            for (const Successor& successor : successors(*last_)) {
                out[static_cast<std::size_t>(successor.item)] += successor.count;
            }
        }
    }

    /// The items that followed `item`, by item index.
    [[nodiscard]] std::span<const Successor> successors(ItemIndex item) const noexcept {
        const auto at = static_cast<std::size_t>(item);
        return std::span(tables_->successors)
            .subspan(tables_->begins[at], tables_->begins[at + 1] - tables_->begins[at]);
    }

    [[nodiscard]] Index n_items() const noexcept { return static_cast<Index>(tables_->tie_breaks.size()); }

  private:
    struct Tables {
        explicit Tables(const Dataset& train) : tie_breaks(detail::popularity_order(train)) {
            const auto n_items = static_cast<std::size_t>(train.n_items());

            // Every pair of neighbours, by its first item.
            std::vector<std::size_t> ends(n_items + 1, 0);
            each_pair(train, [&](ItemIndex item, ItemIndex) { ++ends[static_cast<std::size_t>(item) + 1]; });
            std::partial_sum(ends.begin(), ends.end(), ends.begin());
            std::vector<ItemIndex> followers(ends.back());
            std::vector<std::size_t> next(ends.begin(), ends.end() - 1);
            each_pair(train, [&](ItemIndex item, ItemIndex follower) {
                followers[next[static_cast<std::size_t>(item)]++] = follower;
            });

            begins.reserve(n_items + 1);
            begins.push_back(0);
            for (std::size_t item = 0; item < n_items; ++item) {
                const auto of_item = std::span(followers).subspan(ends[item], ends[item + 1] - ends[item]);
                std::ranges::sort(of_item);
                for (const ItemIndex follower : of_item) {
                    if (successors.size() > begins.back() && successors.back().item == follower) {
                        ++successors.back().count;
                    } else {
                        successors.push_back({follower, 1});
                    }
                }
                begins.push_back(successors.size());
            }
        }

        template <class Visit>
        static void each_pair(const Dataset& train, const Visit& visit) {
            for (Index s = 0; s < train.n_sessions(); ++s) {
                const std::span<const ItemIndex> session = train.session(to_session(s));
                for (std::size_t e = 1; e < session.size(); ++e) {
                    visit(session[e - 1], session[e]);
                }
            }
        }

        std::vector<double> tie_breaks;  // in (0, 1), by popularity, all different
        std::vector<std::size_t> begins;
        std::vector<Successor> successors;
    };

    std::shared_ptr<const Tables> tables_;
    std::optional<ItemIndex> last_;
};

}  // namespace gru4rec::inline GRU4REC_ABI

#endif
