#include "gru4rec/serve/hash_slots.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

using gru4rec::detail::HashSlots;

namespace {

/// Records with hashes of our choice, and the table that is to find them.
struct Records {
    explicit Records(std::uint32_t max_records) : slots(max_records) {}

    [[nodiscard]] std::uint32_t find(std::uint32_t number) const {
        return slots.find(hashes.at(number), [&](std::uint32_t candidate) { return candidate == number; });
    }
    [[nodiscard]] auto hash_of() const {
        return [this](std::uint32_t number) { return hashes.at(number); };
    }
    void insert(std::uint32_t number, std::uint32_t hash) {
        hashes[number] = hash;
        if (slots.is_full()) {
            slots.grow(hash_of());
        }
        slots.insert(hash, number);
    }
    void erase(std::uint32_t number) { slots.erase(hashes.at(number), number, hash_of()); }

    HashSlots slots;
    std::map<std::uint32_t, std::uint32_t> hashes;
};

}  // namespace

TEST_CASE("records are found after any insertions, removals and new numbers, however their hashes collide") {
    for (const std::uint32_t mask : {0U, 0x80000000U, 0x3U, 0xf000000fU, 0xffffffffU}) {
        CAPTURE(mask);
        std::mt19937 random(5);
        Records records(2000);
        std::vector<std::uint32_t> alive;
        std::uint32_t next = 0;
        for (int step = 0; step < 3000; ++step) {
            const std::size_t place = alive.empty() ? 0 : random() % alive.size();
            if (alive.empty() || (random() % 5 < 3 && next < 1900)) {
                // A hash near the end of the table, so that searches go on at its beginning.
                records.insert(next, (static_cast<std::uint32_t>(random()) & mask) - 1);
                alive.push_back(next++);
            } else if (random() % 4 == 0) {
                const std::uint32_t hash = records.hashes.at(alive[place]);
                const std::uint32_t number = 1900 + static_cast<std::uint32_t>(step % 100);
                if (!records.hashes.contains(number)) {
                    records.slots.renumber(hash, alive[place], number);
                    records.hashes[number] = hash;
                    records.hashes.erase(alive[place]);
                    alive[place] = number;
                }
            } else {
                records.erase(alive[place]);
                const std::uint32_t gone = alive[place];
                alive.erase(alive.begin() + static_cast<std::ptrdiff_t>(place));
                REQUIRE(records.find(gone) == HashSlots::none);
                records.hashes.erase(gone);
            }
            if (step % 50 == 0) {
                for (const std::uint32_t number : alive) {
                    REQUIRE(records.find(number) == number);
                }
            }
        }
        CHECK(alive.size() > 50);
    }
}

TEST_CASE("a search asks for equality only if the upper bits of the hash agree") {
    HashSlots slots(100);  // 7 bits of a number, 25 of the hash
    slots.insert(0x12345607U, 3);
    int asked = 0;
    const auto equal = [&](std::uint32_t) { return ++asked > 0; };
    CHECK(slots.find(0x12345707U, equal) == HashSlots::none);
    CHECK(asked == 0);
    CHECK(slots.find(0x12345607U, equal) == 3);
    CHECK(asked == 1);
}

TEST_CASE("the table starts with 64 bytes and doubles at three quarters") {
    Records records(1000);
    for (std::uint32_t number = 0; number < 12; ++number) {
        records.insert(number, number * 7919);
    }
    CHECK(records.slots.bytes() == 64);
    records.insert(12, 5);
    CHECK(records.slots.bytes() == 128);
}
