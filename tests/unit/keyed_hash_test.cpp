#include "gru4rec/core/keyed_hash.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>

using gru4rec::detail::KeyedHash;

TEST_CASE("the hash is that of the paper's appendix: key 00 01 .. 0f, text 00 01 .. 0e") {
    std::string text;
    for (char c = 0; c < 15; ++c) {
        text += c;
    }
    const KeyedHash hash(0x0706050403020100U, 0x0f0e0d0c0b0a0908U);
    CHECK(hash(text) == 0xa129ca6149be45e5U);
}

TEST_CASE("texts of all lengths, and texts that differ in a trailing zero byte, have different hashes") {
    const KeyedHash hash(1, 2);
    std::set<std::uint64_t> seen;
    for (std::size_t length = 0; length <= 40; ++length) {
        seen.insert(hash(std::string(length, '\0')));
        seen.insert(hash(std::string(length, '\xff') + 'x'));
    }
    CHECK(seen.size() == 82);
}

TEST_CASE("another key gives another hash, and so does each random key") {
    CHECK(KeyedHash(1, 2)("visitor") != KeyedHash(1, 3)("visitor"));
    CHECK(KeyedHash(1, 2)("visitor") != KeyedHash(2, 2)("visitor"));
    CHECK(KeyedHash::random()("visitor") != KeyedHash::random()("visitor"));
}
