#include "gru4rec/data/item_map.hpp"

#include "gru4rec/core/random.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/id_table.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using gru4rec::Index;
using gru4rec::ItemIndex;
using gru4rec::ItemMap;
using gru4rec::to_index;
using gru4rec::to_item;
using gru4rec::detail::IdTable;
using gru4rec::detail::is_utf8;
using gru4rec::detail::quote;
using gru4rec::detail::Random;

TEST_CASE("items are numbered by first appearance and found again") {
    ItemMap items;
    CHECK(items.size() == 0);
    CHECK(items.find("shoe") == std::nullopt);
    CHECK(items.insert("shoe") == to_item(0));
    CHECK(items.insert("hat") == to_item(1));
    CHECK(items.insert("shoe") == to_item(0));
    CHECK(items.size() == 2);
    CHECK(items.find("hat") == to_item(1));
    CHECK(items.find("ha") == std::nullopt);
    CHECK(items.find("hats") == std::nullopt);
    CHECK(items.find("") == std::nullopt);
    CHECK(items.id(to_item(0)) == "shoe");
    CHECK(items.id(to_item(1)) == "hat");
}

TEST_CASE("integer ids are their decimal text") {
    ItemMap items;
    CHECK(items.insert(std::int64_t{-12}) == to_item(0));
    CHECK(items.insert("-12") == to_item(0));
    CHECK(items.find(std::int64_t{-12}) == to_item(0));
    CHECK(items.find("-012") == std::nullopt);
    CHECK(items.insert(INT64_MIN) == to_item(1));
    CHECK(items.id(to_item(1)) == "-9223372036854775808");
}

TEST_CASE("an id that a model file cannot store is refused and quoted") {
    ItemMap items;
    const auto message = [&](std::string_view id) -> std::string {
        try {
            items.insert(id);
        } catch (const std::invalid_argument& error) {
            return error.what();
        }
        return "accepted";
    };
    CHECK(message("") == "gru4rec: item id \"\" is empty; expected UTF-8 text without TAB, CR, LF and NUL");
    CHECK(message("a\tb").find("\"a\\x09b\" contains a TAB") != std::string::npos);
    CHECK(message("a\rb") != "accepted");
    CHECK(message("a\nb") != "accepted");
    CHECK(message(std::string_view("a\0b", 3)).find("\"a\\x00b\"") != std::string::npos);
    CHECK(message("\xff").find("\"\\xff\" is not valid UTF-8") != std::string::npos);
    CHECK(items.size() == 0);
    CHECK(message(" ") == "accepted");
    CHECK(message("\"") == "accepted");
    CHECK(message("größe 38 € 🥾") == "accepted");
    CHECK(items.size() == 3);
}

