#include "gru4rec/data/files.hpp"

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/file_bytes.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/dataset.hpp"
#include "gru4rec/data/event_chunk.hpp"
#include "gru4rec/data/events.hpp"
#include "gru4rec/data/table.hpp"
#include "gru4rec/data/text_source.hpp"
#include "support/equal_values.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

#if GRU4REC_HAS_POSIX_FILES
#include <sys/stat.h>
#endif

namespace {

using gru4rec::ColumnNames;
using gru4rec::Dataset;
using gru4rec::Events;
using gru4rec::Index;
using gru4rec::ItemIndex;
using gru4rec::ItemMap;
using gru4rec::KeepSessionIds;
using gru4rec::read_events;
using gru4rec::read_sessions;
using gru4rec::ReadOptions;
using gru4rec::to_item;
using gru4rec::to_session;
using gru4rec::write_events;

using Texts = std::vector<std::string>;

/// A path for this process alone.
std::filesystem::path temporary_path(std::string_view name) {
    static const auto started = std::chrono::steady_clock::now().time_since_epoch().count();
    return std::filesystem::temp_directory_path() / (std::string(name) + std::to_string(started));
}

/// A file of the given content that is gone afterwards.
class TemporaryFile {
  public:
    explicit TemporaryFile(std::string_view content, std::string_view name = "gru4rec_tsv_test")
        : path_(temporary_path(name)) {
        std::ofstream(path_, std::ios::binary) << content;
    }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;
    ~TemporaryFile() {
        std::error_code ignored;
        std::filesystem::remove(path_, ignored);
    }

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  private:
    std::filesystem::path path_;
};

Dataset read(std::string_view content, const ReadOptions& options = {}) {
    return read_sessions(TemporaryFile(content).path(), options);
}

/// All sessions as `id id|id id ...`.
std::string text(const Dataset& data) {
    std::string result;
    for (Index s = 0; s < data.n_sessions(); ++s) {
        result += s == 0 ? "" : "|";
        std::string separator;
        for (const ItemIndex item : data.session(to_session(s))) {
            result += separator + std::string(data.items().id(item));
            separator = " ";
        }
    }
    return result;
}

TEST_CASE("a plain file is read as it stands") {
    const Dataset data = read("SessionId\tItemId\tTime\n1\ta\t1\n1\tb\t2\n2\ta\t3\n");
    CHECK(text(data) == "a b|a");
    CHECK(data.n_items() == 2);
}

TEST_CASE("columns are found by name, in any order, among others") {
    CHECK(text(read("Time\tprice\tItemId\tSessionId\tnote\n2\t9.9\tb\tx\t\n1\t9\ta\tx\thello world\n")) == "a b");
    ReadOptions options;
    options.columns = ColumnNames{.session_key = "visit", .item_key = "product", .time_key = "when"};
    CHECK(text(read("when,ItemId,product,visit\n1,q,a,s\n2,q,b,s\n", options)) == "a b");
}

TEST_CASE("a file without a column of sessions is one session") {
    ReadOptions options{.keep_session_ids = gru4rec::KeepSessionIds::yes};
    options.columns.session_key = "";
    std::string lines;
    std::string expected;
    for (int e = 0; e < 200; ++e) {  // more than one block of rows
        lines += std::to_string(1000 - e) + ",,i" + std::to_string(e) + (e % 50 == 0 ? ",\"x\"\n" : ",x\n");
        expected = "i" + std::to_string(e) + (e == 0 ? "" : " ") + expected;
    }
    const Dataset data = read("Time,,ItemId,SessionId\n" + lines, options);
    CHECK(text(data) == expected);
    CHECK(data.session_id(gru4rec::to_session(0)) == "1");
}

TEST_CASE("CR LF, a byte-order mark, empty lines and a missing last line end change nothing") {
    const std::string expected = "a b|c";
    CHECK(text(read("SessionId\tItemId\tTime\r\n1\ta\t1\r\n1\tb\t2\r\n2\tc\t3\r\n")) == expected);
    CHECK(text(read("\xef\xbb\xbfSessionId\tItemId\tTime\n1\ta\t1\n1\tb\t2\n2\tc\t3\n")) == expected);
    CHECK(text(read("SessionId\tItemId\tTime\n1\ta\t1\n1\tb\t2\n2\tc\t3")) == expected);
    CHECK(text(read("SessionId\tItemId\tTime\r\n1\ta\t1\r\n1\tb\t2\r\n2\tc\t3\r")) == expected);
    CHECK(text(read("SessionId\tItemId\tTime\n\n1\ta\t1\n\r\n1\tb\t2\n2\tc\t3\n\n\n")) == expected);
    CHECK(text(read("\xef\xbb\xbfTime,SessionId,ItemId\r\n1,1,a\r\n2,1,b\r\n3,2,c")) == expected);
}

TEST_CASE("unsorted events of interleaved sessions are grouped and sorted") {
    CHECK(text(read("SessionId\tItemId\tTime\n"
                    "s2\tc\t30\n"
                    "s1\tb\t20\n"
                    "s2\ta\t10\n"
                    "s1\td\t20\n"
                    "s2\tb\t20.5\n"
                    "s2\td\t20.25\n")) == "a d b c|b d");
}

TEST_CASE("a header with a TAB makes commas ordinary characters, one without makes TABs ordinary") {
    CHECK(text(read("SessionId\tItemId\tTime\n1\ta,b\t1\n1\tc\t2\n")) == "a,b c");
    CHECK(read("SessionId,ItemId,Time\na\tb,1,1\n", {.keep_session_ids = KeepSessionIds::yes})
              .session_id(to_session(0)) == "a\tb");
}

TEST_CASE("fields may be quoted") {
    const Dataset data = read(
        "\"SessionId\",\"Item,Id\",Time,x\n"
        "\"1\",\"a,b\",\"1\",\"\"\n"
        "1,\"say \"\"hi\"\"\",2,\"\"\"\"\n"
        "1,5\" disk,3,y\n"
        "\"1\",\"plain\",\"4\",\"z,,\"\n",
        {.columns = {.item_key = "Item,Id"}});
    CHECK(text(data) == "a,b say \"hi\" 5\" disk plain");
}

TEST_CASE("ids are text: leading zeros and any alphabet count, blanks inside but not around them") {
    const Dataset data = read(
        "SessionId\tItemId\tTime\n"
        "01\t007\t1\n1\t7\t2\n1 \t 7\t3\n1\tСапоги 38\t4\n 1\t7 \t5\n\" 1\"\t\" 7\"\t6\n",
        {.keep_session_ids = KeepSessionIds::yes});
    CHECK(text(data) == "007|7 7 Сапоги 38 7 7");
    CHECK(data.session_id(to_session(0)) == "01");
    CHECK(data.session_id(to_session(1)) == "1");
    CHECK(data.n_items() == 3);
}

TEST_CASE("a data set holds the ids of its sessions only if it is asked to") {
    const TemporaryFile file("SessionId,ItemId,Time\n7,1,1\n7,2,2\n");
    CHECK_FALSE(read_sessions(file.path()).has_session_ids());
    CHECK(read_sessions(file.path(), {.keep_session_ids = KeepSessionIds::yes}).has_session_ids());
}

TEST_CASE("a file without events is an empty data set") {
    CHECK(read("SessionId\tItemId\tTime\n").n_sessions() == 0);
    CHECK(read("SessionId,ItemId,Time").n_events() == 0);
}

TEST_CASE("known items keep their indices, others are counted") {
    ItemMap known;
    known.insert("b");
    known.insert("a");
    const Dataset data = read("SessionId\tItemId\tTime\n1\ta\t1\n1\tz\t2\n2\tz\t3\n3\tb\t4\n", {.known_items = &known});
    CHECK(text(data) == "a||b");
    CHECK(data.n_unknown_events() == 2);
    CHECK(data.items() == known);
}

TEST_CASE("every mistake is reported with file, line, column, value and a hint") {
    const auto message = [](std::string_view content) -> std::string {
        const TemporaryFile file(content);
        try {
            static_cast<void>(read_sessions(file.path()));
        } catch (const gru4rec::FormatError& error) {
            const std::string what = error.what();
            REQUIRE(what.starts_with(file.path().string() + ":"));
            return what.substr(file.path().string().size() + 1);
        }
        return "accepted";
    };
    const std::string header = "SessionId\tItemId\tTime\n";
    CHECK(message("") ==
          "1: found no header line; the first line must name the columns, among them \"SessionId\", "
          "\"ItemId\" and \"Time\"");
    CHECK(message("\n" + header).starts_with("1: found no header line"));
    CHECK(message("Visit\tItemId\tTime\n") ==
          "1: column \"SessionId\" is missing; the header line, separated by TABs, names \"Visit\", \"ItemId\", "
          "\"Time\"; correct the header or set session_key (option --session-key of the program)");
    CHECK(message("SessionId ItemId Time\n")
              .ends_with("use TABs or commas instead of blanks; if each line holds the items of a session: gru4rec "
                         "--format sessions"));
    CHECK(message("SessionId,Thing,Time\n").ends_with("set item_key (option --item-key of the program)"));
    CHECK(message("SessionId,ItemId,when\n")
              .ends_with("set time_key (option --time-key of the program); if the rows are in the order of time: "
                         "TimeUnit::none (--time-unit none)"));
    CHECK(message("SessionId,ItemId,Time,ItemId\n") ==
          "1: column \"ItemId\" occurs more than once; rename all but one");
    CHECK(message(header + "1\ta\t1\n\n1\tb\n") ==
          "4: the line has 2 fields, the header 3: \"1\\x09b\"; look for a missing or an additional TAB");
    CHECK(message("SessionId,ItemId,Time\n1,a,b,2\n") ==
          "2: the line has 4 fields, the header 3: \"1,a,b,2\"; look for a missing or an additional comma");
    CHECK(message(header + "1\ta\t5\n1\ta\tnoon\n") ==
          "3: column \"Time\": \"noon\" is not a valid time; expected an integer or a decimal number within 64 bits, "
          "such as 1396310400 or 1396310400.25");
    CHECK(message(header + "1\ta\t5\n1\ta\t2015-04-01\n")
              .starts_with("3: the time \"2015-04-01\" looks like a date, but \"5\" ("));
    for (const std::string time : {"nan", "inf", "-inf", "1e30", "9223372036854775808", "0x10", "1 2"}) {
        CAPTURE(time);
        CHECK(message(header + "1\ta\t5\n1\ta\t" + time + "\n")
                  .starts_with("3: column \"Time\": \"" + time + "\" is not a valid time"));
    }
    CHECK(message(header + "1\t\t5\n") ==
          "2: column \"ItemId\": item id \"\" is empty; expected UTF-8 text without TAB, CR, LF and NUL");
    CHECK(
        message(header + "1\ta\t5\n2\tb\xe9\t6\n") ==
        "3: column \"ItemId\": item id \"b\\xe9\" is not valid UTF-8; expected UTF-8 text without TAB, CR, LF and NUL");
    CHECK(message("SessionId,ItemId,Time\n1,a\tb,5\n")
              .starts_with("2: column \"ItemId\": item id \"a\\x09b\" contains a TAB"));
    CHECK(message("SessionId,ItemId,Time\n1,\"a,5\n").starts_with("2: the quotes of a field do not match"));
    CHECK(message("SessionId,ItemId,Time\n1,\"a\nb\",5\n").starts_with("2: column \"ItemId\": item id"));
    CHECK(message("SessionId,ItemId,Time\n1,\"a\"b,5\n").starts_with("2: the quotes of a field do not match"));
    CHECK(message("SessionId,ItemId,\"Time\n").starts_with("1: the quotes of a field do not match"));
    CHECK(message(std::string("\xff\xfeS\0e\0", 6)) == " looks like UTF-16; save the file as UTF-8");
    CHECK(message("\x1f\x8b\x08") == " looks like a gzip file; unpack it first");
}

TEST_CASE("an unknown item's id is checked as well") {
    ItemMap known;
    known.insert("a");
    CHECK_THROWS_AS(read("SessionId\tItemId\tTime\n1\t\xff\t1\n", {.known_items = &known}), gru4rec::FormatError);
}

TEST_CASE("a file that cannot be read says why") {
    const auto message = [](const std::filesystem::path& path) -> std::string {
        try {
            static_cast<void>(read_sessions(path));
        } catch (const gru4rec::IoError& error) {
            return error.what();
        }
        return "accepted";
    };
    const auto folder = std::filesystem::temp_directory_path();
    CHECK(message(folder / "gru4rec_no_such_file") ==
          (folder / "gru4rec_no_such_file").string() + ": cannot open the file: No such file or directory");
    CHECK(message(folder).find(GRU4REC_HAS_POSIX_FILES ? "cannot read the file" : "cannot open the file") !=
          std::string::npos);
    CHECK(message("").find("cannot open the file") != std::string::npos);
    if (std::filesystem::is_character_file("/dev/null")) {
        CHECK(message("/dev/null") == "/dev/null: is a device; expected a file or a pipe");
    }
}

TEST_CASE("any part of the body that ends at a line end can be parsed, and errors name the line of the file") {
    std::string body;
    for (int e = 0; e < 50; ++e) {
        body += std::to_string(e % 7) + "\titem " + std::to_string(e % 11) + "\t" + std::to_string(e * 37 % 50) + "\n";
    }
    const std::string bytes = "SessionId\tItemId\tTime\n" + body + "x\ty\tz\n";
    gru4rec::detail::TextSource source("file", bytes);
    const ReadOptions options;
    const gru4rec::detail::Table file(source, options);
    const ItemMap nothing_known;
    gru4rec::detail::EventChunk chunk;
    const std::string_view lines = file.first_rows();
    for (std::size_t cut = lines.find('\n') + 1; cut <= body.size(); cut = lines.find('\n', cut) + 1) {
        chunk.start(nothing_known, gru4rec::detail::NewItems::keep, file.format().missing);
        file.parse(lines.substr(0, cut), chunk);
        const std::size_t n = chunk.items().size();
        CHECK(n == static_cast<std::size_t>(std::count(lines.begin(), lines.begin() + static_cast<Index>(cut), '\n')));
        CHECK_FALSE(chunk.problem());
        chunk.start(nothing_known, gru4rec::detail::NewItems::keep, file.format().missing);
        file.parse(lines.substr(cut), chunk);
        CHECK(chunk.items().size() + n == 50);
        REQUIRE(chunk.problem());
        CHECK_THROWS_WITH_AS(file.fail(*chunk.problem()), doctest::Contains("file:52: column \"Time\": \"z\""),
                             gru4rec::FormatError);
    }
}

TEST_CASE("a file of several waves reads the same mapped and through a pipe") {
    std::string content = "SessionId\tItemId\tTime\n";
    for (int e = 0; e < 60'000; ++e) {
        content += std::to_string(e / 3) + "\titem" + std::to_string(e * 17 % 997) + "\t" +
                   std::to_string(1'396'310'400 - e * 31 % 1009) + ".25\n";
    }
    const Dataset mapped = read(content);
    CHECK(mapped.n_sessions() == 20'000);
    CHECK(mapped.n_events() == 60'000);
    CHECK(mapped.n_items() == 997);
    const TemporaryFile file(content);
    CHECK(text(Dataset(read_events(file.path()))) == text(mapped));
#if GRU4REC_HAS_POSIX_FILES
    const auto pipe = temporary_path("gru4rec_tsv_test_pipe");
    REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
    std::thread writer([&] { std::ofstream(pipe, std::ios::binary) << content; });
    const Dataset piped = read_sessions(pipe);
    writer.join();
    std::filesystem::remove(pipe);
    CHECK(text(piped) == text(mapped));
    CHECK(equal_values(piped.time_order(), mapped.time_order()));
#endif
}

#if GRU4REC_HAS_POSIX_FILES
TEST_CASE("a pipe is opened once: its writer never finds it closed") {
    const std::string content(200'000, 'x');
    for (int round = 0; round < 100; ++round) {
        const auto pipe = temporary_path("gru4rec_tsv_test_once");
        REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
        std::thread writer([&] { std::ofstream(pipe, std::ios::binary) << content; });
        const bool whole = gru4rec::detail::FileBytes(pipe).view() == content;
        writer.join();
        std::filesystem::remove(pipe);
        REQUIRE(whole);
    }
}

TEST_CASE("a file can still be read after its memory was released") {
    const std::string content(3'000'000, 'x');
    const TemporaryFile target(content);
    const gru4rec::detail::FileBytes file(target.path());
    CHECK(file.view() == content);
    file.release(file.view().substr(0, 1));
    file.release(file.view().substr(5000, 2'000'000));
    file.release(file.view());
    CHECK(file.view() == content);
}
#endif

TEST_CASE("written events read back unchanged") {
    const TemporaryFile source("SessionId\tItemId\tTime\n9\tb\t-1.5\n8\tä\t3\n9\tb\t2.000000001\n8\tc\t-7\n");
    const TemporaryFile target("", "gru4rec_tsv_test_written");
    const Events events = read_events(source.path());
    write_events(events, target.path());
    std::ifstream file(target.path(), std::ios::binary);
    const std::string written((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    CHECK(written == "SessionId\tItemId\tTime\n9\tb\t-1.5\n8\tä\t3\n9\tb\t2.000000001\n8\tc\t-7\n");

    const Events again = read_events(target.path());
    CHECK(again.sessions == events.sessions);
    CHECK(again.items == events.items);
    CHECK(again.times.whole == events.times.whole);
    CHECK(again.times.nanoseconds == events.times.nanoseconds);
    CHECK(again.item_map == events.item_map);
    CHECK(again.session_ids == events.session_ids);
}

TEST_CASE("ids with quotation marks are written so that they read back") {
    const Dataset quoted = gru4rec::make_dataset(std::vector<std::string>{"\"s\"", "\"s\"", "a\"b"},
                                                 std::vector<std::string>{"\"Hello\"", "5\" tv", "\""},
                                                 std::vector<int>{1, 2, 3}, {.keep_session_ids = KeepSessionIds::yes});
    Events events;
    for (const std::string_view session : {"\"s\"", "a\"b"}) {
        events.session_ids.insert(session);
    }
    for (Index s = 0, time = 1; s < quoted.n_sessions(); ++s) {
        for (const ItemIndex item : quoted.session(to_session(s))) {
            events.append(to_session(s), events.item_map.insert(quoted.items().id(item)), {time++, 0});
        }
    }
    const TemporaryFile target("", "gru4rec_tsv_test_quoted");
    write_events(events, target.path(), ColumnNames{"\"who\"", "ItemId", "Time"});
    const Dataset again =
        read_sessions(target.path(), {.columns = {.session_key = "\"who\""}, .keep_session_ids = KeepSessionIds::yes});
    CHECK(text(again) == "\"Hello\" 5\" tv|\"");
    CHECK(again.session_id(to_session(0)) == "\"s\"");
    CHECK(again.session_id(to_session(1)) == "a\"b");
}

TEST_CASE("events that do not fit a TAB-separated file are not written") {
    const TemporaryFile source("SessionId,ItemId,Time\na\tb,1,1\n");
    const auto target = temporary_path("gru4rec_tsv_test_refused");
    const Events events = read_events(source.path());
    CHECK_THROWS_AS(write_events(events, target), std::invalid_argument);
    CHECK_FALSE(std::filesystem::exists(target));
    for (const std::string wrong : {"", "a\tb", "a\rb", "a\nb"}) {
        for (const ColumnNames& columns :
             {ColumnNames{.session_key = wrong}, ColumnNames{.item_key = wrong}, ColumnNames{.time_key = wrong}}) {
            CHECK_THROWS_WITH_AS(write_events(Events{}, target, columns), doctest::Contains("column name \""),
                                 std::invalid_argument);
        }
    }
    CHECK_THROWS_WITH_AS(write_events(Events{}, "/no/such/folder/file"), doctest::Contains("does not exist"),
                         gru4rec::IoError);
    if (std::filesystem::exists("/dev/full")) {
        const Events some = read_events(TemporaryFile("SessionId\tItemId\tTime\n1\ta\t1\n").path());
        CHECK_THROWS_WITH_AS(write_events(some, "/dev/full"), doctest::Contains("No space left on device"),
                             gru4rec::IoError);
    }
}

}  // namespace
