#ifndef GRU4REC_CLI_FILE_TEXT_HPP
#define GRU4REC_CLI_FILE_TEXT_HPP

#include "gru4rec/core/error.hpp"

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#if defined(__unix__) || defined(__APPLE__)
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

namespace cli {

namespace detail {

struct CloseFile {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};

using FileHandle = std::unique_ptr<std::FILE, CloseFile>;

/// @param ok  false: errno says why
/// @throws gru4rec::IoError
inline void require_read(bool ok, const std::string& path) {
    if (!ok) {
        throw gru4rec::IoError(path + ": cannot read the file: " + std::generic_category().message(errno));
    }
}

struct OpenText {
    FileHandle file = {};    ///< null: errno says why
    std::string begin = {};  ///< of its text, which was read already
};

#if defined(__unix__) || defined(__APPLE__)

/// Opens a file. A pipe that nothing writes to would be waited for without an end, so it is an error; so is a device,
/// which may have no end.
[[nodiscard]] inline OpenText open_text(const std::string& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (descriptor < 0) {
        return {};
    }
    struct stat status = {};
    static_cast<void>(::fstat(descriptor, &status));  // what it cannot tell, reading will
    if (S_ISCHR(status.st_mode)) {
        ::close(descriptor);
        throw gru4rec::IoError(path + ": is a device; expected a file or a pipe");
    }
    OpenText text;
    if (S_ISFIFO(status.st_mode)) {  // whether something writes to it is not known until it is read
        char first = 0;
        const auto count = ::read(descriptor, &first, 1);
        if (count == 0) {
            ::close(descriptor);
            throw gru4rec::IoError(path + ": is a pipe that nothing writes to; expected a file, or a pipe with a text");
        }
        text.begin.assign(count == 1 ? 1U : 0U, first);
    }
    ::fcntl(descriptor, F_SETFL, 0);
    text.file.reset(::fdopen(descriptor, "rb"));
    if (!text.file) {
        const int error = errno;
        ::close(descriptor);
        errno = error;
    }
    return text;
}

#else

[[nodiscard]] inline OpenText open_text(const std::string& path) {
    return {.file = FileHandle(std::fopen(path.c_str(), "rb"))};
}

#endif

}  // namespace detail

/// The first bytes of a file, at most n.
///
/// @throws gru4rec::IoError
[[nodiscard]] inline std::string first_bytes_of(const std::string& path, std::size_t n) {
    const detail::FileHandle file(std::fopen(path.c_str(), "rb"));
    detail::require_read(file != nullptr, path);
    std::string bytes(n, '\0');
    bytes.resize(std::fread(bytes.data(), 1, n, file.get()));
    detail::require_read(std::ferror(file.get()) == 0, path);
    return bytes;
}

/// The bytes of a file. Plain reads, not a memory map: if the file is truncated meanwhile, less is read, and the
/// program continues.
///
/// @param most  bytes that are allowed; pipes and devices may have no end. A pipe that nothing writes to is refused
/// @throws gru4rec::IoError, gru4rec::FormatError if there are more bytes
[[nodiscard]] inline std::string file_text(const std::string& path, std::size_t most = std::string::npos) {
    detail::OpenText opened = detail::open_text(path);
    const auto& file = opened.file;
    std::string text = std::move(opened.begin);
    detail::require_read(file != nullptr, path);
    constexpr std::size_t block = 1U << 16U;
    for (std::size_t size = text.size(), count = block; count == block; size += count) {
        text.resize(size + block);
        count = std::fread(text.data() + size, 1, block, file.get());
        detail::require_read(std::ferror(file.get()) == 0, path);
        text.resize(size + count);
        if (text.size() > most) {
            throw gru4rec::FormatError(path + ": expected at most " + std::to_string(most) + " bytes, found more");
        }
    }
    return text;
}

}  // namespace cli

#endif