TEST_CASE("invalid UTF-8 is recognised") {
    for (const std::string_view text : {"", "a", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf",
                                        "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
        CAPTURE(quote(text));
        CHECK(is_utf8(text));
        CHECK(is_utf8("x" + std::string(text) + "y"));
    }
    for (const std::string_view text :
         {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2x", "\xe0\x9f\xbf", "\xe1\x80", "\xe1x\x80",
          "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf0\x90\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xfe"}) {
        CAPTURE(quote(text));
        CHECK_FALSE(is_utf8(text));
        CHECK_FALSE(is_utf8("x" + std::string(text) + "y"));
    }
}

TEST_CASE("text of unknown origin is safe in a message and shortened") {
    CHECK(quote("plain") == "\"plain\"");
    CHECK(quote("\x1b[2J\x7f") == "\"\\x1b[2J\\x7f\"");
    CHECK(quote("é\xff") == "\"é\\xff\"");
    CHECK(quote("\xc2\x80\xc2\x9f\xc2\xa0") == "\"\\xc2\\x80\\xc2\\x9f\xc2\xa0\"");
    CHECK(quote(std::string(10'000, 'x')).size() < 100U);
    CHECK(quote(std::string(10'000, '\x1b')).size() < 400U);
}

TEST_CASE("a long text is shortened to its beginning and end, in whole characters") {
    const std::string long_id(200, 'x');
    CHECK(quote(long_id + "a") != quote(long_id + "b"));
    CHECK(quote("a" + long_id) != quote("b" + long_id));
    CHECK(quote(std::string(80, 'x')) == '"' + std::string(80, 'x') + '"');
    CHECK(quote("begin" + long_id + "end") ==
          "\"begin" + std::string(55, 'x') + "\"...\"" + std::string(12, 'x') + "end\"");
    for (const std::string_view character : {"é", "€", "𝄞"}) {
        for (const std::string_view before : {"", "x", "xx", "xxx"}) {
            std::string text(before);
            for (int i = 0; i < 100; ++i) {
                text += character;
            }
            CHECK(quote(text).find("\\x") == std::string::npos);
        }
    }
}

TEST_CASE("maps copy, move and compare by ids and their order") {
    ItemMap ab;
    ab.insert("a");
    ab.insert("b");
    ItemMap copy = ab;
    CHECK(copy == ab);
    copy.insert("c");
    CHECK(copy != ab);
    CHECK(ab.find("c") == std::nullopt);

    ItemMap ba;
    ba.insert("b");
    ba.insert("a");
    CHECK(ba != ab);

    ItemMap joined;
    joined.insert("ab");
    CHECK(joined != ab);

    const ItemMap moved = std::move(copy);
    CHECK(moved.size() == 3);
    CHECK(moved.find("c") == to_item(2));
}

TEST_CASE("a table of many ids agrees with std::map") {
    constexpr std::uint64_t seed = 20;
    CAPTURE(seed);
    Random random(seed, Random::Stream::test);
    IdTable table;
    std::map<std::string, Index> expected;
    for (int i = 0; i < 50'000; ++i) {
        // Short ids collide often, long ones share their first 8 and 16 bytes.
        std::string id = std::string(random.below(3) * 8, 'x') + std::to_string(random.below(20'000));
        if (random.below(50) == 0) {
            id = std::string(random.below(20), '\0');
        }
        const auto [entry, is_new] = expected.emplace(id, static_cast<Index>(expected.size()));
        REQUIRE(table.find(id) == (is_new ? IdTable::none : entry->second));
        REQUIRE(table.insert(id) == entry->second);
    }
    CHECK(table.size() == static_cast<Index>(expected.size()));
    for (const auto& [id, number] : expected) {
        REQUIRE(table.text(number) == id);
        REQUIRE(table.find(id) == number);
        REQUIRE(table.find(id + "?") == IdTable::none);
    }
}

TEST_CASE("an id may be a view into the table's own characters") {
    IdTable table;
    table.insert("0123456789abcdefghijklmnopqrstuvwxyz");
    for (Index i = 0; i < 30; ++i) {
        const std::string_view piece = table.text(0).substr(static_cast<std::size_t>(i));
        const std::string expected(piece);
        const Index number = table.insert(piece);
        CHECK(table.text(number) == expected);
    }
}

TEST_CASE("ids in ascending order are numbered as by insert, and so are others after them") {
    constexpr std::uint64_t seed = 21;
    CAPTURE(seed);
    Random random(seed, Random::Stream::test);
    for (const std::uint64_t n_ascending : {0U, 1U, 2U, 100U, 1000U}) {
        IdTable plain;
        IdTable ascending;
        std::uint64_t number = 90;
        for (std::uint64_t i = 0; i < n_ascending + 300; ++i) {
            number = i < n_ascending ? number + random.below(4) : random.below(2000);
            const std::string id = std::to_string(number);
            REQUIRE(ascending.insert_ascending(id) == plain.insert(id));
            REQUIRE(ascending.find(id) == plain.find(id));
            REQUIRE(ascending.find("x") == IdTable::none);
            if (i < n_ascending) {
                REQUIRE_FALSE(ascending.is_indexed());
            }
        }
        CHECK(ascending == plain);
        CHECK(ascending.find(std::to_string(number)) == plain.find(std::to_string(number)));
    }
    IdTable table;
    table.insert_ascending("1");
    table.insert_ascending("2");
    table.build_index();
    CHECK(table.is_indexed());
    CHECK(table.find("1") == 0);
    CHECK(table.find("2") == 1);
    CHECK(table.insert("0") == 2);
}

TEST_CASE("many texts at once are found as each by itself") {
    Random random(4, Random::Stream::test);
    for (const int n_known : {0, 1, 3, 1000, 20'000}) {
        IdTable ascending;
        IdTable plain;
        for (int i = 0; i < n_known; ++i) {
            const auto n_letters = static_cast<std::size_t>(i % 2 == 0 ? 0 : i % 40);
            const std::string text = std::string(n_letters, 'x') + std::to_string(i);
            plain.insert(text);
            ascending.insert_ascending(std::to_string(i));
        }
        for (const std::size_t n : {0U, 1U, 63U, 64U, 65U, 500U}) {
            std::vector<std::string> texts;
            for (std::size_t i = 0; i < n; ++i) {
                const auto number = random.below(2 * static_cast<std::uint64_t>(n_known) + 2);
                texts.push_back(std::string(number % 2 == 0 ? 0 : number % 40, 'x') + std::to_string(number));
            }
            const std::vector<std::string_view> views(texts.begin(), texts.end());
            for (const IdTable* table : {&plain, &ascending}) {
                std::vector<Index> found(n, -7);
                table->find(views, found);
                for (std::size_t i = 0; i < n; ++i) {
                    REQUIRE(found[i] == table->find(views[i]));
                }
            }
        }
    }
}

TEST_CASE("of many texts, those whose hash is that of another one are told apart") {
    IdTable table;
    const auto found = [&table](const std::string& name, int n) {
        std::vector<std::string> texts;
        for (int i = 0; i < n; ++i) {
            texts.push_back(name + std::to_string(i));
        }
        const std::vector<std::string_view> views(texts.begin(), texts.end());
        std::vector<Index> indices(views.size());
        table.find(views, indices);
        return indices;
    };
    constexpr int n_known = 300'000;  // 10 pairs of equal hashes are to be expected
    std::vector<Index> expected;
    for (int i = 0; i < n_known; ++i) {
        expected.push_back(table.insert("known " + std::to_string(i)));
    }
    CHECK((found("known ", n_known) == expected));
    CHECK((found("other ", 1'000'000) == std::vector<Index>(1'000'000, IdTable::none)));  // 70 pairs
}

/// mix64 run backwards.
std::uint64_t unmix64(std::uint64_t x) {
    x = (x ^ (x >> 31U) ^ (x >> 62U)) * 0x319642b2d24d8ec3ULL;
    x = (x ^ (x >> 27U) ^ (x >> 54U)) * 0x96de1b173f119089ULL;
    return x ^ (x >> 30U) ^ (x >> 60U);
}

/// Ids of 16 bytes that all have the same hash where the seed is 0, and could stand in a file.
std::vector<std::string> crafted_ids(std::size_t n) {
    constexpr std::uint64_t odd = 0x9e3779b97f4a7c15ULL;
    Random random(22, Random::Stream::test);
    std::vector<std::string> ids;
    while (ids.size() < n) {
        const std::uint64_t front = random.next();
        const std::uint64_t back = (gru4rec::detail::mix64((16 * odd) ^ front) + odd) ^ unmix64(42);
        std::string id(16, ' ');
        std::memcpy(id.data(), &front, sizeof(front));
        std::memcpy(id.data() + sizeof(front), &back, sizeof(back));
        if (id.find_first_of(std::string_view("\t\r\n\0", 4)) == std::string::npos) {
            ids.push_back(id);
        }
    }
    return ids;
}

TEST_CASE("ids crafted to collide do not collide in a table with an unknown seed") {
    const std::vector<std::string> ids = crafted_ids(100'000);
    IdTable table;
    std::set<std::uint32_t> hashes;
    for (const std::string& id : ids) {
        REQUIRE(gru4rec::detail::hash_text(id, 0) == gru4rec::detail::hash_text(ids.front(), 0));
        hashes.insert(table.hash(id));
    }
    CHECK(hashes.size() > 99'900);
    for (std::size_t i = 0; i < ids.size(); ++i) {  // with equal hashes it would take minutes
        REQUIRE(table.insert(ids[i]) == static_cast<Index>(i));
    }
    CHECK(IdTable().hash("a") != IdTable().hash("a"));
}

}  // namespace
