#include "gru4rec/data/reader.hpp"

#include "gru4rec/core/parallel.hpp"
#include "gru4rec/core/random.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/events.hpp"
#include "gru4rec/data/item_map.hpp"
#include "support/reading.hpp"
#include "support/sweep.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace {

using gru4rec::Index;
using gru4rec::ItemMap;
using gru4rec::detail::Random;
using gru4rec::detail::ReadSettings;
using support::Outcome;

/// Reading `bytes` finds what the naive reader finds, and ends in the same message however the text is cut and with any
/// number of threads.
void check_all_cuts(std::string_view bytes, const ItemMap* known_items = nullptr) {
    const auto read_events = [&](const ReadSettings& settings) {
        return support::outcome(
            [&] { return support::text_of(support::read_events(bytes, {.known_items = known_items}, settings)); });
    };
    const auto read_sessions = [&](const ReadSettings& settings) {
        return support::outcome(
            [&] { return support::text_of(support::read_sessions(bytes, {.known_items = known_items}, settings)); });
    };
    const Outcome events = read_events({});
    const Outcome sessions = read_sessions({});
    REQUIRE(support::agrees(events, support::outcome([&] {
                                return support::text_of(support::read_naively(bytes, {.known_items = known_items}));
                            })));
    REQUIRE(support::agrees(sessions, support::outcome([&] {
                                return support::text_of(
                                    support::sessions_of(support::read_naively(bytes, {.known_items = known_items})));
                            })));
    std::uint64_t n_cuts = 0;
    for (const int threads : {1, 2, 4}) {
        CAPTURE(threads);
        gru4rec::with_threads(threads, [&] {
            for (const std::size_t chunk_bytes : {0U, 1U, 7U, 30U, 100U, 1000U, 1'000'000U}) {
                for (const std::size_t n_chunks : {1U, 2U, 5U}) {
                    if (!sweep::visits(n_cuts++)) {
                        continue;
                    }
                    CAPTURE(chunk_bytes);
                    CAPTURE(n_chunks);
                    REQUIRE(read_events({chunk_bytes, n_chunks}) == events);
                    REQUIRE(read_sessions({chunk_bytes, n_chunks}) == sessions);
                }
            }
        });
    }
}

enum class Order { grouped, mixed };

struct Look {
    Order order = Order::grouped;
    bool ascending_ids = true;
    bool quoted = false;
    std::size_t first_fraction = 0;  ///< number of the first event whose time has a fraction
};

