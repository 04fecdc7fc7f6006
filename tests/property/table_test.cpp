// The reader of tables finds what a naive one finds, however the text is cut, and in any number of threads.

#include "gru4rec/data/reader.hpp"

#include "gru4rec/core/parallel.hpp"
#include "gru4rec/data/item_map.hpp"
#include "gru4rec/data/read_options.hpp"
#include "gru4rec/data/text_source.hpp"
#include "gru4rec/data/text_stream.hpp"
#include "support/naive/table.hpp"
#include "support/random_tables.hpp"
#include "support/reading.hpp"
#include "support/sweep.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using gru4rec::ReadOptions;
using gru4rec::ReadReport;
using gru4rec::detail::ReadSettings;
using support::Outcome;
using support::RandomTable;
using support::RandomTables;

template <class Read>
Outcome reported(ReadOptions options, const Read& read) {
    ReadReport report;
    options.report = &report;
    return support::outcome([&] {
        const std::string content = support::text_of(read(options));
        return content + support::text_of(report);
    });
}

Outcome naive_outcome(std::string_view bytes, const ReadOptions& options) {
    naive::TableReader reader(options);
    return support::outcome([&] {
        reader.read("file", bytes);
        const ReadReport report = reader.report();
        return support::text_of(std::move(reader).take()) + support::text_of(report);
    });
}

/// Reads `bytes` as a stream of random parts.
Outcome stream_outcome(RandomTables& random, std::string_view bytes, const ReadOptions& options,
                       const ReadSettings& settings) {
    const std::size_t most = std::array<std::size_t, 4>{1, 3, 50, 5000}[random.below(4)];
    const std::size_t piece = std::array<std::size_t, 4>{1, 20, 300, 100'000}[random.below(4)];
    gru4rec::TextStream stream{.name = "file", .read = [&, rest = bytes](std::span<char> buffer) mutable {
                                   const std::size_t n =
                                       rest.copy(buffer.data(), (std::min)(buffer.size(), 1 + random.below(most)));
                                   rest.remove_prefix(n);
                                   return n;
                               }};
    return reported(options, [&](const ReadOptions& all) {
        gru4rec::detail::TextSource source(stream, piece);
        return gru4rec::detail::read_events(source, all, settings);
    });
}

/// @returns whether the table could be read
bool check(RandomTables& random, const std::string& text, const ReadOptions& options) {
    CAPTURE(text);
    const std::vector<char> exact(text.begin(), text.end());  // a sanitizer sees every step beyond it
    const std::string_view bytes(exact.data(), exact.size());
    const Outcome expected = naive_outcome(bytes, options);
    const auto read = [&](const ReadSettings& settings) {
        return reported(options, [&](const ReadOptions& all) { return support::read_events(bytes, all, settings); });
    };
    const Outcome whole = read({});
    CAPTURE(expected.text);
    CAPTURE(whole.text);
    REQUIRE(support::agrees(whole, expected));
    for (const std::size_t chunk_bytes : {0U, 1U, 7U, 30U, 1000U}) {
        const ReadSettings settings{chunk_bytes, 1 + random.below(5)};
        CAPTURE(chunk_bytes);
        CAPTURE(settings.n_chunks);
        gru4rec::with_threads(1 + static_cast<int>(random.below(4)), [&] { REQUIRE(read(settings) == whole); });
        const Outcome streamed = stream_outcome(random, bytes, options, settings);
        CAPTURE(streamed.text);
        REQUIRE(streamed == whole);
    }
    const Outcome sessions = reported(options, [&](const ReadOptions& all) {
        return support::read_sessions(bytes, all, {random.below(50), 3});
    });
    const Outcome grouped =
        support::outcome([&] { return support::text_of(support::sessions_of(support::read_naively(bytes, options))); });
    REQUIRE((expected.failed ? sessions.failed : sessions.text.starts_with(grouped.text)));
    return !expected.failed;
}

void check_tables(std::uint64_t seed, int n_tables, std::size_t most_rows) {
    RandomTables random(seed);
    gru4rec::ItemMap known;
    for (const char* id : {"3", "iiiii4", "1", "iiiiiiiiii5", "7"}) {
        known.insert(id);
    }
    int n_read = 0;
    int n_damaged_read = 0;
    for (int i = 0; i < n_tables; ++i) {
        CAPTURE(seed);
        CAPTURE(i);
        RandomTable table = random.next(random.below(most_rows));
        table.options.known_items = random.below(3) == 0 ? &known : nullptr;
        n_read += check(random, table.text, table.options) ? 1 : 0;
        random.damage(table.text);
        n_damaged_read += check(random, table.text, table.options) ? 1 : 0;
    }
    CHECK(n_read > n_tables / 3);
    CHECK(n_damaged_read > n_tables / 20);
    CHECK(n_damaged_read < n_tables * 9 / 10);
}

TEST_CASE("small tables of every form, whole and damaged, read as by the naive reader") {
    check_tables(1, sweep::part_of(600), 40);
}

TEST_CASE("tables beyond the first rows read as by the naive reader, also piece by piece") { check_tables(4, 60, 400); }

TEST_CASE("several tables in a row read as by the naive reader") {
    RandomTables random(3);
    int n_read = 0;
    for (int i = 0; i < 300; ++i) {
        CAPTURE(i);
        const RandomTable first = random.next(random.below(20));
        const std::vector<std::string> texts{first.text, random.below(2) == 0 ? first.text : random.next(10).text,
                                             first.text};
        naive::TableReader reader(first.options);
        const Outcome expected = support::outcome([&] {
            for (std::size_t t = 0; t < texts.size(); ++t) {
                reader.read("file" + std::to_string(t), texts[t]);
            }
            const ReadReport report = reader.report();
            return support::text_of(std::move(reader).take()) + support::text_of(report);
        });
        const Outcome found = reported(first.options, [&](const ReadOptions& options) {
            gru4rec::detail::EventAppender events;
            gru4rec::detail::TableReader tables(options, {random.below(60), 3}, events);
            for (std::size_t t = 0; t < texts.size(); ++t) {
                gru4rec::detail::TextSource source("file" + std::to_string(t), texts[t]);
                static_cast<void>(tables.read(source));
            }
            return static_cast<gru4rec::Events&&>(events);
        });
        CAPTURE(expected.text);
        CAPTURE(found.text);
        REQUIRE(support::agrees(found, expected));
        n_read += expected.failed ? 0 : 1;
    }
    CHECK(n_read > 100);
    CHECK(n_read < 290);
}

}  // namespace
