#include "gru4rec/io/session_bytes.hpp"

#include "support/contains.hpp"
#include "support/small_models.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace {

using gru4rec::SessionCodec;
using gru4rec::SessionState;
using gru4rec::to_item;
using Bytes = std::vector<std::byte>;

/// The stored session of a model whose input is a history, and what comes of changed copies of it.
struct Scene {
    Scene()
        : model(small_models::make<float>({{"input", "history"}, {"history_max", "3"}})),
          codec(model),
          session(model),
          before(model) {
        for (const int item : {4, 1, 2, 0}) {
            session.add_event(to_item(item));
        }
        session.values()[0] = 0.5F;
        session.values()[2] = -0.25F;
        codec.write(session, good);
        before.add_event(to_item(3));
        before.values()[1] = 0.125F;
        codec.write(before, bytes_before);
    }

    /// The FormatError's message; "same" if the bytes are read as the session, "DIFFERENT" if as another one.
    [[nodiscard]] std::string outcome(const Bytes& bytes) {
        SessionState<float> target = before;
        Bytes again;
        try {
            codec.read(bytes, target);
        } catch (const gru4rec::FormatError& error) {
            codec.write(target, again);
            CHECK(again == bytes_before);  // nothing has changed
            CHECK(std::string(error.what()).starts_with("session bytes: "));
            return error.what();
        }
        codec.write(target, again);
        return again == good ? "same" : "DIFFERENT";
    }

    /// The good bytes with a number at an offset, and the checksum that belongs to them.
    template <class Number>
    [[nodiscard]] Bytes forged(std::size_t offset, Number number) const {
        Bytes bytes = good;
        gru4rec::detail::to_little_endian(number, bytes.data() + offset);
        gru4rec::detail::ContentHash hash;
        hash.update(std::span<const std::byte>(bytes).first(bytes.size() - 8));
        gru4rec::detail::to_little_endian(hash.value(), bytes.data() + bytes.size() - 8);
        return bytes;
    }

    gru4rec::Model<float> model;
    SessionCodec<float> codec;
    SessionState<float> session;
    SessionState<float> before;
    Bytes good;
    Bytes bytes_before;
};

}  // namespace

TEST_CASE("bytes of a session that are cut anywhere or continued are refused") {
    Scene scene;
    REQUIRE(scene.outcome(scene.good) == "same");
    for (std::size_t n = 0; n < scene.good.size(); ++n) {
        CAPTURE(n);
        CHECK(contains(scene.outcome(Bytes(scene.good.begin(), scene.good.begin() + static_cast<std::ptrdiff_t>(n))),
                       "session bytes: length: "));
    }
    MESSAGE("cuts of the bytes of a session: ", scene.good.size());
    Bytes longer = scene.good;
    longer.push_back(std::byte{0});
    CHECK(
        contains(scene.outcome(longer), "session bytes: length: expected 64 bytes, found 65; something was appended"));
    longer.insert(longer.end(), scene.good.begin(), scene.good.end());
    CHECK(contains(scene.outcome(longer), "session bytes: length: "));
}

TEST_CASE("bytes of a session with any byte changed to any other are refused") {
    Scene scene;
    for (std::size_t i = 0; i < scene.good.size(); ++i) {
        for (unsigned change = 1; change < 256; ++change) {
            Bytes bytes = scene.good;
            bytes[i] ^= static_cast<std::byte>(change);
            const std::string outcome = scene.outcome(bytes);
            if (outcome == "same" || outcome == "DIFFERENT") {
                FAIL("byte " << i << " changed by " << change << " is read: " << outcome);
            }
        }
    }
    MESSAGE("changes of a byte of the bytes of a session: ", 255 * scene.good.size());
}

