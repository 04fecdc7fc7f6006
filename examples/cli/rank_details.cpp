#include "rank_details.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

namespace cli {

namespace {

// The least number of each group.
constexpr std::array<std::int64_t, 8> firsts_of_positions{1, 2, 3, 4, 5, 6, 10, 20};
constexpr std::array<std::int64_t, 8> firsts_of_lengths{2, 3, 4, 5, 6, 10, 20, 50};

/// 0, 1, 2, 5, 10, 20, ... up to at least `most`.
[[nodiscard]] std::vector<std::int64_t> round_numbers(std::int64_t most) {
    std::vector<std::int64_t> numbers{0};
    for (std::int64_t power = 1; numbers.back() < most && power < std::int64_t{1'000'000'000'000'000'000};
         power *= 10) {
        for (const std::int64_t digit : {1, 2, 5}) {
            numbers.push_back(digit * power);
        }
    }
    return numbers;
}

/// Predictions grouped by a number.
class Groups {
  public:
    /// @param firsts   the least number of each group, ascending
    /// @param nothing  sums without predictions
    Groups(std::span<const std::int64_t> firsts, const gru4rec::MetricSums& nothing)
        : firsts_(firsts.begin(), firsts.end()), sums_(firsts.size(), nothing) {}

    void add(std::int64_t number, const gru4rec::EventRank& event) {
        const auto after = std::upper_bound(firsts_.begin() + 1, firsts_.end(), number);
        sums_[static_cast<std::size_t>(after - firsts_.begin() - 1)].add(event.rank);
    }

    /// The groups that are not empty.
    [[nodiscard]] std::vector<RankGroup> measured() const {
        std::vector<RankGroup> groups;
        for (std::size_t g = 0; g < firsts_.size(); ++g) {
            const gru4rec::Evaluation found = sums_[g].result();
            if (found.n_predictions > 0) {
                groups.push_back({firsts_[g], std::nullopt, found.n_predictions, found.metrics.front()});
                if (g + 1 < firsts_.size()) {
                    groups.back().to = firsts_[g + 1] - 1;
                }
            }
        }
        return groups;
    }

  private:
    std::vector<std::int64_t> firsts_;
    std::vector<gru4rec::MetricSums> sums_;
};

/// Groups of ranks up to 1, 2, 5, 10, ..., the last of them up to `n_items`.
[[nodiscard]] std::vector<RankCount> rank_groups(gru4rec::Index n_items) {
    std::vector<RankCount> groups;
    for (const std::int64_t number : round_numbers(n_items)) {
        if (number > 0 && (groups.empty() || groups.back().up_to < n_items)) {
            groups.push_back({(std::min)(number, std::int64_t{n_items}), 0});
        }
    }
    return groups;
}

/// Counts a rank in its group. A median rank between two groups belongs to the upper one: it is above the limit of the
/// lower one.
void count(double rank, RankDetails& details) {
    if (!std::isfinite(rank)) {
        ++details.n_unranked;
        return;
    }
    const auto group = std::find_if(details.ranks.begin(), details.ranks.end() - 1,
                                    [&](const RankCount& g) { return rank <= static_cast<double>(g.up_to); });
    ++group->n_predictions;
}

}  // namespace

RankDetails details_of(const gru4rec::Evaluation& evaluation, gru4rec::Ties rule, const gru4rec::Dataset& test,
                       std::span<const std::int64_t> supports) {
    const std::int64_t most = supports.empty() ? 0 : *std::max_element(supports.begin(), supports.end());
    std::vector<std::int64_t> firsts_of_supports = round_numbers(most);
    while (firsts_of_supports.size() > 1 && firsts_of_supports.back() > most) {
        firsts_of_supports.pop_back();
    }
    const gru4rec::MetricSums nothing(gru4rec::EvaluationOptions{.cutoffs = evaluation.cutoffs, .ties = {rule}});
    Groups positions(firsts_of_positions, nothing);
    Groups lengths(firsts_of_lengths, nothing);
    Groups popularities(firsts_of_supports, nothing);
    RankDetails details;
    details.ranks = rank_groups(test.n_items());
    for (const gru4rec::EventRank& event : evaluation.ranks) {
        positions.add(event.position, event);
        lengths.add(static_cast<std::int64_t>(test.session(event.session).size()), event);
        popularities.add(supports[static_cast<std::size_t>(to_index(event.item))], event);
        count(event.rank.rank(rule), details);
    }
    details.by_position = positions.measured();
    details.by_session_length = lengths.measured();
    details.by_popularity = popularities.measured();
    return details;
}

}  // namespace cli
