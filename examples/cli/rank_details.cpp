#include "rank_details.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>

namespace cli {

namespace {

constexpr std::array<std::int64_t, 8> firsts_of_positions{1, 2, 3, 4, 5, 6, 10, 20};
constexpr std::array<std::int64_t, 8> firsts_of_lengths{2, 3, 4, 5, 6, 10, 20, 50};

/// 0, 1, 2, 5, 10, 20, ... up to `most` at least.
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
    /// @param firsts  the least number of each group, ascending
    Groups(std::span<const std::int64_t> firsts, std::span<const int> cutoffs) : cutoffs_(cutoffs) {
        for (std::size_t g = 0; g < firsts.size(); ++g) {
            RankGroup& group = groups_.emplace_back();
            group.from = firsts[g];
            if (g + 1 < firsts.size()) {
                group.to = firsts[g + 1] - 1;
            }
            group.recall.resize(cutoffs.size());
            group.mrr.resize(cutoffs.size());
            group.ndcg.resize(cutoffs.size());
        }
    }

    void add(std::int64_t number, double rank) {
        const auto after = std::upper_bound(groups_.begin() + 1, groups_.end(), number,
                                            [](std::int64_t n, const RankGroup& group) { return n < group.from; });
        RankGroup& group = *(after - 1);
        ++group.n_predictions;
        for (std::size_t c = 0; c < cutoffs_.size(); ++c) {
            if (rank <= cutoffs_[c]) {
                group.recall[c] += 1;
                group.mrr[c] += 1 / rank;
                group.ndcg[c] += 1 / std::log2(rank + 1);
            }
        }
    }

    /// Means in place of sums.
    [[nodiscard]] std::vector<RankGroup> finish() {
        std::erase_if(groups_, [](const RankGroup& group) { return group.n_predictions == 0; });
        for (RankGroup& group : groups_) {
            for (std::vector<double>* const sums : {&group.recall, &group.mrr, &group.ndcg}) {
                for (double& sum : *sums) {
                    sum /= static_cast<double>(group.n_predictions);
                }
            }
        }
        return std::move(groups_);
    }

  private:
    std::span<const int> cutoffs_;
    std::vector<RankGroup> groups_;
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

/// A median rank between two groups belongs to the upper one: it is above the limit of the lower one.
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
    Groups positions(firsts_of_positions, evaluation.cutoffs);
    Groups lengths(firsts_of_lengths, evaluation.cutoffs);
    Groups popularities(firsts_of_supports, evaluation.cutoffs);
    RankDetails details;
    details.ranks = rank_groups(test.n_items());
    for (const gru4rec::EventRank& event : evaluation.ranks) {
        const double rank = event.rank.rank(rule);
        positions.add(event.position, rank);
        lengths.add(static_cast<std::int64_t>(test.session(event.session).size()), rank);
        popularities.add(supports[static_cast<std::size_t>(to_index(event.item))], rank);
        count(rank, details);
    }
    details.by_position = positions.finish();
    details.by_session_length = lengths.finish();
    details.by_popularity = popularities.finish();
    return details;
}

}  // namespace cli
