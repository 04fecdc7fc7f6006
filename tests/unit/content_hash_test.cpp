#include "gru4rec/io/content_hash.hpp"
#include "gru4rec/io/file_format.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace {

std::vector<std::byte> pattern(std::size_t n) {
    std::vector<std::byte> bytes(n);
    for (std::size_t i = 0; i < n; ++i) {
        bytes[i] = static_cast<std::byte>(i * 7 + 3);
    }
    return bytes;
}

std::uint64_t hash_of(std::span<const std::byte> bytes) {
    gru4rec::detail::ContentHash hash;
    hash.update(bytes);
    return hash.value();
}

/// docs/file_format.md#content-hash to the letter, sharing no code with the library.
std::uint64_t hash_by_the_document(std::vector<std::byte> bytes) {
    const std::uint64_t n = bytes.size();
    bytes.resize((bytes.size() + 31) / 32 * 32);
    const auto mix = [](std::uint64_t x) {
        x *= 0x9e3779b97f4a7c15U;
        return x ^ (x >> 32U);
    };
    std::uint64_t lanes[4] = {1, 2, 3, 4};
    for (std::size_t word = 0; word < bytes.size() / 8; ++word) {
        std::uint64_t value = 0;
        for (std::size_t k = 0; k < 8; ++k) {
            value |= std::to_integer<std::uint64_t>(bytes[8 * word + k]) << (8 * k);
        }
        lanes[word % 4] = mix(lanes[word % 4] ^ value);
    }
    std::uint64_t result = n;
    for (const std::uint64_t lane : lanes) {
        result = mix(result ^ lane);
    }
    return mix(result);
}

}  // namespace

// Every model file holds such a hash: a change here makes all of them unreadable.
TEST_CASE("the hash of given bytes is pinned") {
    gru4rec::detail::ContentHash hash;
    CHECK(hash.hex() == "ec28d0e076965dfd");
    hash.update(std::string_view("gru4rec"));
    CHECK(hash.hex() == "2e35b75033a9b406");
    hash.update(std::uint64_t{42});
    CHECK(hash.hex() == "ac847564e072aad0");
}

TEST_CASE("the hash is the documented one for every length") {
    for (std::size_t n = 0; n < 200; ++n) {
        CAPTURE(n);
        CHECK(hash_of(pattern(n)) == hash_by_the_document(pattern(n)));
    }
}

TEST_CASE("the hash does not depend on how the bytes are split into updates") {
    const std::vector<std::byte> bytes = pattern(300);
    const std::uint64_t expected = hash_of(bytes);
    for (std::size_t piece = 1; piece < 100; ++piece) {
        gru4rec::detail::ContentHash hash;
        for (std::size_t at = 0; at < bytes.size(); at += piece) {
            hash.update(std::span(bytes).subspan(at, (std::min)(piece, bytes.size() - at)));
            (void)hash.value();  // value() changes nothing
        }
        CAPTURE(piece);
        CHECK(hash.value() == expected);
    }
}

TEST_CASE("every changed bit, and every change of the length, changes the hash") {
    std::vector<std::byte> bytes = pattern(75);
    std::set<std::uint64_t> seen = {hash_of(bytes)};
    for (std::byte& byte : bytes) {
        for (unsigned bit = 0; bit < 8; ++bit) {
            byte ^= std::byte{1} << bit;
            CHECK(seen.insert(hash_of(bytes)).second);
            byte ^= std::byte{1} << bit;
        }
    }
    for (std::size_t n = 0; n < 75; ++n) {
        CHECK(seen.insert(hash_of(std::span(bytes).first(n))).second);
    }
    for (std::size_t n = 1; n < 75; ++n) {
        CHECK(seen.insert(hash_of(std::vector<std::byte>(n))).second);
    }
}

TEST_CASE("the signs of two weights do not cancel in the hash") {
    std::vector<std::byte> bytes = pattern(160);
    const std::uint64_t before = hash_of(bytes);
    for (std::size_t a = 3; a < bytes.size(); a += 4) {
        for (std::size_t b = a + 4; b < bytes.size(); b += 4) {
            bytes[a] ^= std::byte{0x80};
            bytes[b] ^= std::byte{0x80};
            CHECK(hash_of(bytes) != before);
            bytes[a] ^= std::byte{0x80};
            bytes[b] ^= std::byte{0x80};
        }
    }
}

#ifdef GRU4REC_TESTS_DIR

TEST_CASE("the order of version 1 is that of the files that version 0.1 wrote, models and checkpoints") {
    const std::filesystem::path folder = std::filesystem::path(GRU4REC_TESTS_DIR) / "golden" / "version_0_1";
    for (const std::string run : {"one_hot", "shared"}) {
        for (const std::string name : {"start.safetensors", "end.safetensors", "run.checkpoint"}) {
            CAPTURE(run);
            CAPTURE(name);
            const gru4rec::detail::SafetensorsFile file(folder / run / name);
            std::vector<gru4rec::TensorInfo> tensors(file.tensors().begin(), file.tensors().end());
            std::reverse(tensors.begin(), tensors.end());
            const gru4rec::detail::TensorOrder order = gru4rec::detail::order_of_version_1(tensors);
            REQUIRE(order.size() == tensors.size());
            for (std::size_t i = 0; i < order.size(); ++i) {
                CHECK(tensors[order[i]].name == file.tensors()[i].name);
            }
        }
    }
}

#endif

TEST_CASE("numbers in the names of tensors are ordered as numbers") {
    std::vector<gru4rec::TensorInfo> tensors;
    for (const char* const name :
         {"By.weight", "G.10.Wh", "G.2.Wx", "G.2.Bh", "G.10.Wx", "GE.2.weight", "GE.10.weight",
          "optimizer.dense.10.state.0", "optimizer.dense.2.state.1", "optimizer.dense.2.updates",
          "optimizer.dense.2.state.0", "hidden.0", "best.By.weight", "Wy.weight", "GE.Wx0.weight", "GE.Bh0"}) {
        tensors.push_back({.name = name, .dtype = "F32", .shape = {}});
    }
    std::vector<std::string> names;
    for (const std::size_t i : gru4rec::detail::order_of_version_1(tensors)) {
        names.push_back(tensors[i].name);
    }
    CHECK(names == std::vector<std::string>{"GE.Wx0.weight", "GE.2.weight", "GE.10.weight", "GE.Bh0", "G.2.Wx",
                                            "G.2.Bh", "G.10.Wx", "G.10.Wh", "Wy.weight", "By.weight", "best.By.weight",
                                            "hidden.0", "optimizer.dense.2.state.0", "optimizer.dense.2.state.1",
                                            "optimizer.dense.10.state.0", "optimizer.dense.2.updates"});
}
