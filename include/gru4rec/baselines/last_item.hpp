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
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {

namespace detail {

/// A co-occurring item and its weight.
struct WeightedItem {
    ItemIndex item;
    float weight;  ///< > 0
};

using WeightedItemLists = PackedLists<WeightedItem>;  // list i belongs to item i

/// Sums by item, most of which are zero.
class SparseSums {
  public:
    explicit SparseSums(Index n_items) : sums_(static_cast<std::size_t>(n_items), 0) {}

    /// @pre value > 0
    void add(ItemIndex item, double value) {
        double& sum = at(sums_, item);
        if (sum == 0) {
            touched_.push_back(item);
        }
        sum += value;
    }

    /// Calls `use(item, sum)` for every item with a sum, by item index, and resets all sums.
    template <class Use>
    void drain(const Use& use) {
        std::sort(touched_.begin(), touched_.end());
        for (const ItemIndex item : touched_) {
            use(item, std::exchange(at(sums_, item), 0));
        }
        touched_.clear();
    }

  private:
    std::vector<double> sums_;
    std::vector<ItemIndex> touched_;
};

/// Ranks items by their weight in the list of the session's last item; all other items follow by popularity.
///
/// Copies share the lists and have independent sessions.
class LastItemScorer {
  public:
    /// Starts a new session.
    void reset() noexcept { last_ = no_item; }

    /// Adds an event to the session. @pre item < n_items()
    void observe(ItemIndex item) noexcept { last_ = item; }

    /// A score for every item, higher is better: the weight plus the popularity that breaks ties. Only the popularity
    /// before the first event of a session and after an item without a list. @pre out.size() == n_items()
    void scores(std::span<double> out) const noexcept {
        GRU4REC_ASSERT(out.size() == tables_->popularity.size());
        std::copy(tables_->popularity.begin(), tables_->popularity.end(), out.begin());
        if (last_ != no_item) {
            for (const WeightedItem& entry : weighted_items(last_)) {
                at(out, entry.item) += double{entry.weight};
            }
        }
    }

    /// The list of `item`, by item index.
    [[nodiscard]] std::span<const WeightedItem> weighted_items(ItemIndex item) const noexcept {
        return tables_->lists[to_index(item)];
    }

    [[nodiscard]] Index n_items() const noexcept { return static_cast<Index>(tables_->popularity.size()); }

  protected:
    /// @param popularity  of all items, (V), below the differences between weights
    LastItemScorer(std::vector<double> popularity, WeightedItemLists lists)
        : tables_(std::make_shared<const Tables>(Tables{std::move(popularity), std::move(lists)})) {}

  private:
    static constexpr ItemIndex no_item{-1};

    struct Tables {
        std::vector<double> popularity;
        WeightedItemLists lists;
    };

    std::shared_ptr<const Tables> tables_;
    ItemIndex last_ = no_item;
};

/// The events that can follow an event by a rule.
struct FollowingEvents {
    const ItemIndex* begin;
    const ItemIndex* end;
};

/// For each item, what follows its events, in the order of the data.
[[nodiscard]] inline PackedLists<FollowingEvents> following_events(const Dataset& train, Index max_steps) {
    auto following = PackedLists<FollowingEvents>::of_sizes(train.supports());
    for (Index s = 0; s < train.n_sessions(); ++s) {
        const std::span<const ItemIndex> session = train.session(to_session(s));
        const ItemIndex* const end = session.data() + session.size();
        for (const ItemIndex& event : session) {
            const ItemIndex* const begin = &event + 1;
            following.append(to_index(event), {begin, begin + (std::min)(max_steps, end - begin)});
        }
    }
    return following;
}

/// The weights of all sequential rules of up to `max_steps` steps: see SequentialRules.
[[nodiscard]] inline WeightedItemLists sequential_rules(const Dataset& train, Index max_steps) {
    const PackedLists<FollowingEvents> following = following_events(train, max_steps);
    WeightedItemLists rules;
    SparseSums weights(train.n_items());
    std::vector<WeightedItem> of_item;
    for (Index item = 0; item < following.size(); ++item) {
        for (const FollowingEvents& events : following[item]) {
            double distance = 1;
            for (const ItemIndex* next = events.begin; next != events.end; ++next, ++distance) {
                weights.add(*next, 1 / distance);
            }
        }
        of_item.clear();
        weights.drain([&](ItemIndex other, double weight) { of_item.push_back({other, static_cast<float>(weight)}); });
        rules.push_back(of_item);
    }
    return rules;
}

}  // namespace detail

/// Settings of SequentialRules.
struct SequentialRulesOptions {
    Index max_steps = 10;  ///< events that a rule may reach ahead, >= 1

    /// @throws ConfigError naming the option, its value and what is allowed
    void validate() const {
        if (max_steps < 1) {
            detail::throw_invalid("max_steps", max_steps, "max_steps >= 1");
        }
    }
};

/// Recommends what came soon after the session's last item in training: every pair of events (a, b) of a session, b
/// coming d <= max_steps events after a, adds 1/d to the rule a -> b (sequential rules, SR of Ludewig and Jannach,
/// "Evaluation of session-based recommendation algorithms", arXiv 1803.09587). Items without a rule follow by
/// popularity, which also breaks ties.
///
/// Copies share the rules and have independent sessions.
class SequentialRules : public detail::LastItemScorer {
  public:
    /// @throws ConfigError for options out of range
    /// @complexity O(events max_steps) time; 8 bytes per rule
    explicit SequentialRules(const Dataset& train, const SequentialRulesOptions& options = {})
        : LastItemScorer(detail::small_popularity_order(train), rules(train, options)) {}

  private:
    [[nodiscard]] static detail::WeightedItemLists rules(const Dataset& train, const SequentialRulesOptions& options) {
        options.validate();
        return detail::sequential_rules(train, options.max_steps);
    }
};

/// Recommends what followed the session's last item most often in training: a first-order Markov chain, that is,
/// sequential rules of one step. A weight is a count, and the popularity below 1 that is added to it breaks all ties,
/// in a catalogue of any size; equal popularity is ordered by item index.
///
/// Copies share the counts and have independent sessions.
class Markov : public detail::LastItemScorer {
  public:
    /// @complexity O(events) time; 8 bytes per distinct pair of neighbours. Counts above 2^24 are rounded
    explicit Markov(const Dataset& train)
        : LastItemScorer(detail::popularity_order(train), detail::sequential_rules(train, 1)) {}
};

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
