#ifndef GRU4REC_BASELINES_VECTOR_SESSION_KNN_HPP
#define GRU4REC_BASELINES_VECTOR_SESSION_KNN_HPP

#include "gru4rec/baselines/popularity.hpp"
#include "gru4rec/baselines/session_sets.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/dataset.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {

struct VectorSessionKnnOptions {
    Index k = 100;             ///< neighbours that vote, >= 1
    Index sample_size = 1000;  ///< m: the most recent sessions that share an item, of which they are chosen, >= k

    /// @throws std::invalid_argument
    void validate() const {
        if (k < 1) {
            detail::throw_invalid("k", k, "k >= 1");
        }
        if (sample_size < k) {
            detail::throw_invalid("sample_size", sample_size, "sample_size >= k = " + std::to_string(k));
        }
    }
};

/// Recommends what the most similar training sessions hold: V-SkNN of Ludewig and Jannach ("Evaluation of session-based
/// recommendation algorithms", arXiv 1803.09587), with the scores weighed by inverse document frequency as in their
/// later comparison (arXiv 1910.12781).
///
/// 1. Candidates are the `sample_size` most recent training sessions that share an item with the session.
/// 2. The weight of the session's item at position p of n (from 1; of an item that occurs several times, its last) is
///    p / n: the last event counts 1, earlier ones linearly less. A candidate's similarity is the sum of the weights
///    of the items that it shares. The `k` most similar ones are the neighbours, of equal ones the more recent.
/// 3. An item's score is log(N / n(i)) times the sum of the similarities of the neighbours that hold it; N training
///    sessions, n(i) of them hold the item. Popularity orders equal scores and all other items.
///
/// Copies share the tables and have a session of their own.
class VectorSessionKnn {
  public:
    /// @throws std::invalid_argument for options out of range
    /// @complexity O(events log(events of a session)); 8 bytes per different pair of session and item
    explicit VectorSessionKnn(const Dataset& train, const VectorSessionKnnOptions& options = {})
        : tables_(std::make_shared<const Tables>(train, options)) {}

    /// Starts a new session.
    void reset() noexcept { session_.clear(); }

    void observe(ItemIndex item) { session_.push_back(item); }

    /// A score for every item, higher is better, (V), as above, plus a popularity below 1e-6.
    ///
    /// @complexity O(V + sample_size (items shared) log(events of the session) + k (items of a neighbour))
    void scores(std::span<double> out) {
        GRU4REC_ASSERT(out.size() == tables_->popularity.size());
        std::copy(tables_->popularity.begin(), tables_->popularity.end(), out.begin());
        weigh_items();
        find_candidates();
        const auto n = (std::min)(candidates_.size(), static_cast<std::size_t>(tables_->options.k));
        const auto neighbours_end = candidates_.begin() + static_cast<std::ptrdiff_t>(n);
        std::partial_sort(candidates_.begin(), neighbours_end, candidates_.end(),
                          [](const Candidate& a, const Candidate& b) {
                              return a.positions != b.positions ? a.positions > b.positions : a.session > b.session;
                          });
        const auto n_events = static_cast<double>(session_.size());
        for (const Candidate& neighbour : std::span(candidates_).first(n)) {
            const double similarity = static_cast<double>(neighbour.positions) / n_events;
            for (const ItemIndex item : tables_->sets.items_of(neighbour.session)) {
                const auto at = static_cast<std::size_t>(item);
                out[at] += similarity * tables_->inverse_frequencies[at];
            }
        }
    }

    [[nodiscard]] Index n_items() const noexcept { return static_cast<Index>(tables_->popularity.size()); }

  private:
    struct Tables {
        Tables(const Dataset& train, const VectorSessionKnnOptions& wanted)
            : options(wanted), sets(train), popularity(detail::small_popularity_order(train)) {
            options.validate();
            for (Index item = 0; item < train.n_items(); ++item) {
                const auto holding = static_cast<double>(sets.sessions_of(to_item(item)).size());
                inverse_frequencies.push_back(holding > 0 ? std::log(static_cast<double>(sets.n_sessions()) / holding)
                                                          : 0);
            }
        }

        VectorSessionKnnOptions options;
        detail::SessionSets sets;
        std::vector<double> popularity;
        std::vector<double> inverse_frequencies;
    };

    struct Candidate {
        std::int32_t session;
        std::size_t positions;  // of the shared items, summed: similarity times the session's events
    };

    /// The sessions of one of the items, those that have not been looked at yet.
    struct Source {
        std::span<const std::int32_t> sessions;  // oldest first
        std::size_t position;                    // of the item
    };

    /// Opens a source for each different item of the session.
    void weigh_items() {
        last_positions_.clear();
        for (std::size_t e = 0; e < session_.size(); ++e) {
            last_positions_.push_back({session_[e], e + 1});
        }
        std::sort(last_positions_.begin(), last_positions_.end(), [](const Position& a, const Position& b) {
            return a.item != b.item ? a.item < b.item : a.position > b.position;
        });
        const auto same_item = [](const Position& a, const Position& b) { return a.item == b.item; };
        last_positions_.erase(std::unique(last_positions_.begin(), last_positions_.end(), same_item),
                              last_positions_.end());
        sources_.clear();
        for (const Position& entry : last_positions_) {
            if (const auto sessions = tables_->sets.sessions_of(entry.item); !sessions.empty()) {
                sources_.push_back({sessions, entry.position});
            }
        }
    }

    /// Merges the sources from their recent ends.
    void find_candidates() {
        const auto older = [](const Source& a, const Source& b) { return a.sessions.back() < b.sessions.back(); };
        candidates_.clear();
        std::make_heap(sources_.begin(), sources_.end(), older);
        while (!sources_.empty()) {
            std::pop_heap(sources_.begin(), sources_.end(), older);
            Source& newest = sources_.back();
            const std::int32_t session = newest.sessions.back();
            if (candidates_.empty() || candidates_.back().session != session) {
                if (static_cast<Index>(candidates_.size()) == tables_->options.sample_size) {
                    return;
                }
                candidates_.push_back({session, 0});
            }
            candidates_.back().positions += newest.position;
            newest.sessions = newest.sessions.first(newest.sessions.size() - 1);
            if (newest.sessions.empty()) {
                sources_.pop_back();
            } else {
                std::push_heap(sources_.begin(), sources_.end(), older);
            }
        }
    }

    struct Position {
        ItemIndex item;
        std::size_t position;
    };

    std::shared_ptr<const Tables> tables_;
    std::vector<ItemIndex> session_;
    std::vector<Position> last_positions_;  // scratch of scores(), as all below
    std::vector<Source> sources_;           // a heap, the most recent session on top
    std::vector<Candidate> candidates_;
};

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
