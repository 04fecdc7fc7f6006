#include "gru4rec/eval/catalogue_scan.hpp"

#include "gru4rec/core/random.hpp"
#include "support/sweep.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace {

using gru4rec::Index;
using gru4rec::ItemIndex;
using gru4rec::LaneMatrix;
using gru4rec::Recommendation;
using gru4rec::to_item;
using gru4rec::detail::AlignedBuffer;
using gru4rec::detail::at;
using gru4rec::detail::CatalogueScan;
using gru4rec::detail::PaddedMatrix;
using gru4rec::detail::Random;
using gru4rec::detail::TargetRank;

constexpr Index width = 5;  // four units and the bias

/// A table and hidden states of small whole numbers, so that every sum is exact and many scores are equal.
template <class Scalar>
struct Scene {
    Scene(Index n_items, Index max_lanes, std::uint64_t seed)
        : table(n_items, width), stride(gru4rec::detail::row_stride<Scalar>(max_lanes)), h(stride * 16) {
        Random random(seed, Random::Stream::test);
        const auto draw = [&] { return static_cast<Scalar>(random.below(7)) - 3; };
        for (Index item = 0; item < n_items; ++item) {
            for (Index k = 0; k < width; ++k) {
                table.row(item)[k] = draw();
            }
        }
        for (Index lane = 0; lane < max_lanes; ++lane) {
            for (Index k = 0; k < width; ++k) {
                h[k * stride + lane] = k + 1 < width ? draw() : Scalar(1);
            }
            targets.push_back(to_item(static_cast<Index>(random.below(static_cast<std::uint64_t>(n_items)))));
        }
    }

    void set_bias(Index item, Scalar value) { table.row(item)[width - 1] = value; }

    [[nodiscard]] std::vector<Scalar> scores(Index lane) const {
        std::vector<Scalar> result;
        for (Index item = 0; item < table.rows(); ++item) {
            Scalar sum = 0;
            for (Index k = 0; k < width; ++k) {
                sum += table.row(item)[k] * h[k * stride + lane];
            }
            result.push_back(sum);
        }
        return result;
    }

    [[nodiscard]] LaneMatrix<const Scalar> states() const { return {h.data(), stride}; }

    PaddedMatrix<Scalar> table;
    Index stride;
    AlignedBuffer<Scalar> h;
    std::vector<ItemIndex> targets;
};

/// By sorting all items.
template <class Scalar>
std::vector<Index> naive_list(const std::vector<Scalar>& scores, Index length) {
    std::vector<Index> items;
    for (std::size_t i = 0; i < scores.size(); ++i) {
        items.push_back(static_cast<Index>(i));
    }
    std::stable_sort(items.begin(), items.end(), [&](Index a, Index b) {
        const bool a_first = at(scores, a) > at(scores, b);
        return a_first || (std::isnan(at(scores, b)) && !std::isnan(at(scores, a)));
    });
    items.resize(static_cast<std::size_t>(std::min(length, static_cast<Index>(items.size()))));
    return items;
}

template <class Scalar>
void check_lane(const CatalogueScan<Scalar>& scan, const Scene<Scalar>& scene, Index lane, Index length) {
    const std::vector<Scalar> scores = scene.scores(lane);
    const Scalar target = at(scores, at(scene.targets, lane));
    const TargetRank rank = scan.rank(lane);
    CHECK(rank.greater == std::count_if(scores.begin(), scores.end(), [&](Scalar score) { return score > target; }));
    CHECK(rank.equal == std::count_if(scores.begin(), scores.end(), [&](Scalar score) { return score == target; }));
    CHECK(rank.valid == !std::isnan(target));
    if (length > 0) {
        std::vector<Index> listed;
        for (const Recommendation<Scalar>& entry : scan.list(lane)) {
            listed.push_back(to_index(entry.item));
            const Scalar score = at(scores, entry.item);
            CHECK((entry.score == score || (std::isnan(entry.score) && std::isnan(score))));
        }
        CHECK(listed == naive_list(scores, length));
    }
}

template <class Scalar>
void check_scan(const Scene<Scalar>& scene, Index max_lanes, Index length) {
    CatalogueScan<Scalar> scan(scene.table, max_lanes, length);
    // A full step, then a shorter one with the same memory.
    for (const Index n_lanes : {max_lanes, (max_lanes + 1) / 2}) {
        scan.run(scene.states(), std::span(scene.targets).first(static_cast<std::size_t>(n_lanes)));
        // Every item of a large catalogue is sorted for each lane that is checked; the last one always is.
        for (Index lane = n_lanes - 1; lane >= 0; lane -= scene.table.rows() > 2000 ? sweep::one_in : 1) {
            CAPTURE(lane);
            CAPTURE(n_lanes);
            check_lane(scan, scene, lane, length);
        }
    }
}

}  // namespace

TEST_CASE("ranks and lists are those of sorting all scores, for any number of items, lanes and entries") {
    std::uint64_t seed = 0;
    for (const Index n_items : {Index{1}, Index{2}, Index{47}, Index{49}, Index{1000}, Index{8193}, Index{20011}}) {
        for (const Index max_lanes : {Index{1}, Index{33}, Index{128}}) {
            for (const Index length : {Index{0}, Index{1}, Index{20}, Index{1500}}) {
                if (n_items > 2000 && max_lanes == 128 && length != 20) {
                    continue;  // the naive side takes seconds
                }
                CAPTURE(n_items);
                CAPTURE(max_lanes);
                CAPTURE(length);
                check_scan(Scene<float>(n_items, max_lanes, ++seed), max_lanes, std::min(length, n_items));
            }
        }
        check_scan(Scene<double>(n_items, 20, ++seed), 20, std::min(Index{7}, n_items));
    }
}

TEST_CASE("infinite scores and NaN find their places, at the ends of tiles and parts too") {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    constexpr float nan = std::numeric_limits<float>::quiet_NaN();
    std::uint64_t n_large = 0;
    for (const Index n_items : {Index{60}, Index{9000}}) {
        Scene<float> scene(n_items, 20, 3);
        for (const Index item : {Index{0}, Index{47}, Index{48}, n_items - 1}) {
            for (const float value : {infinity, -infinity, nan}) {
                scene.set_bias(item, value);
                scene.targets[0] = to_item(item);
                for (const Index length : {Index{2}, Index{20}, n_items}) {
                    if (n_items > 2000 && !sweep::visits(n_large++)) {
                        continue;
                    }
                    check_scan(scene, 20, length);
                }
            }
        }
        for (Index item = 0; item < n_items; ++item) {  // nothing can be told apart
            scene.set_bias(item, item % 3 == 0 ? nan : -infinity);
        }
        check_scan(scene, 20, 20);
        check_scan(scene, 20, n_items);
    }
}