TEST_CASE("hostile fields are refused by name, whatever the checksum says") {
    Scene scene;
    const auto outcome = [&](std::size_t offset, auto number) { return scene.outcome(scene.forged(offset, number)); };
    CHECK(outcome(16, std::int64_t{4}) == "same");  // what is there: forged() makes good checksums
    CHECK(contains(outcome(0, std::uint32_t{0x46464952}), "session bytes: magic: expected \"G4RS\", found \"RIFF\""));
    CHECK(contains(outcome(4, std::uint16_t{2}),
                   "session bytes: version: expected 1, found 2; read them with the "
                   "version of gru4rec that wrote them"));
    CHECK(contains(outcome(4, std::uint16_t{0}), "session bytes: version: "));
    CHECK(contains(outcome(6, std::uint16_t{8}), "session bytes: scalar: "));
    CHECK(
        contains(outcome(8, std::uint64_t{0x0123456789abcdef}), "found 0123456789abcdef; a session of another model"));
    CHECK(contains(outcome(16, std::int64_t{-1}), "session bytes: n_events: expected 0 <= n_events <= "));
    CHECK(contains(outcome(16, (std::numeric_limits<std::int64_t>::min)()), "session bytes: n_events: "));
    CHECK(contains(outcome(16, (std::numeric_limits<std::int64_t>::max)()), "session bytes: n_events: "));
    CHECK(outcome(16, (std::int64_t{1} << 32) + 4) != "same");  // not cut to 4 where sizes have 32 bits
    CHECK(contains(outcome(16, std::int64_t{2}), "session bytes: n_recent: expected 2"));
    CHECK(contains(outcome(24, std::int32_t{-1}), "session bytes: n_recent: expected 3"));
    CHECK(contains(outcome(24, std::int32_t{2}), "session bytes: n_recent: expected 3"));
    CHECK(contains(outcome(28, std::int32_t{-3}), "session bytes: n_values: expected 3"));
    CHECK(contains(outcome(28, (std::numeric_limits<std::int32_t>::max)()), "session bytes: n_values: expected 3"));
    CHECK(contains(outcome(32, std::int32_t{5}), "session bytes: item 0: expected 0 <= item < 5, found 5"));
    CHECK(contains(outcome(40, std::int32_t{-1}), "session bytes: item 2: expected 0 <= item < 5, found -1"));
    CHECK(contains(outcome(44, std::numeric_limits<float>::quiet_NaN()), "session bytes: value 0: expected a finite"));
    CHECK(contains(outcome(52, std::numeric_limits<float>::infinity()), "session bytes: value 2: expected a finite"));
    for (const std::int32_t number :
         {0, 1, 1 << 30, (std::numeric_limits<std::int32_t>::min)(), (std::numeric_limits<std::int32_t>::max)()}) {
        CAPTURE(number);
        CHECK(contains(outcome(24, number), "session bytes: n_recent: expected 3"));
        CHECK(contains(outcome(28, number), "session bytes: n_values: expected 3"));
    }
    constexpr std::int64_t most_events = std::int64_t{1} << 48;
    for (const std::int64_t number : {std::int64_t{1} << 31, std::int64_t{1} << 32, most_events}) {
        CAPTURE(number);
        CHECK(outcome(16, number) == "DIFFERENT");  // a session may have that many events; it remembers the last 3
    }
    for (const std::int64_t number : {most_events + 1, std::int64_t{1} << 53, std::int64_t{1} << 62}) {
        CAPTURE(number);
        CHECK(contains(outcome(16, number), "session bytes: n_events: expected 0 <= n_events <= "));
    }
    for (const std::int32_t item :
         {(std::numeric_limits<std::int32_t>::min)(), (std::numeric_limits<std::int32_t>::max)()}) {
        CHECK(contains(outcome(36, item), "session bytes: item 1: expected 0 <= item < 5"));
    }
    for (const std::size_t value : {0U, 1U, 2U}) {
        CHECK(contains(outcome(44 + 4 * value, -std::numeric_limits<float>::infinity()),
                       "session bytes: value " + std::to_string(value) + ": expected a finite"));
    }
    Bytes wrong = scene.good;
    wrong.back() ^= std::byte{1};
    CHECK(contains(scene.outcome(wrong), "session bytes: checksum: "));
}

TEST_CASE("random bytes and random changes are never read as another session") {
    Scene scene;
    std::mt19937 random(11);
    int n_same = 0;
    for (int round = 0; round < 20000; ++round) {
        Bytes bytes = scene.good;
        for (auto change = random() % 6; change > 0; --change) {
            bytes[random() % bytes.size()] = static_cast<std::byte>(random());
        }
        if (round % 3 == 0) {
            bytes.resize(random() % 100);
        }
        const std::string outcome = scene.outcome(bytes);
        n_same += outcome == "same" ? 1 : 0;
        REQUIRE(outcome != "DIFFERENT");
    }
    CHECK(n_same < 5000);
}
