#ifndef GRU4REC_TESTS_FUZZ_TARGET_HPP
#define GRU4REC_TESTS_FUZZ_TARGET_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/data/records.hpp"
#include "gru4rec/data/text_stream.hpp"
#include "support/temporary_folder.hpp"

#include <algorithm>
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

#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

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
inline void require_message(const gru4rec::Error& error, std::string_view name = "input") {
    const std::string_view text = error.what();
    require(text.starts_with(name), "the message begins with the name of what was read");
    require(text.find('\n') == std::string_view::npos, "the message is one line");
    constexpr std::size_t longest = 50000;  // four characters for each byte of the longest input
    require(text.size() < longest, "the message is not as long as what was read");
}

/// The input as a file, for readers that open one.
class InputFile {
  public:
    explicit InputFile(std::string_view bytes) {
#if defined(__linux__)
        descriptor_ = ::memfd_create("input", MFD_CLOEXEC);
        require(descriptor_ >= 0, "a file in memory can be made");
        for (std::string_view rest = bytes; !rest.empty();) {
            const ssize_t n = ::write(descriptor_, rest.data(), rest.size());
            require(n > 0, "a file in memory can be written");
            rest.remove_prefix(static_cast<std::size_t>(n));
        }
        path_ = "/proc/self/fd/" + std::to_string(descriptor_);
#else
        path_ = (folder_ / "input").string();
        write_bytes(path_, std::string(bytes));
#endif
    }

    InputFile(const InputFile&) = delete;
    InputFile& operator=(const InputFile&) = delete;

    ~InputFile() {
#if defined(__linux__)
        ::close(descriptor_);
#endif
    }

    [[nodiscard]] const std::string& path() const noexcept { return path_; }

  private:
    std::string path_;
#if defined(__linux__)
    int descriptor_ = -1;
#else
    TemporaryFolder folder_;
#endif
};

/// Takes an input apart, from its beginning; behind its end there are zeros.
class Taker {
  public:
    explicit Taker(std::span<const std::uint8_t> bytes) : rest_(bytes) {}

    [[nodiscard]] unsigned byte() {
        if (rest_.empty()) {
            return 0;
        }
        const unsigned value = rest_.front();
        rest_ = rest_.subspan(1);
        return value;
    }

    [[nodiscard]] std::string_view rest() const noexcept {
        return {reinterpret_cast<const char*>(rest_.data()), rest_.size()};
    }

  private:
    std::span<const std::uint8_t> rest_;
};

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
