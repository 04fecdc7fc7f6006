#include "gru4rec/data/field_ends.hpp"

#include "gru4rec/core/random.hpp"
#include "support/sweep.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace {

using gru4rec::detail::block_bytes;
using gru4rec::detail::FieldEnds;
using gru4rec::detail::find_ends;
using gru4rec::detail::find_ends_portably;
using gru4rec::detail::Random;

/// One byte at a time.
std::uint64_t find_ends_naively(const char* block, char separator) {
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < block_bytes; ++i) {
        bits |= std::uint64_t{block[i] == separator || block[i] == '\n'} << i;
    }
    return bits;
}

/// The offsets of all separators and LFs, and the size.
std::vector<std::size_t> ends_naively(std::string_view text, char separator) {
    std::vector<std::size_t> ends;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == separator || text[i] == '\n') {
            ends.push_back(i);
        }
    }
    ends.push_back(text.size());
    return ends;
}

/// Of memory that ends with the text, so that a sanitizer sees what is read beyond it.
std::vector<std::size_t> ends_of(std::string_view text, char separator, std::size_t alignment = 0) {
    std::vector<char> exact(alignment);
    exact.insert(exact.end(), text.begin(), text.end());
    const char* const begin = exact.data() + alignment;
    FieldEnds walk(begin, begin + text.size(), separator);
    std::vector<std::size_t> ends;
    do {
        ends.push_back(static_cast<std::size_t>(walk.next() - begin));
    } while (ends.back() < text.size());
    CHECK(walk.next() == begin + text.size());
    return ends;
}

/// Of n bytes about one in `one_in` is the separator or LF; the others come close to them.
std::string random_text(Random& random, std::size_t n, char separator, std::uint64_t one_in) {
    std::string text;
    for (std::size_t i = 0; i < n; ++i) {
        const char end = random.below(3) == 0 ? '\n' : separator;
        const auto other = static_cast<char>(random.below(256));
        const auto near = static_cast<char>(static_cast<unsigned>(end) ^ (1U << random.below(8)));
        text += random.below(one_in) == 0 ? end : (random.below(2) == 0 ? near : other);
    }
    return text;
}

TEST_CASE("vectors, words and single bytes find the same ends of fields in a block") {
    Random random(1, Random::Stream::test);
    for (int round = 0; round < sweep::part_of(2000); ++round) {
        for (const char separator : {'\t', ',', ';', '|', '\n', '\xff'}) {
            const std::string text = random_text(random, block_bytes, separator, 1 + random.below(20));
            const std::uint64_t expected = find_ends_naively(text.data(), separator);
            REQUIRE(find_ends(text.data(), separator) == expected);
            REQUIRE(find_ends_portably(text.data(), separator) == expected);
        }
    }
    for (int c = 0; c < 256; ++c) {
        const std::string text(block_bytes, static_cast<char>(c));
        const std::uint64_t expected = c == '\t' || c == '\n' ? ~std::uint64_t{0} : 0;
        CHECK(find_ends(text.data(), '\t') == expected);
        CHECK(find_ends_portably(text.data(), '\t') == expected);
    }
}

TEST_CASE("the ends of fields are found at every alignment and in texts of every length") {
    Random random(2, Random::Stream::test);
    std::uint64_t n = 0;
    for (std::size_t alignment = 0; alignment < block_bytes; ++alignment) {
        for (std::size_t size = 0; size <= 200; ++size) {
            if (sweep::visits(n++)) {
                const std::string text = random_text(random, size, ',', 1 + random.below(20));
                REQUIRE(ends_of(text, ',', alignment) == ends_naively(text, ','));
            }
        }
    }
}

TEST_CASE("ends at the first and last bytes of blocks, all bytes, and none for a long time") {
    for (std::size_t size : {63U, 64U, 65U, 2047U, 2048U, 2049U, 2112U, 10'000U}) {
        CAPTURE(size);
        std::string edges(size, 'x');
        for (std::size_t i = 0; i < size; ++i) {
            edges[i] = i % block_bytes == 0 ? '\n' : (i % block_bytes == block_bytes - 1 ? ',' : 'x');
        }
        CHECK(ends_of(edges, ',') == ends_naively(edges, ','));
        CHECK(ends_of(std::string(size, ','), ',') == ends_naively(std::string(size, ','), ','));
        CHECK(ends_of(std::string(size, 'x'), ',') == std::vector<std::size_t>{size});
        CHECK(ends_of(std::string(size, 'x') + ",x", ',') == std::vector<std::size_t>{size, size + 2});
    }
}

TEST_CASE("the walk goes on at any later place") {
    Random random(3, Random::Stream::test);
    for (int round = 0; round < sweep::part_of(2000); ++round) {
        const std::string text = random_text(random, random.below(6000), '|', 1 + random.below(200));
        const char* const begin = text.data();
        FieldEnds walk(begin, begin + text.size(), '|');
        for (std::size_t from = 0; from < text.size();) {
            if (random.below(3) == 0) {
                from += random.below(random.below(2) == 0 ? 5000 : 50);
                from = from < text.size() ? from : text.size();
                walk.skip_to(begin + from);
            }
            const std::size_t expected = from + ends_naively(std::string_view(text).substr(from), '|').front();
            REQUIRE(walk.next() == begin + expected);
            from = expected + 1;
        }
    }
}

}  // namespace
