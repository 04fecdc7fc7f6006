#ifndef GRU4REC_TESTS_FUZZ_TARGET_HPP
#define GRU4REC_TESTS_FUZZ_TARGET_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/data/records.hpp"
#include "gru4rec/data/text_stream.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// One input. libFuzzer calls it with inputs that it makes up, replay.cpp with the files of the corpus.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace fuzz {

/// Ends the process, so that the input is kept.
inline void require(bool condition, const char* what) {
    if (!condition) {
        std::fprintf(stderr, "violated: %s\n", what);
        std::abort();
    }
}

/// The input as a stream that comes in pieces of `piece` bytes, from a buffer of exactly its size.
inline gru4rec::TextStream stream_of(std::string_view bytes, std::size_t piece) {
    auto read = [rest = std::vector<char>(bytes.begin(), bytes.end()), used = std::size_t{0},
                 piece](std::span<char> buffer) mutable {
        std::size_t count = std::min({piece, buffer.size(), rest.size() - used});
        std::copy_n(rest.begin() + static_cast<std::ptrdiff_t>(used), count, buffer.begin());
        used += count;
        return count;
    };
    return {.name = "input", .read = std::move(read)};
}

/// Reads to the end, or to the first `most` bytes.
inline std::string read_all(gru4rec::TextStream& stream, std::size_t most) {
    std::string text;
    std::vector<char> buffer(1000);
    while (text.size() < most) {
        const std::size_t count = stream.read(buffer);
        if (count == 0) {
            break;
        }
        require(count <= buffer.size(), "a read fits into its buffer");
        text.append(buffer.data(), count);
    }
    return text;
}

/// A message of one line that names the input.
inline void require_message(const gru4rec::Error& error) {
    const std::string_view text = error.what();
    require(text.starts_with("input"), "the message begins with the name of the file");
    require(text.find('\n') == std::string_view::npos, "the message is one line");
}

/// Every record of the text has as many fields as its header line. @returns the records, without the header
inline std::vector<std::vector<std::string>> require_table(const std::string& text) {
    constexpr std::size_t most = 1000000;
    std::vector<std::vector<std::string>> records;
    gru4rec::LineReader lines(gru4rec::text_stream("converted", text));
    while (auto line = lines.next()) {
        gru4rec::detail::RecordFields fields;
        auto state = fields.add_line(*line, '\t', most);
        while (state == gru4rec::detail::RecordFields::State::open) {
            line = lines.next();
            require(line.has_value(), "a quoted field is closed");
            state = fields.add_line(*line, '\t', most);
        }
        require(state == gru4rec::detail::RecordFields::State::complete, "the quotes match");
        auto& record = records.emplace_back();
        for (std::size_t i = 0; i < fields.size(); ++i) {
            record.emplace_back(fields[i]);
        }
        require(record.size() == records.front().size(), "a record has as many fields as the header line");
    }
    if (!records.empty()) {
        records.erase(records.begin());
    }
    return records;
}

}  // namespace fuzz

#endif
