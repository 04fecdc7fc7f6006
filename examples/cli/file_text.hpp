#ifndef GRU4REC_CLI_FILE_TEXT_HPP
#define GRU4REC_CLI_FILE_TEXT_HPP

#include "gru4rec/core/error.hpp"

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <string>
#include <system_error>

namespace cli {

/// The first bytes of a file, at most n.
///
/// @throws gru4rec::IoError
[[nodiscard]] inline std::string first_bytes_of(const std::string& path, std::size_t n) {
    const auto close = [](std::FILE* file) { std::fclose(file); };
    const std::unique_ptr<std::FILE, decltype(close)> file(std::fopen(path.c_str(), "rb"), close);
    std::string bytes(n, '\0');
    bytes.resize(file ? std::fread(bytes.data(), 1, n, file.get()) : 0);
    if (!file || std::ferror(file.get()) != 0) {
        throw gru4rec::IoError(path + ": cannot read the file: " + std::generic_category().message(errno));
    }
    return bytes;
}

/// The bytes of a file. Plain reads, not a memory map: if the file is truncated meanwhile, less is read, and the
/// program continues.
///
/// @param most  bytes that are allowed; pipes and devices may have no end
/// @throws gru4rec::IoError, gru4rec::FormatError if there are more bytes
[[nodiscard]] inline std::string file_text(const std::string& path, std::size_t most = std::string::npos) {
    const auto close = [](std::FILE* file) { std::fclose(file); };
    const std::unique_ptr<std::FILE, decltype(close)> file(std::fopen(path.c_str(), "rb"), close);
    const auto require = [&](bool ok) {
        if (!ok) {
            throw gru4rec::IoError(path + ": cannot read the file: " + std::generic_category().message(errno));
        }
    };
    require(file != nullptr);
    std::string text;
    constexpr std::size_t block = 1U << 16U;
    for (std::size_t size = 0, count = block; count == block; size += count) {
        text.resize(size + block);
        count = std::fread(text.data() + size, 1, block, file.get());
        require(std::ferror(file.get()) == 0);
        text.resize(size + count);
        if (text.size() > most) {
            throw gru4rec::FormatError(path + ": expected at most " + std::to_string(most) + " bytes, found more");
        }
    }
    return text;
}

}  // namespace cli

#endif