/// `n` events in sessions of one to five.
std::string random_table(std::uint64_t seed, std::size_t n, const Look& look) {
    Random random(seed, Random::Stream::test);
    std::string text = look.quoted ? "SessionId,ItemId,Time\n" : "SessionId\tItemId\tTime\n";
    const std::string separator = look.quoted ? "," : "\t";
    std::uint64_t session = 0;
    std::uint64_t left = 0;
    for (std::size_t e = 0; e < n; ++e) {
        if (left-- == 0) {
            session += 1 + random.below(3);
            left = random.below(5);
        }
        const std::uint64_t number = look.order == Order::grouped ? session : random.below(n / 3 + 1);
        const std::string id = look.ascending_ids ? std::to_string(number) : std::to_string(number * 7919 % 10'007);
        std::string item = std::string(random.below(3) * 8, 'i') + std::to_string(random.below(n / 2 + 1));
        if (look.quoted && random.below(2) == 0) {
            item = "\"" + item + (random.below(2) == 0 ? "\"\"," : "") + "\"";
        }
        const bool quote_session = look.quoted && random.below(3) == 0;
        text += quote_session ? "\"s" + id + "\"\"\"" : (look.quoted ? "s" + id : id);
        text += separator + item + separator + std::to_string(1'396'000'000 + random.below(40));
        if (e >= look.first_fraction && random.below(2) == 0) {
            text += "." + std::to_string(random.below(1000));
        }
        text += random.below(10) == 0 ? "\r\n" : (random.below(20) == 0 ? "\n\n" : "\n");
    }
    return text;
}

TEST_CASE("neither the cuts nor the number of threads change what is read") {
    for (std::uint64_t seed = 0; seed < 3; ++seed) {
        for (const Order order : {Order::grouped, Order::mixed}) {
            for (const bool ascending : {true, false}) {
                for (const bool quoted : {false, true}) {
                    CAPTURE(seed);
                    check_all_cuts(random_table(seed, 60, {order, ascending, quoted, 45}));
                }
            }
        }
    }
}

TEST_CASE("known items keep their indices and unknown ones are counted, wherever the file is cut") {
    ItemMap known;
    for (std::int64_t i = 0; i < 30; i += 2) {
        known.insert(i);
    }
    for (const Order order : {Order::grouped, Order::mixed}) {
        check_all_cuts(random_table(5, 60, {order}), &known);
        check_all_cuts(random_table(6, 60, {order, false, true, 0}), &known);
    }
    const ItemMap nothing_known;
    check_all_cuts(random_table(7, 20, {}), &nothing_known);
}

TEST_CASE("a session may be cut in the middle, be sorted across the cut, and lose its first events") {
    ItemMap known;
    known.insert("a");
    known.insert("b");
    const std::string header = "SessionId\tItemId\tTime\n";
    check_all_cuts(header + "1\ta\t9\n1\tb\t8\n1\tc\t7\n1\td\t6\n1\te\t5.5\n2\tf\t5\n");
    check_all_cuts(header + "1\tx\t1\n1\ty\t2\n1\tb\t8\n1\ta\t7\n2\tx\t1\n3\tb\t0.5\n", &known);
    check_all_cuts(header + "1\ta\t1\n2\tb\t2\n1\tc\t3\n");
    check_all_cuts(header + "3\ta\t1\n3\ta\t1\n2\tb\t2\n1\tc\t3\n1\tc\t2\n");
    check_all_cuts(header);
    check_all_cuts(header + "\n\r\n\n");
}

TEST_CASE("the first mistake of the file is reported, with its line, whichever chunk it is in") {
    const std::vector<std::string> mistakes{"1\ta\n", "1\ta\tnoon\n", "1\t\t1\n", "1\tb\xff\t1\n"};
    std::string good;
    for (int e = 0; e < 12; ++e) {
        good += std::to_string(e / 3) + "\titem" + std::to_string(e) + "\t" + std::to_string(e) + "\n";
    }
    for (const std::string& first : mistakes) {
        for (const std::string& second : mistakes) {
            const std::string bytes = "SessionId\tItemId\tTime\n" + good + "\n" + first + good + second + good;
            const Outcome read = support::outcome([&] { return support::text_of(support::read_sessions(bytes, {})); });
            REQUIRE(read.failed);
            REQUIRE(read.text.starts_with("file:15: "));
            check_all_cuts(bytes);
        }
    }
    // The second mistake lies in the same block of rows, before it as an event and after it as a line.
    check_all_cuts("SessionId\tItemId\tTime\n1\t\t1\n1\ta\tnoon\n");
    check_all_cuts("SessionId,ItemId,Time\n1,a,1\n1,\"a,1\n,,1\n");
}

TEST_CASE("ids of any length are found again") {
    std::string bytes = "SessionId\tItemId\tTime\n";
    for (int round = 0; round < 2; ++round) {
        for (std::size_t length = 1; length < 40; ++length) {
            for (const char c : {'x', 'y'}) {
                const std::string id = std::string(length - 1, 'x') + c;
                bytes += id + "\t" + id + "\t1\n" + id + "\t" + std::string(length, c) + "\t1\n";
            }
        }
    }
    check_all_cuts(bytes);
}

TEST_CASE("thousands of new items, each of them in several chunks") {
    std::string bytes = "SessionId\tItemId\tTime\n";
    for (int round = 0; round < 2; ++round) {
        for (int item = 0; item < 5000; ++item) {
            bytes += std::to_string(item / 4) + "\t" + std::to_string(item * 37) + "\t1\n";
        }
    }
    const Outcome expected = support::outcome([&] { return support::text_of(support::read_naively(bytes, {})); });
    CHECK(support::outcome([&] { return support::text_of(support::read_events(bytes, {}, {2000, 4})); }) == expected);
}

TEST_CASE("quoted ids outlive the lines that follow them in their chunk") {
    std::string bytes = "SessionId,ItemId,Time\n";
    for (int e = 0; e < 3000; ++e) {
        bytes += "\"the session that has number " + std::to_string(e / 2) + "\",\"\"\"item\"\" " +
                 std::to_string(e % 700) + "\",\"" + std::to_string(e) + "\"\n";
    }
    check_all_cuts(bytes);
}

TEST_CASE("more sessions or items than there are indices are an error that names the file") {
    const auto message = [](const std::string& lines, Index max_ids) {
        const std::string bytes = "SessionId\tItemId\tTime\n" + lines;
        return support::outcome(
            [&] { return support::text_of(support::read_sessions(bytes, {}, {.max_ids = max_ids})); });
    };
    const std::string two_each = "1\ta\t1\n2\tb\t2\n1\ta\t3\n";
    CHECK_FALSE(message(two_each, 2).failed);
    CHECK(message(two_each + "2\tc\t4\n", 2) == Outcome{"file: more than 2 items; drop the rare ones", true});
    CHECK(message(two_each + "3\ta\t4\n", 2) == Outcome{"file: more than 2 sessions; split the data", true});
    CHECK_FALSE(message("1\ta\t1\n2\tb\t2\n2\ta\t3\n", 2).failed);
    CHECK(message("1\ta\t1\n2\ta\t2\n3\ta\t3\n", 2).text == "file: more than 2 sessions; split the data");
}

TEST_CASE("too many ids and a malformed row: the first of them is reported, however the file is cut") {
    const std::string rows = "1\ta\t1\n2\ta\t2\n2\tb\t2\n";
    const std::string bad_row = "x\n";
    const std::string third_item = "2\tc\t3\n";
    const std::string third_session = "3\ta\t3\n";
    const auto check = [](const std::string& lines, const std::string& message) {
        const std::string bytes = "SessionId\tItemId\tTime\n" + lines;
        for (const std::size_t n_chunks : {1U, 2U, 5U}) {
            const Outcome read = support::outcome([&] {
                return support::text_of(support::read_sessions(bytes, {}, {1, n_chunks, 2}));
            });
            CAPTURE(n_chunks);
            CHECK(read.failed);
            CHECK(read.text.starts_with(message));
        }
    };
    check(rows + third_session + bad_row, "file: more than 2 sessions");
    check(rows + third_item + bad_row, "file: more than 2 items");
    check(rows + third_session + third_item, "file: more than 2 sessions");
    check(rows + third_item + third_session, "file: more than 2 items");
    check(rows + bad_row + third_session, "file:5: ");
    check(rows + bad_row + third_item, "file:5: ");
}

TEST_CASE("sessions with ascending, descending and mixed ids, and items that repeat, make the same sessions") {
    for (const auto& id_of : {+[](int s) { return 1000 + s; }, +[](int s) { return 2000 - s; },
                              +[](int s) { return s % 3 == 0 ? s : 5000 - s; }}) {
        for (const int apart : {1, 3, 7}) {  // rows until a session goes on
            std::string bytes = "SessionId\tItemId\tTime\n";
            for (int e = 0; e < 80; ++e) {
                const int session = e / (4 * apart) * apart + e % apart;
                bytes += std::to_string(id_of(session)) + "\titem" + std::to_string(e / 3 % 5) + "\t" +
                         std::to_string(e * 13 % 31) + "\n";
            }
            check_all_cuts(bytes);
        }
    }
}

}  // namespace
