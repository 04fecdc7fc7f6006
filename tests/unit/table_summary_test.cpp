#include "gru4rec/data/table_summary.hpp"

#include "gru4rec/core/error.hpp"
#include "gru4rec/data/item_map.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace {

using gru4rec::ReadOptions;
using gru4rec::TableInput;
using gru4rec::TableSummary;
using gru4rec::TextStream;
using gru4rec::TimeUnit;

using Counts = std::vector<std::int64_t>;

/// A stream of a text, a few bytes at a time.
TextStream stream_of(std::string text) {
    return {"table", [text = std::move(text), at = std::size_t{0}](std::span<char> buffer) mutable {
                const std::size_t n = text.copy(buffer.data(), (std::min)(buffer.size(), std::size_t{7}), at);
                at += n;
                return n;
            }};
}

TableSummary summary_of(std::vector<std::string> texts, const ReadOptions& options = {}) {
    std::size_t next = 0;
    return gru4rec::summarize(
        [&]() -> std::optional<TableInput> {
            return next == texts.size() ? std::nullopt : std::optional<TableInput>(stream_of(texts[next++]));
        },
        options);
}

TEST_CASE("a summary counts events, sessions, items and repeats") {
    const TableSummary summary = summary_of(
        {"SessionId,ItemId,Time\n1,a,1431235772\n1,a,1431235773\n2,b,1431235774\n1,b,1431235775\nNA,c,1431235776\n"});
    CHECK(summary.n_events == 4);
    CHECK(summary.lengths == Counts{1, 3});
    CHECK(summary.supports == Counts{2, 2});
    CHECK(summary.n_repeats == 1);
    CHECK(summary.first_time == "2015-05-10 05:29:32 UTC");
    CHECK(summary.last_time == "2015-05-10 05:29:35 UTC");
    CHECK(summary.report.n_skipped == 1);
    CHECK(summary.report.time_unit == TimeUnit::seconds);
}

TEST_CASE("a summary of several tables is one of their events together") {
    gru4rec::ReadReport report;
    ReadOptions options;
    options.report = &report;
    const TableSummary summary = summary_of(
        {"SessionId,ItemId,Time\n1,a,1\n2,b,2\n", "Time\tItemId\tSessionId\n5\tb\t2\n-3.5\tc\t3\n"}, options);
    CHECK(summary.lengths == Counts{1, 1, 2});
    CHECK(summary.supports == Counts{1, 1, 2});
    CHECK(summary.n_repeats == 1);
    CHECK(summary.first_time == "-3.5");
    CHECK(summary.last_time == "5");
    CHECK(report.time_unit == TimeUnit::number);
    CHECK(report.separator == ',');
    CHECK(report.columns.size() == 3);
}

TEST_CASE("first and last time are those of the events, not of their rows, and may both lie before zero") {
    const auto times = [](const std::string& rows) {
        const TableSummary summary = summary_of({"SessionId,ItemId,Time\n" + rows});
        return summary.first_time + " " + summary.last_time;
    };
    CHECK(times("1,a,-7\n") == "-7 -7");
    CHECK(times("1,a,-7\n1,b,-9\n2,b,-8\n") == "-9 -7");
    CHECK(times("1,a,9\n1,b,7\n2,b,8\n") == "7 9");
}

TEST_CASE("sessions of nothing but unknown items are not counted") {
    gru4rec::ItemMap known;
    known.insert("a");
    known.insert("b");
    ReadOptions options;
    options.known_items = &known;
    const TableSummary summary =
        summary_of({"SessionId,ItemId,Time\n1,a,1\n2,x,2\n2,y,3\n3,a,4\n3,x,5\n3,a,6\n"}, options);
    CHECK(summary.n_events == 3);
    CHECK(summary.lengths == Counts{1, 2});
    CHECK(summary.supports == Counts{0, 3});
    CHECK(summary.n_repeats == 1);
}

TEST_CASE("a summary says how the first table is written") {
    ReadOptions options;
    options.where.push_back({"kind", {"view"}});
    const TableSummary summary = summary_of(
        {"kind;user_session;note;product_id;event_time\nview;s;;i;2015-05-10\nbuy;s;;i;2015-05-10\n"}, options);
    CHECK(summary.report.separator == ';');
    CHECK(summary.report.has_header);
    CHECK(summary.report.has_dates);
    CHECK(summary.report.n_filtered == 1);
    using enum gru4rec::ColumnRole;
    const std::vector<gru4rec::ColumnRole> roles{filter, session, unused, item, time};
    for (std::size_t i = 0; i < roles.size(); ++i) {
        CHECK(summary.report.columns[i].role == roles[i]);
    }
    CHECK(summary.report.columns[3].name == "product_id");
    CHECK(summary_of({"1|a|1431235772000\n"}, {.columns = {"1", "2", "3"}}).report.written_unit ==
          TimeUnit::milliseconds);
}

TEST_CASE("a summary of tables without events is empty") {
    const TableSummary summary = summary_of({"SessionId,ItemId,Time\n"});
    CHECK(summary.n_events == 0);
    CHECK(summary.lengths.empty());
    CHECK(summary.first_time.empty());
    CHECK(summary_of({}).n_events == 0);
    CHECK_THROWS_AS(summary_of({"SessionId,ItemId,Time\n1,a,noon\n"}), gru4rec::FormatError);
}

}  // namespace
