#ifndef GRU4REC_BASELINES_SEQUENTIAL_RULES_HPP
#define GRU4REC_BASELINES_SEQUENTIAL_RULES_HPP

#include "gru4rec/baselines/last_item_scorer.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/packed_lists.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/dataset.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <span>
#include <vector>

namespace gru4rec::inline GRU4REC_ABI {

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

}  // namespace gru4rec::inline GRU4REC_ABI

#endif
