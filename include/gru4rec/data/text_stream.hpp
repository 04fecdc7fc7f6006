#ifndef GRU4REC_DATA_TEXT_STREAM_HPP
#define GRU4REC_DATA_TEXT_STREAM_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace gru4rec {
inline namespace GRU4REC_ABI {

/// Text that arrives in parts: a pipe, a packed file, a converter. Moved, not copied; read once. After an exception it
/// must not be read again.
struct TextStream {
    std::string name;  ///< for messages, such as "clicks.csv.gz"

    /// Fills the buffer from its start. @returns the bytes written, 0 only at the end and for an empty buffer
    /// @throws IoError, FormatError
    std::function<std::size_t(std::span<char>)> read;

    /// What a line of the text is in the source, such as "event" for converted JSON lines; empty: a line of the file.
    /// Messages then say `name, event 17` instead of `name:18`.
    std::string line_name = "";
};

/// A table to read: a file, or text that arrives in parts.
using TableInput = std::variant<std::filesystem::path, TextStream>;

/// Reads up to `n_bytes` of the stream, less only at its end. They are not lost: the stream begins with them.
[[nodiscard]] inline std::string peek(TextStream& stream, std::size_t n_bytes) {
    std::string bytes(n_bytes, '\0');
    std::size_t size = 0;
    while (size < n_bytes) {
        const std::size_t count = stream.read(std::span(bytes).subspan(size));
        if (count == 0) {
            break;
        }
        size += count;
    }
    bytes.resize(size);
    auto again = [first = bytes, used = std::size_t{0},
                  rest = std::move(stream.read)](std::span<char> buffer) mutable -> std::size_t {
        if (used == first.size()) {
            return rest(buffer);
        }
        const std::size_t count = first.copy(buffer.data(), buffer.size(), used);
        used += count;
        return count;
    };
    stream.read = std::move(again);
    return bytes;
}

/// A whole text as a stream.
[[nodiscard]] inline TextStream text_stream(std::string name, std::string text) {
    auto read = [rest = std::move(text), used = std::size_t{0}](std::span<char> buffer) mutable {
        const std::size_t count = rest.copy(buffer.data(), buffer.size(), used);
        used += count;
        return count;
    };
    return {.name = std::move(name), .read = std::move(read)};
}

/// The text that a converter makes. `converter.append_to(text)` appends the next part, small or large, and returns
/// false once there is no more.
template <class Converter>
[[nodiscard]] TextStream converted_text(std::string name, std::string line_name, std::shared_ptr<Converter> converter) {
    auto read = [source = std::move(converter), text = std::string(), used = std::size_t{0},
                 more = true](std::span<char> buffer) mutable {
        while (used == text.size() && more) {
            text.clear();
            used = 0;
            more = source->append_to(text);
        }
        const std::size_t count = text.copy(buffer.data(), buffer.size(), used);
        used += count;
        return count;
    };
    return {.name = std::move(name), .read = std::move(read), .line_name = std::move(line_name)};
}

/// Cuts a stream into lines. Memory in proportion to the longest line.
class LineReader {
  public:
    /// The default limit of a line, in bytes.
    static constexpr std::size_t longest_line = std::size_t{64} << 20U;

    /// This many bytes after a line may be read, whatever they hold: parsers work on whole vectors.
    static constexpr std::size_t padding = 64;

    /// @param longest  a longer line is an error
    explicit LineReader(TextStream source, std::size_t longest = longest_line)
        : source_(std::move(source)), longest_(longest) {
        buffer_.resize(first_size + padding);
    }

    /// The name of the stream.
    [[nodiscard]] const std::string& name() const noexcept { return source_.name; }

    /// The number of the last line, counted from 1. 0: none was read.
    [[nodiscard]] std::size_t line() const noexcept { return line_; }

    /// `name:line`; of a converted text, whose first line is the header line, `name, event 17`.
    [[nodiscard]] std::string place() const { return place(line_); }
    /// The same, of another line.
    [[nodiscard]] std::string place(std::size_t line) const {
        if (source_.line_name.empty()) {
            return source_.name + ":" + std::to_string(line);
        }
        return source_.name + (line > 1 ? ", " + source_.line_name + " " + std::to_string(line - 1) : "");
    }

    /// The next line, without its LF or CR LF; the first one without a byte-order mark. Valid until the next call.
    ///
    /// @returns nullopt at the end
    /// @throws FormatError for a line that is too long; what the stream throws
    [[nodiscard]] std::optional<std::string_view> next() {
        const std::size_t length = find_line_end();
        if (length == 0 && begin_ == end_) {
            return std::nullopt;
        }
        std::string_view line(buffer_.data() + begin_, length);
        begin_ = (std::min)(begin_ + length + 1, end_);
        if (line_++ == 0 && line.starts_with("\xef\xbb\xbf")) {
            line.remove_prefix(3);
        }
        if (line.ends_with('\r')) {
            line.remove_suffix(1);
        }
        return line;
    }

  private:
    static constexpr std::size_t first_size = std::size_t{1} << 16U;

    /// Reads on until the buffer holds a whole line. @returns its length without the LF
    [[nodiscard]] std::size_t find_line_end() {
        for (std::size_t searched = 0;;) {
            const std::size_t size = end_ - begin_;
            const char* const from = buffer_.data() + begin_;
            const void* const found = std::memchr(from + searched, '\n', size - searched);
            searched = found == nullptr ? size : static_cast<std::size_t>(static_cast<const char*>(found) - from);
            if (searched > longest_) {
                detail::throw_format(place(line_ + 1), "the line has more than " + std::to_string(longest_) +
                                                           " bytes; expected text whose lines end with LF");
            }
            if (found != nullptr || !read_more()) {
                return searched;
            }
        }
    }

    /// @returns false at the end of the stream
    [[nodiscard]] bool read_more() {
        if (ended_) {
            return false;
        }
        if (begin_ > 0) {
            std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
            end_ -= begin_;
            begin_ = 0;
        }
        if (end_ + padding == buffer_.size()) {
            buffer_.resize(2 * end_ + padding);
        }
        const std::size_t count = source_.read(std::span(buffer_).subspan(end_, buffer_.size() - padding - end_));
        end_ += count;
        ended_ = count == 0;
        return !ended_;
    }

    TextStream source_;
    std::size_t longest_;
    std::string buffer_;
    std::size_t begin_ = 0;  // of the rest that was read
    std::size_t end_ = 0;
    std::size_t line_ = 0;
    bool ended_ = false;
};

/// Appends a field of TAB-separated text, in quotes where a reader would otherwise take it for something else.
inline void append_field(std::string& text, std::string_view field) {
    const auto is_special = [](char c) { return c == '\t' || c == '"' || c == '\r' || c == '\n'; };
    const bool blank_at_edge = field.starts_with(' ') || field.ends_with(' ');
    if (!blank_at_edge && std::none_of(field.begin(), field.end(), is_special)) {
        text += field;
        return;
    }
    text += '"';
    for (std::size_t quote = field.find('"'); quote != std::string_view::npos; quote = field.find('"')) {
        text.append(field.substr(0, quote + 1)).append("\"");
        field.remove_prefix(quote + 1);
    }
    text.append(field).append("\"");
}

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
