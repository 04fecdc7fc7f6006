// Several tables as one, and tables that arrive in parts.

#include "gru4rec/data/files.hpp"

#include "gru4rec/core/error.hpp"
#include "gru4rec/data/events.hpp"
#include "gru4rec/data/read_options.hpp"
#include "gru4rec/data/text_source.hpp"
#include "gru4rec/data/text_stream.hpp"
#include "support/contains.hpp"
#include "support/table_text.hpp"
#include "support/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <exception>
#include <filesystem>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace {

using gru4rec::KeepSessionIds;
using gru4rec::ReadOptions;
using gru4rec::TableInput;
using gru4rec::TableInputs;
using gru4rec::TextStream;
using gru4rec::TimeUnit;
using Paths = std::vector<std::filesystem::path>;

/// Writes tables to files `0`, `1`, ...
Paths written(const TemporaryFolder& folder, const std::vector<std::string>& tables) {
    Paths paths;
    for (const std::string& table : tables) {
        paths.push_back(folder / std::to_string(paths.size()));
        write_bytes(paths.back(), table);
    }
    return paths;
}

/// The events, or the message without the folder.
std::string read(const std::vector<std::string>& tables, const ReadOptions& options = {}) {
    const TemporaryFolder folder;
    const Paths paths = written(folder, tables);
    try {
        const std::string events = support::listed(gru4rec::read_events(paths, options));
        ReadOptions keep = options;
        keep.keep_session_ids = KeepSessionIds::yes;
        const gru4rec::Dataset expected(gru4rec::read_events(paths, options), KeepSessionIds::yes);
        CHECK(support::text_of(gru4rec::read_sessions(paths, keep)) == support::text_of(expected));
        return events;
    } catch (const gru4rec::FormatError& error) {
        std::string message = error.what();
        const std::string prefix = (folder.path() / "").string();
        for (std::size_t at = 0; (at = message.find(prefix)) != std::string::npos;) {
            message.erase(at, prefix.size());
        }
        return message;
    }
}

/// A stream that hands out `part` bytes at most.
TextStream stream_of(std::string text, std::size_t part, std::string line_name = "") {
    auto next = [rest = std::move(text), used = std::size_t{0}, part](std::span<char> buffer) mutable {
        const std::size_t n = rest.copy(buffer.data(), (std::min)(part, buffer.size()), used);
        used += n;
        return n;
    };
    return {.name = "stream", .read = std::move(next), .line_name = std::move(line_name)};
}

std::string streamed(const std::string& text, std::size_t part, std::size_t piece, const std::string& line_name = "") {
    TextStream stream = stream_of(text, part, line_name);
    gru4rec::detail::TextSource source(stream, piece);
    try {
        return support::listed(gru4rec::detail::read_events(source, {}, {.chunk_bytes = 20, .n_chunks = 3}));
    } catch (const gru4rec::FormatError& error) {
        return error.what();
    }
}

TEST_CASE("a session goes on in the next file, and items keep their numbers") {
    CHECK(read({"SessionId,ItemId,Time\n1,a,5\n2,b,6\n", "SessionId,ItemId,Time\n2,a,7\n3,c,8\n"}) ==
          "1:a@5 2:b@6 2:a@7 3:c@8");
    CHECK(read({"SessionId,ItemId,Time\n1,a,5\n2,b,6\n", "SessionId,ItemId,Time\n1,b,4\n"}) == "1:a@5 2:b@6 1:b@4");
    CHECK(read({"SessionId,ItemId,Time\n1,a,5\n", "SessionId,ItemId,Time\n", "SessionId,ItemId,Time\n1,b,6"}) ==
          "1:a@5 1:b@6");
    CHECK(read({}) == "");
}

TEST_CASE("every file has its own separator, columns, header line and unit of times") {
    CHECK(read({"SessionId,ItemId,Time\n1,a,1431235772\n", "ts;aid;session\n1431235773404;b;1\n",
                "time\tx\tsid\tItemId\n2015-05-10T05:29:34Z\t\t1\t\"c\"\n"}) ==
          "1:a@1431235772 1:b@1431235773.404 1:c@1431235774");
    ReadOptions numbers;
    numbers.columns.session_key = "1";
    numbers.columns.item_key = "2";
    numbers.columns.time_key = "3";
    CHECK(read({"1,a,5\n", "SessionId|ItemId|Time\n1|b|6\n"}, numbers) == "1:a@5 1:b@6");
}

TEST_CASE("times of two kinds do not fit") {
    const std::string counter = "SessionId,ItemId,Time\n1,a,5\n";
    const std::string seconds = "SessionId,ItemId,Time\n1,a,1431235772\n";
    const std::string dates = "SessionId,ItemId,Time\n1,a,2015-05-10\n";
    const std::string none = "SessionId,ItemId\n1,a\n";
    CHECK(read({counter, seconds}) ==
          "1: its times are seconds, those of the files before plain numbers; give files with times of one kind");
    CHECK(contains(read({dates, counter}), "1: its times are plain numbers, those of the files before seconds"));
    CHECK(contains(read({none, dates}), "1: its times are seconds, those of the files before none"));
    CHECK(contains(read({seconds, seconds, none}), "2: its times are none"));
    CHECK(read({none, none}) == "1:a@1 1:a@2");
    CHECK(read({seconds, "SessionId,ItemId,Time\n", dates}) == "1:a@1431235772 1:a@1431216000");
    ReadOptions number;
    number.layout.time_unit = TimeUnit::number;
    CHECK(read({counter, seconds}, number) == "1:a@5 1:a@1431235772");
}

