#ifndef GRU4REC_BASELINES_LAST_ITEM_HPP
#define GRU4REC_BASELINES_LAST_ITEM_HPP

#include "gru4rec/baselines/popularity.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/packed_lists.hpp"
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
#include <utility>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {

/// An item that speaks for another, and how loudly.
struct WeightedItem {
    ItemIndex item;
    float weight;  ///< > 0
};

namespace detail {

using WeightedItemLists = PackedLists<WeightedItem>;  // list i: of the item numbered i

/// Sums by item, most of which are zero.
class SparseSums {
  public:
    explicit SparseSums(Index n_items) : sums_(static_cast<std::size_t>(n_items), 0) {}

    /// @pre value > 0
    void add(ItemIndex item, double value) {
        double& sum = sums_[static_cast<std::size_t>(item)];
        if (sum == 0) {
            touched_.push_back(item);
        }
        sum += value;
    }

    /// Calls `use(item, sum)` for every item with a sum, by index, and forgets them.
    template <class Use>
    void drain(const Use& use) {
        std::sort(touched_.begin(), touched_.end());
        for (const ItemIndex item : touched_) {
            use(item, std::exchange(sums_[static_cast<std::size_t>(item)], 0));
        }
        touched_.clear();
    }

  private:
    std::vector<double> sums_;
    std::vector<ItemIndex> touched_;
};

}  // namespace detail

/// Ranks items by their weight in the list of the session's last item, all others behind them by popularity.
///
/// Copies share the lists and have a session of their own.
class LastItemScorer {
  public:
    /// Starts a new session.
    void reset() noexcept { last_ = no_item; }

    void observe(ItemIndex item) noexcept { last_ = item; }

    /// A score for every item, higher is better, (V): the weight, plus a popularity below 1e-6. Before the first event
    /// of a session, and after an item without a list, popularity alone.
    void scores(std::span<double> out) const noexcept {
        GRU4REC_ASSERT(out.size() == tables_->popularity.size());
        std::copy(tables_->popularity.begin(), tables_->popularity.end(), out.begin());
        if (last_ != no_item) {
            for (const WeightedItem& entry : weighted_items(last_)) {
                out[static_cast<std::size_t>(entry.item)] += double{entry.weight};
            }
        }
    }

    /// The list of `item`, by item index.
    [[nodiscard]] std::span<const WeightedItem> weighted_items(ItemIndex item) const noexcept {
        return tables_->lists[to_index(item)];
    }

    [[nodiscard]] Index n_items() const noexcept { return static_cast<Index>(tables_->popularity.size()); }

  protected:
    LastItemScorer(const Dataset& train, detail::WeightedItemLists lists)
        : tables_(std::make_shared<const Tables>(Tables{detail::small_popularity_order(train), std::move(lists)})) {}

  private:
    static constexpr ItemIndex no_item{-1};

    struct Tables {
        std::vector<double> popularity;
        detail::WeightedItemLists lists;
    };

    std::shared_ptr<const Tables> tables_;
    ItemIndex last_ = no_item;
};

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
                std::sort(of_item.begin(), of_item.end());
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

struct SequentialRulesOptions {
    Index max_steps = 10;  ///< events that a rule may reach ahead, >= 1; 1: the Markov chain

    /// @throws std::invalid_argument
    void validate() const {
        if (max_steps < 1) {
            detail::throw_invalid("max_steps", max_steps, "max_steps >= 1");
        }
    }
};

/// Recommends what came after the session's last item in training, the nearer, the more it counts: every pair of events
/// (a, b) of a session, b coming d <= max_steps events after a, adds 1/d to the rule a -> b (sequential rules, SR of
/// Ludewig and Jannach, "Evaluation of session-based recommendation algorithms", arXiv 1803.09587). Items without a
/// rule follow by popularity, which also orders equal weights.
///
/// Copies share the rules and have a session of their own.
class SequentialRules : public LastItemScorer {
  public:
    /// @throws std::invalid_argument for options out of range
    /// @complexity O(events max_steps) time; 8 bytes per rule
    explicit SequentialRules(const Dataset& train, const SequentialRulesOptions& options = {})
        : LastItemScorer(train, rules(train, options)) {}

  private:
    /// An event, by what can follow it.
    struct Tail {
        const ItemIndex* next;
        const ItemIndex* end;
    };

    [[nodiscard]] static detail::WeightedItemLists rules(const Dataset& train, const SequentialRulesOptions& options) {
        options.validate();
        const detail::PackedLists<Tail> tails = tails_by_item(train, options.max_steps);
        detail::WeightedItemLists lists;
        detail::SparseSums weights(train.n_items());
        std::vector<WeightedItem> list;
        for (Index item = 0; item < tails.size(); ++item) {
            for (const Tail& tail : tails[item]) {
                double distance = 1;
                for (const ItemIndex* next = tail.next; next != tail.end; ++next, ++distance) {
                    weights.add(*next, 1 / distance);
                }
            }
            list.clear();
            weights.drain([&](ItemIndex other, double weight) { list.push_back({other, static_cast<float>(weight)}); });
            lists.push_back(list);
        }
        return lists;
    }

    /// By item, in the order of the data.
    [[nodiscard]] static detail::PackedLists<Tail> tails_by_item(const Dataset& train, Index max_steps) {
        auto tails = detail::PackedLists<Tail>::of_sizes(train.supports());
        for (Index s = 0; s < train.n_sessions(); ++s) {
            const std::span<const ItemIndex> session = train.session(to_session(s));
            const ItemIndex* const end = session.data() + session.size();
            for (const ItemIndex& event : session) {
                const ItemIndex* const first = &event + 1;
                tails.append(to_index(event), {first, first + (std::min)(max_steps, end - first)});
            }
        }
        return tails;
    }
};

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
