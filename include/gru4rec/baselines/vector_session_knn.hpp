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

/// Settings of VectorSessionKnn.
struct VectorSessionKnnOptions {
    Index k = 100;             ///< neighbours that vote, >= 1
    Index sample_size = 1000;  ///< m: neighbours are chosen from the m most recent sessions that share an item, >= k

    /// @throws ConfigError naming the option, its value and what is allowed
    void validate() const {
        if (k < 1) {
            detail::throw_invalid("k", k, "k >= 1");
        }
        if (sample_size < k) {
            detail::throw_invalid("sample_size", sample_size, "sample_size >= k = " + std::to_string(k));
        }
    }
};

/// Recommends the items of the most similar training sessions: V-SkNN of Ludewig and Jannach ("Evaluation of
/// session-based recommendation algorithms", arXiv 1803.09587), with scores weighted by inverse document frequency as
/// in their later comparison (arXiv 1910.12781).
///
/// 1. Candidates are the `sample_size` most recent training sessions that share an item with the session.
/// 2. In a session of n events, an item whose last event is at position p (from 1) has the weight p / n: the last event
///    counts 1, earlier ones linearly less. A candidate's similarity is the sum of the weights of the shared items. The
///    `k` most similar candidates are the neighbours; ties go to the more recent session.
/// 3. An item's score is log(N / n(i)) times the sum of the similarities of the neighbours that contain it, if n(i) of
///    the N training sessions contain the item. Popularity breaks ties and orders all other items.
///
/// Copies share the tables and have independent sessions.
class VectorSessionKnn {
  public:
    /// @throws ConfigError for options out of range
    /// @complexity O(events log(events of a session)); 8 bytes per distinct pair of session and item
    explicit VectorSessionKnn(const Dataset& train, const VectorSessionKnnOptions& options = {})
        : tables_(std::make_shared<const Tables>(train, options)) {}

    /// Starts a new session.
    void reset() noexcept { session_.clear(); }

    /// Adds an event to the session. @pre item < n_items()
    void observe(ItemIndex item) { session_.push_back(item); }

    /// A score for every item: as above, plus a popularity below 1e-6. @pre out.size() == n_items()
    ///
    /// @complexity O(V + sample_size (shared items) log(events of the session) + k (items of a neighbour))
    void scores(std::span<double> out) {
        GRU4REC_ASSERT(out.size() == tables_->popularity.size());
        std::copy(tables_->popularity.begin(), tables_->popularity.end(), out.begin());
        open_sources();
        find_candidates();
        const auto n_events = static_cast<double>(session_.size());
        for (const Candidate& neighbour : neighbours()) {
            const double similarity = static_cast<double>(neighbour.positions) / n_events;
            for (const ItemIndex item : tables_->sets.items_of(neighbour.session)) {
                detail::at(out, item) += similarity * detail::at(tables_->inverse_frequencies, item);
            }
        }
    }

    /// V of the training data.
    [[nodiscard]] Index n_items() const noexcept { return static_cast<Index>(tables_->popularity.size()); }

  private:
    struct Tables {
        Tables(const Dataset& train, const VectorSessionKnnOptions& wanted)
            : options(wanted), sets(train), popularity(detail::small_popularity_order(train)) {
            options.validate();
            for (Index item = 0; item < train.n_items(); ++item) {
                const auto n_containing = static_cast<double>(sets.sessions_of(to_item(item)).size());
                const auto n_sessions = static_cast<double>(sets.n_sessions());
                inverse_frequencies.push_back(n_containing > 0 ? std::log(n_sessions / n_containing) : 0);
            }
        }

        VectorSessionKnnOptions options;
        detail::SessionSets sets;
        std::vector<double> popularity;
        std::vector<double> inverse_frequencies;  // log(N / n(i))
    };

    struct Candidate {
        std::int32_t session;
        std::size_t positions;  // sum over the shared items: the similarity times the session's number of events
    };

    struct Position {
        ItemIndex item;
        std::size_t position;
    };

    /// The sessions of one of the items that are still to be merged.
    struct Source {
        std::span<const std::int32_t> sessions;  // oldest first
        std::size_t position;                    // of the item
    };

    /// Opens a source for each distinct item of the session.
    void open_sources() {
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

    /// Merges the sources, most recent sessions first.
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

    /// The most similar candidates.
    [[nodiscard]] std::span<const Candidate> neighbours() {
        const auto n = (std::min)(candidates_.size(), static_cast<std::size_t>(tables_->options.k));
        std::partial_sort(candidates_.begin(), candidates_.begin() + static_cast<std::ptrdiff_t>(n), candidates_.end(),
                          [](const Candidate& a, const Candidate& b) {
                              return a.positions != b.positions ? a.positions > b.positions : a.session > b.session;
                          });
        return std::span(candidates_).first(n);
    }

    std::shared_ptr<const Tables> tables_;
    std::vector<ItemIndex> session_;
    std::vector<Position> last_positions_;  // scratch memory of scores(), like all below
    std::vector<Source> sources_;           // a heap, the most recent session on top
    std::vector<Candidate> candidates_;
};

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