TEST_CASE("a message names the file and its line, a report sums up the files") {
    CHECK(contains(read({"SessionId,ItemId,Time\n1,a,5\n", "SessionId,ItemId,Time\n\n1,b,noon\n"}),
                   "1:3: column \"Time\""));
    CHECK(contains(read({"SessionId,ItemId,Time\n1,a,5\n", ""}), "1:1: found no header line"));
    gru4rec::ReadReport report;
    ReadOptions options;
    options.report = &report;
    options.where = {{"event", {"view"}}};
    const std::string table = "session_id,ItemId,Time,event\n1,a,5,view\n1,b,6,buy\nNA,c,7,view\n";
    CHECK(read({table, table}, options) == "1:a@5 1:a@5");
    CHECK(report.n_filtered == 2);
    CHECK(report.n_skipped == 2);
    CHECK(contains(report.first_skipped, "0:4: column \"session_id\""));
    CHECK(report.notes.size() == 2);
}

TEST_CASE("files and streams are handed out one after another") {
    const TemporaryFolder folder;
    const Paths paths = written(folder, {"SessionId,ItemId,Time\n1,a,5\n"});
    int n = 0;
    const TableInputs next = [&]() -> std::optional<TableInput> {
        switch (n++) {
            case 0: return paths[0];
            case 1: return stream_of("Time|SessionId|ItemId\n6|1|b\n", 1);
            case 2: return paths[0];
            default: return std::nullopt;
        }
    };
    CHECK(support::listed(gru4rec::read_events(next)) == "1:a@5 1:b@6 1:a@5");
    n = 0;
    CHECK(gru4rec::read_sessions(next).n_events() == 3);
    CHECK(n == 4);
}

TEST_CASE("a stream reads as its text, whatever the size of its parts and pieces") {
    std::string text = "\xef\xbb\xbf\"no\nte\",SessionId,ItemId,Time\r\n";
    for (int row = 0; row < 300; ++row) {
        text += row % 3 == 0 ? "\"a\n\n,b\"," : "x,";
        text += std::to_string(row / 4) + ",\"i" + std::to_string(row % 7) + "\"\"\"," + std::to_string(row) +
                (row % 2 == 0 ? "\r\n" : "\n");
    }
    const std::string expected = support::read_text(text);
    REQUIRE(contains(expected, "74:i5\"@299"));
    for (const std::size_t part : {1U, 2U, 7U, 100U, 100'000U}) {
        for (const std::size_t piece : {1U, 10U, 1000U, 100'000U}) {
            CAPTURE(part);
            CAPTURE(piece);
            CHECK(streamed(text, part, piece) == expected);
            CHECK(streamed(text + "x,1,a,noon", part, piece).starts_with("stream:503: column \"Time\": \"noon\""));
            CHECK(streamed(text + "x,1,\"a,5\n\n", part, piece).starts_with("stream:503: the quotes of a field"));
        }
    }
}

TEST_CASE("times of a stream are judged by as many rows as those of a file") {
    std::string text = "SessionId,ItemId,Time\n";
    for (int row = 0; row < 90; ++row) {
        text += "1,a,NA\n";
    }
    text += "1,b,1431235772404\n";
    CHECK(streamed(text, 5, 1) == "1:b@1431235772.404");
    CHECK(
        streamed(text + "1,b,1431235773\n", 5, 1).starts_with("stream:93: the time \"1431235773\" looks like seconds"));
}

TEST_CASE("a converted stream names what its lines are") {
    const std::string text = "SessionId,ItemId,Time\n1,a,5\n1,b,noon\n";
    CHECK(streamed(text, 5, 100, "event").starts_with("stream, event 2: column \"Time\""));
    CHECK(streamed("SessionId,x,Time\n", 5, 100, "event").starts_with("stream, event 1: column \"ItemId\" is missing"));
}

/// A stream of a text, then `n` times the same character.
TextStream endless(std::string begin, char c, std::size_t n) {
    return {.name = "stream", .read = [begin = std::move(begin), c, n](std::span<char> buffer) mutable {
                if (!begin.empty()) {
                    const std::size_t size = begin.copy(buffer.data(), buffer.size());
                    begin.erase(0, size);
                    return size;
                }
                const std::size_t size = (std::min)(n, buffer.size());
                std::fill_n(buffer.begin(), size, c);
                n -= size;
                return size;
            }};
}

TEST_CASE("a line of more than 64 MiB in a stream is an error in that line") {
    const auto message = [](const std::string& begin) -> std::string {
        TextStream stream = endless(begin, 'x', (std::numeric_limits<std::size_t>::max)());
        gru4rec::detail::TextSource source(stream);
        try {
            static_cast<void>(gru4rec::detail::read_events(source));
        } catch (const gru4rec::FormatError& error) {
            return error.what();
        }
        return "accepted";
    };
    CHECK(message("SessionId,ItemId,Time\n1,a,5\n") ==
          "stream:3: the line is longer than 64 MiB; look for a missing line end");
    CHECK(message("") == "stream:1: the line is longer than 64 MiB; look for a missing line end");
    CHECK(message("SessionId,ItemId,Time\n1,\"").starts_with("stream:2: the line is longer"));
}

TEST_CASE("what a stream throws comes through") {
    TextStream stream{.name = "stream",
                      .read = [](std::span<char>) -> std::size_t { throw gru4rec::IoError("the pipe broke"); }};
    gru4rec::detail::TextSource source(stream);
    CHECK_THROWS_WITH_AS(static_cast<void>(gru4rec::detail::read_events(source)), "the pipe broke", gru4rec::IoError);
}

TEST_CASE("a path that cannot be looked at is an error of the file") {
    const Paths paths{std::filesystem::path(std::string(5000, 'x'))};
    CHECK_THROWS_AS(static_cast<void>(gru4rec::read_sessions(paths)), gru4rec::IoError);
}

}  // namespace
