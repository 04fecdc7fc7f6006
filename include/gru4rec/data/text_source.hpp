#ifndef GRU4REC_DATA_TEXT_SOURCE_HPP
#define GRU4REC_DATA_TEXT_SOURCE_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/file_bytes.hpp"
#include "gru4rec/data/text_stream.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// The text of a table in pieces of whole lines: all of a file at once, as it is mapped into memory, or some megabytes
/// of a stream.
class TextSource {
  public:
    /// Bytes of a stream that are read at a time.
    static constexpr std::size_t piece_bytes = std::size_t{8} << 20U;
    /// Bytes of a stream that are read first: a small table needs no large buffer.
    static constexpr std::size_t first_bytes = std::size_t{64} << 10U;
    /// A line of more than this is an error.
    static constexpr std::size_t longest_line = std::size_t{64} << 20U;

    /// @param bytes  must outlive the source
    TextSource(std::string name, std::string_view bytes) : name_(std::move(name)), piece_(bytes), size_(bytes.size()) {}

    /// @param file  must outlive the source
    TextSource(std::string name, const FileBytes& file) : TextSource(std::move(name), file.view()) { file_ = &file; }

    /// @param stream  must outlive the source
    explicit TextSource(TextStream& stream, std::size_t bytes_at_once = piece_bytes)
        : name_(stream.name),
          stream_(&stream),
          bytes_at_once_((std::min)(bytes_at_once, first_bytes)),
          most_at_once_(bytes_at_once) {}

    [[nodiscard]] const std::string& name() const noexcept { return name_; }

    /// The next piece: `unread`, the end of the piece before, and more. It ends at a line end or at the end of the
    /// text, and is valid until the next call. Empty, or no longer than `unread`: there is no more.
    ///
    /// @throws IoError, FormatError of the stream; FormatError for a line longer than longest_line
    [[nodiscard]] std::string_view next(std::string_view unread = {}) {
        if (stream_ == nullptr) {
            return std::exchange(is_first_, false) ? piece_ : unread;
        }
        if (!is_first_) {
            n_lines_before_ +=
                count_lines(piece_.data(), unread.empty() ? piece_.data() + piece_.size() : unread.data());
            move_to_front(unread);
        }
        is_first_ = false;
        fill();
        piece_ = whole_lines();
        return piece_;
    }

    /// Whether all of the text is in the last piece.
    [[nodiscard]] bool is_last() const noexcept { return stream_ == nullptr || (ended_ && piece_.size() == n_filled_); }

    /// The place of a character of the last piece: `name:line`. Counts the lines before it: only for messages.
    [[nodiscard]] std::string where(const char* at) const {
        const std::size_t line = 1 + n_lines_before_ + count_lines(piece_.data(), at);
        if (stream_ != nullptr && !stream_->line_name.empty()) {
            return name_ + ", " + stream_->line_name + " " + std::to_string((std::max)(line, std::size_t{2}) - 1);
        }
        return name_ + ":" + std::to_string(line);
    }

    /// Frees the memory of a part of the last piece that will not be read again.
    void release(std::string_view part) const noexcept {
        if (file_ != nullptr) {
            file_->release(part);
        }
    }

    /// The size of the text, if it is known, else 0.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

  private:
    [[nodiscard]] static std::size_t count_lines(const char* begin, const char* end) noexcept {
        return static_cast<std::size_t>(std::count(begin, end, '\n'));
    }

    void move_to_front(std::string_view unread) {
        const std::size_t begin =
            unread.empty() ? piece_.size() : static_cast<std::size_t>(unread.data() - buffer_.data());
        n_filled_ -= begin;
        n_whole_ -= (std::min)(begin, n_whole_);
        std::copy_n(buffer_.begin() + static_cast<std::ptrdiff_t>(begin), n_filled_, buffer_.begin());
        piece_ = {};
    }

    /// Reads until there is a line end after what was there before, or the text ends.
    void fill() {
        const std::size_t n_old = n_filled_;
        while (!ended_) {
            if (n_filled_ - n_whole_ > longest_line) {
                piece_ = {buffer_.data(), n_whole_};
                throw_format(where(piece_.data() + n_whole_),
                             "the line is longer than 64 MiB; look for a missing line end");
            }
            buffer_.resize((std::max)(buffer_.size(), n_filled_ + bytes_at_once_));
            const std::size_t n = stream_->read(std::span(buffer_).subspan(n_filled_, bytes_at_once_));
            ended_ = n == 0;
            const std::size_t line_end = std::string_view(buffer_.data() + n_filled_, n).rfind('\n');
            n_whole_ = line_end == std::string_view::npos ? n_whole_ : n_filled_ + line_end + 1;
            n_filled_ += n;
            const bool is_enough = n_filled_ - n_old >= bytes_at_once_ && n_whole_ > n_old;
            bytes_at_once_ = (std::min)(2 * bytes_at_once_, most_at_once_);
            if (is_enough) {
                return;
            }
        }
    }

    [[nodiscard]] std::string_view whole_lines() const noexcept {
        return {buffer_.data(), ended_ ? n_filled_ : n_whole_};
    }

    std::string name_;
    std::string_view piece_;
    const FileBytes* file_ = nullptr;
    TextStream* stream_ = nullptr;
    std::size_t size_ = 0;
    std::size_t bytes_at_once_ = piece_bytes;
    std::size_t most_at_once_ = piece_bytes;
    std::vector<char> buffer_;
    std::size_t n_filled_ = 0;
    std::size_t n_whole_ = 0;  // bytes up to the last line end
    std::size_t n_lines_before_ = 0;
    bool ended_ = false;
    bool is_first_ = true;
};

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
