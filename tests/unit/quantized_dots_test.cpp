#include "gru4rec/serve/quantized_dots.hpp"

#include "gru4rec/core/storage.hpp"
#include "support/naive/matrix.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

namespace {

using gru4rec::Index;
using gru4rec::detail::AlignedBuffer;
using gru4rec::detail::PlainDots;
using gru4rec::detail::quantized_chunk_items;
using gru4rec::detail::QuantizedVector;
using gru4rec::detail::TargetDots;

/// Integers of a chunk of rows, and of some vectors.
struct Numbers {
    Index width;
    std::vector<std::vector<int>> rows, vectors;
};

using Draw = std::function<int(naive::Engine&, int most)>;

/// @param most  the largest number of a vector
Numbers draw_numbers(Index width, std::size_t n_vectors, int most, const Draw& draw) {
    naive::Engine engine(3);
    Numbers numbers{width, {}, {}};
    for (Index item = 0; item < quantized_chunk_items; ++item) {
        auto& row = numbers.rows.emplace_back();
        for (Index k = 0; k < width; ++k) {
            row.push_back(draw(engine, 127));
        }
    }
    for (std::size_t v = 0; v < n_vectors; ++v) {
        auto& vector = numbers.vectors.emplace_back();
        for (Index k = 0; k < width; ++k) {
            vector.push_back(draw(engine, most));
        }
    }
    return numbers;
}

template <class Dots, int n_vectors>
void check_dots(const Numbers& numbers) {
    constexpr Index quad = gru4rec::detail::quad_features;
    const Index n_quads = (numbers.width + quad - 1) / quad;
    AlignedBuffer<std::uint8_t> rows(quantized_chunk_items * n_quads * quad);
    for (Index item = 0; item < quantized_chunk_items; ++item) {
        for (Index k = 0; k < numbers.width; ++k) {
            rows[gru4rec::detail::quantized_position<Dots>(item, k, n_quads)] = static_cast<std::uint8_t>(
                numbers.rows[static_cast<std::size_t>(item)][static_cast<std::size_t>(k)] + 128);
        }
    }
    AlignedBuffer<typename Dots::Feature> features(n_vectors * n_quads * quad);
    std::array<QuantizedVector<typename Dots::Feature>, static_cast<std::size_t>(n_vectors)> x;
    for (std::size_t v = 0; v < x.size(); ++v) {
        typename Dots::Feature* const to = features.data() + static_cast<Index>(v) * n_quads * quad;
        std::int64_t total = 0;
        for (std::size_t k = 0; k < numbers.vectors[v].size(); ++k) {
            to[k] = static_cast<typename Dots::Feature>(numbers.vectors[v][k]);
            total += to[k];
        }
        x[v] = {to, static_cast<std::int32_t>(static_cast<std::uint32_t>(-128 * total))};
    }
    AlignedBuffer<std::int32_t> dots(n_vectors * quantized_chunk_items);
    gru4rec::detail::quantized_dots<Dots, n_vectors>(rows.data(), n_quads, x.data(),
                                                     {dots.data(), quantized_chunk_items});
    int wrong = 0;
    for (std::size_t v = 0; v < x.size(); ++v) {
        for (Index item = 0; item < quantized_chunk_items; ++item) {
            std::int64_t wanted = 0;
            for (std::size_t k = 0; k < numbers.vectors[v].size(); ++k) {
                wanted += std::int64_t{numbers.rows[static_cast<std::size_t>(item)][k]} * numbers.vectors[v][k];
            }
            wrong += dots[static_cast<Index>(v) * quantized_chunk_items + item] == wanted ? 0 : 1;
        }
    }
    CHECK(wrong == 0);
}

/// With as many levels as a feature holds and a sum of 32 bits allows.
template <class Dots>
void check_all_dots(Index width, const Draw& draw) {
    constexpr Index most = std::numeric_limits<typename Dots::Feature>::max();
    const Numbers numbers = draw_numbers(width, 4, static_cast<int>(std::min(most, 2147483647 / (127 * width))), draw);
    check_dots<Dots, 1>(numbers);
    check_dots<Dots, 4>(numbers);
}

}  // namespace

TEST_CASE("the products of quantised rows are exact integers, in plain code and on this target") {
    const std::vector<Draw> draws = {
        [](naive::Engine& engine, int most) {
            return static_cast<int>((2 * naive::uniform(engine) - 1) * (most + 0.999));
        },
        [](naive::Engine&, int most) { return most; }, [](naive::Engine&, int most) { return -most; },
        [](naive::Engine& engine, int most) { return naive::uniform(engine) < 0.5 ? most : -most; },
        [](naive::Engine& engine, int most) {  // about the largest byte
            return std::min(most, 127 + static_cast<int>(naive::uniform(engine) * 3));
        }};
    for (const Index width : {1, 2, 3, 4, 5, 32, 33, 100, 519, 700}) {
        for (const Draw& draw : draws) {
            CAPTURE(width);
            check_all_dots<PlainDots<std::int8_t>>(width, draw);
            check_all_dots<PlainDots<std::int16_t>>(width, draw);
            check_all_dots<TargetDots>(width, draw);
        }
    }
}
