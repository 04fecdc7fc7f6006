// Tables: the first eight bytes of the input choose the options and the cuts, the rest is the table. However it is cut,
// it must read as the naive reader reads it.

#include "gru4rec/data/reader.hpp"

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/data/item_map.hpp"
#include "gru4rec/data/read_options.hpp"
#include "gru4rec/data/text_source.hpp"
#include "gru4rec/data/text_stream.hpp"
#include "support/naive/table.hpp"
#include "support/reading.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using gru4rec::ReadOptions;
using gru4rec::ReadReport;
using support::Outcome;

void require(bool condition, const char* what, const Outcome& found, const Outcome& expected) {
    if (!condition) {
        std::fprintf(stderr, "violated: %s\nfound: %s\nexpected: %s\n", what, found.text.c_str(),
                     expected.text.c_str());
        std::abort();
    }
}

/// The columns, by name or by number; which of them filters ask for.
void choose_columns(ReadOptions& options, unsigned how) {
    auto& columns = options.columns;
    switch (how % 4) {
        case 0: break;
        case 1: columns = {.session_key = "1", .item_key = "2", .time_key = "3", .time_offset_key = {}}; break;
        case 2: columns.session_key = ""; break;
        default: columns = {.session_key = "s", .item_key = "i", .time_key = "t", .time_offset_key = "o"};
    }
    if ((how & 4U) != 0) {
        options.where.push_back({"event", {"view", "cart"}});
    }
    if ((how & 8U) != 0) {
        options.where.push_back({"1", {"1", "a", "view"}});
    }
}

ReadOptions options_of(std::string_view bytes, const gru4rec::ItemMap& known) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned>(static_cast<unsigned char>(bytes[i])); };
    ReadOptions options;
    choose_columns(options, byte(0));
    auto& layout = options.layout;
    layout.separator = std::string_view("\0\0\t,;|", 6)[byte(1) % 6];
    layout.header = static_cast<gru4rec::HeaderLine>(byte(2) % 3);
    layout.quotes = static_cast<gru4rec::Quotes>(byte(3) % 2);
    layout.time_unit = static_cast<gru4rec::TimeUnit>(byte(4) % 8 < 7 ? byte(4) % 8 : 0);
    if (byte(5) % 3 == 1) {
        options.missing = {"0", "-"};
    } else if (byte(5) % 3 == 2) {
        options.missing_rows = gru4rec::MissingRows::refuse;
    }
    options.known_items = byte(5) % 2 == 0 ? nullptr : &known;
    return options;
}

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

Outcome stream_outcome(std::string_view bytes, const ReadOptions& options, std::size_t part,
                       const gru4rec::detail::ReadSettings& settings) {
    gru4rec::TextStream stream{.name = "file", .read = [part, rest = bytes](std::span<char> buffer) mutable {
                                   const std::size_t n = rest.copy(buffer.data(), (std::min)(buffer.size(), part));
                                   rest.remove_prefix(n);
                                   return n;
                               }};
    return reported(options, [&](const ReadOptions& all) {
        gru4rec::detail::TextSource source(stream, 2 * part);
        return gru4rec::detail::read_events(source, all, settings);
    });
}

void check(const std::uint8_t* data, std::size_t size) {
    constexpr std::size_t n_options = 8;
    if (size < n_options) {
        return;
    }
    gru4rec::ItemMap known;
    known.insert("a");
    known.insert("70004");
    const std::string_view head(reinterpret_cast<const char*>(data), n_options);
    const std::vector<char> exact(data + n_options, data + size);
    const std::string_view bytes(exact.data(), exact.size());
    const ReadOptions options = options_of(head, known);
    const gru4rec::detail::ReadSettings settings{static_cast<std::size_t>(data[6] % 64), 1 + data[7] % 4U};
    const auto read = [&](const gru4rec::detail::ReadSettings& cuts) {
        return reported(options, [&](const ReadOptions& all) { return support::read_events(bytes, all, cuts); });
    };
    try {
        const Outcome expected = naive_outcome(bytes, options);
        const Outcome whole = read({.n_chunks = 1});
        require(support::agrees(whole, expected), "the naive reader finds the same", whole, expected);
        require(!whole.failed || whole.text.starts_with("file:"), "a message begins with the place", whole, expected);
        const Outcome cut = read(settings);
        require(cut == whole, "the cuts change nothing", cut, whole);
        const Outcome streamed = stream_outcome(bytes, options, 1 + data[6] / 4U, settings);
        require(streamed == whole, "a stream reads as its text", streamed, whole);
    } catch (const gru4rec::ConfigError&) {
        return;  // options that contradict each other
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    gru4rec::with_threads(1, [&] { check(data, size); });  // several would take most of the time to start
    return 0;
}
