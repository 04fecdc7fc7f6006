#ifndef GRU4REC_BENCH_SUPPORT_DATA_HPP
#define GRU4REC_BENCH_SUPPORT_DATA_HPP

#include "gru4rec/batch/negative_sampler.hpp"
#include "gru4rec/core/kernels.hpp"
#include "gru4rec/core/random.hpp"
#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/item_map.hpp"
#include "gru4rec/data/session_source.hpp"
#include "gru4rec/data/synthetic.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace bench {

using gru4rec::Index;
using gru4rec::ItemIndex;
using gru4rec::LaneMatrix;
using gru4rec::detail::PaddedMatrix;
using gru4rec::detail::Random;
using gru4rec::detail::Rows;

/// Items of the catalogue that all benchmarks share: RSC15's.
inline constexpr Index n_catalogue_items = 37'483;

/// H units, B lanes, K candidates of a step.
struct Shape {
    Index units;
    Index lanes;
    Index candidates;
};

/// Of the published settings for RSC15, RetailRocket, Diginetica and Rees46.
inline constexpr std::array<Shape, 4> published_shapes = {
    {{100, 32, 2080}, {224, 80, 2128}, {512, 128, 2176}, {512, 240, 2288}}};

[[nodiscard]] inline Random random_stream(std::uint64_t number) { return {42, Random::Stream::test, {number}}; }

/// U(-scale, scale)
[[nodiscard]] inline float uniform(Random& random, double scale) {
    return static_cast<float>((2 * random.uniform() - 1) * scale);
}

inline void fill(PaddedMatrix<float>& matrix, double scale, std::uint64_t number) {
    Random random = random_stream(number);
    for (Index i = 0; i < matrix.rows(); ++i) {
        for (Index j = 0; j < matrix.cols(); ++j) {
            matrix.row(i)[j] = uniform(random, scale);
        }
    }
}

/// Columns of lanes with their memory; lanes beyond the live ones are 0.
class Columns {
  public:
    Columns(Index lanes, Index n)
        : lanes_(lanes),
          n_(n),
          stride_(gru4rec::detail::row_stride<float>(lanes)),
          values_(stride_ * gru4rec::detail::padded<float>(n)) {}

    Columns(Index lanes, Index n, double scale, std::uint64_t number) : Columns(lanes, n) {
        Random random = random_stream(number);
        for (Index j = 0; j < n; ++j) {
            for (Index lane = 0; lane < lanes; ++lane) {
                view().column(j)[lane] = uniform(random, scale);
            }
        }
    }

    [[nodiscard]] LaneMatrix<float> view() noexcept { return {values_.data(), stride_}; }
    [[nodiscard]] LaneMatrix<const float> view() const noexcept { return {values_.data(), stride_}; }
    [[nodiscard]] Index lanes() const noexcept { return lanes_; }
    [[nodiscard]] Index padded_lanes() const noexcept { return gru4rec::detail::padded<float>(lanes_); }
    [[nodiscard]] Index n() const noexcept { return n_; }

  private:
    Index lanes_;
    Index n_;
    Index stride_;
    gru4rec::detail::AlignedBuffer<float> values_;
};

/// Events per item after Zipf's law, in an order that has nothing to do with the items' numbers.
[[nodiscard]] inline std::vector<std::int64_t> zipf_supports(Index n_items) {
    std::vector<std::int64_t> supports;
    for (std::int64_t rank = 1; rank <= n_items; ++rank) {
        supports.push_back(5 + 1'000'000 / rank);
    }
    random_stream(1).shuffle(std::span(supports));
    return supports;
}

/// `n` different items, ascending, popular ones more often than others: as the drawn candidates of a step.
[[nodiscard]] inline std::vector<ItemIndex> distinct_items(Index n_items, Index n, std::uint64_t number = 2) {
    const gru4rec::NegativeSampler sampler(zipf_supports(n_items), 0.5);
    Random random = random_stream(number);
    std::set<ItemIndex> items;
    while (static_cast<Index>(items.size()) < n) {
        items.insert(sampler.draw(random.next()));
    }
    return {items.begin(), items.end()};
}

[[nodiscard]] inline gru4rec::ItemMap item_map(Index n_items) {
    gru4rec::ItemMap map;
    for (Index i = 0; i < n_items; ++i) {
        map.insert("item-" + std::to_string(i));
    }
    return map;
}

/// Sessions without end: lengths by the law of the synthetic shop, with mean 4; items by popularity.
class EndlessSessions {
  public:
    EndlessSessions(std::span<const std::int64_t> supports, Index n_sessions)
        : n_items_(static_cast<Index>(supports.size())) {
        const gru4rec::NegativeSampler sampler(supports, 1);
        Random random = random_stream(3);
        for (Index s = 0; s < n_sessions; ++s) {
            begins_.push_back(items_.size());
            // The law's tail is cut, so that lanes take new sessions all the time.
            const Index length = (std::min)(Index{200}, gru4rec::SyntheticShop::session_length(random.next()));
            for (Index e = 0; e < length; ++e) {
                items_.push_back(sampler.draw(random.next()));
            }
        }
        begins_.push_back(items_.size());
    }

    void start_epoch(std::uint64_t) noexcept { next_ = 0; }

    [[nodiscard]] std::span<const ItemIndex> next_session() noexcept {
        const std::size_t session = next_;
        next_ = session + 2 < begins_.size() ? session + 1 : 0;
        return std::span(items_).subspan(begins_[session], begins_[session + 1] - begins_[session]);
    }

    [[nodiscard]] Index n_items() const noexcept { return n_items_; }
    [[nodiscard]] Index n_pairs() const noexcept { return static_cast<Index>(items_.size() - begins_.size() + 1); }

  private:
    Index n_items_;
    std::vector<ItemIndex> items_;
    std::vector<std::size_t> begins_;
    std::size_t next_ = 0;
};

static_assert(gru4rec::SessionSource<EndlessSessions>);

}  // namespace bench

#endif
