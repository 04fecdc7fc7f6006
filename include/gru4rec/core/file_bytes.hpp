#ifndef GRU4REC_CORE_FILE_BYTES_HPP
#define GRU4REC_CORE_FILE_BYTES_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/file.hpp"
#include "gru4rec/version.hpp"

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <string>
#include <string_view>

#if GRU4REC_DEFINITIONS && GRU4REC_HAS_POSIX_FILES
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// The content of a file: mapped if possible, else read into memory (pipes, systems without mmap). Shortening a mapped
/// file while it is read ends the program with SIGBUS, unless it handles that, as the program gru4rec does.
class FileBytes {
  public:
    /// @throws IoError with the system's reason
    GRU4REC_INLINE explicit FileBytes(const std::filesystem::path& path);

    FileBytes(const FileBytes&) = delete;
    FileBytes& operator=(const FileBytes&) = delete;

    GRU4REC_INLINE ~FileBytes();

    [[nodiscard]] std::string_view view() const noexcept {
        return mapped_ != nullptr ? std::string_view(static_cast<const char*>(mapped_), size_)
                                  : std::string_view(read_);
    }

    /// Frees the memory of a part of view(); the system reads it from the file again if it is accessed.
    GRU4REC_INLINE void release(std::string_view part) const noexcept;

  private:
    /// @returns false if there is nothing to map: not a regular file, an empty one, or a system without mmap
    GRU4REC_INLINE bool map(const std::filesystem::path& path, std::FILE* file);

    GRU4REC_INLINE void read(const std::filesystem::path& path, std::FILE* file);

    void* mapped_ = nullptr;
    std::size_t size_ = 0;
    std::string read_;
};

#if GRU4REC_DEFINITIONS

GRU4REC_INLINE FileBytes::FileBytes(const std::filesystem::path& path) {
    // Opened only once: a pipe that is closed and opened again has lost its writer.
    const FileHandle file = open_file(path, "rb");
    if (!file) {
        throw_io(path.string(), "cannot open the file: " + system_message(errno));
    }
    if (!map(path, file.get())) {
        read(path, file.get());
    }
}

GRU4REC_INLINE void FileBytes::release([[maybe_unused]] std::string_view part) const noexcept {
#if GRU4REC_HAS_POSIX_FILES
    if (mapped_ != nullptr) {
        const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
        const auto begin = static_cast<std::size_t>(part.data() - view().data());
        const std::size_t first = begin / page * page;
        const std::size_t end = (begin + part.size()) / page * page;
        if (first < end) {
            ::madvise(static_cast<char*>(mapped_) + first, end - first, MADV_DONTNEED);
        }
    }
#endif
}

GRU4REC_INLINE bool FileBytes::map([[maybe_unused]] const std::filesystem::path& path,
                                   [[maybe_unused]] std::FILE* file) {
#if GRU4REC_HAS_POSIX_FILES
    const int descriptor = ::fileno(file);
    struct stat status {};
    if (::fstat(descriptor, &status) != 0) {
        throw_io(path.string(), "cannot read the file: " + system_message(errno));
    }
    if (S_ISCHR(status.st_mode) && ::isatty(descriptor) == 0) {
        throw_io(path.string(), "is a device; expected a file or a pipe");
    }
    if (!S_ISREG(status.st_mode) || status.st_size <= 0) {
        return false;
    }
    const auto size = static_cast<std::size_t>(status.st_size);
    if (static_cast<std::uintmax_t>(status.st_size) != size) {
        throw_io(path.string(), "cannot read the file: its " + std::to_string(status.st_size) +
                                    " bytes are more than a program of " +
                                    std::to_string(std::numeric_limits<std::size_t>::digits) + " bits can address");
    }
    void* const address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (address == MAP_FAILED) {
        return false;
    }
    ::madvise(address, size, MADV_SEQUENTIAL);
    mapped_ = address;
    size_ = size;
    return true;
#else
    return false;
#endif
}

GRU4REC_INLINE void FileBytes::read(const std::filesystem::path& path, std::FILE* file) {
    std::array<char, 65536> block{};
    while (const std::size_t count = std::fread(block.data(), 1, block.size(), file)) {
        read_.append(block.data(), count);
    }
    if (std::ferror(file) != 0) {
        throw_io(path.string(), "cannot read the file: " + system_message(errno));
    }
}

GRU4REC_INLINE FileBytes::~FileBytes() {
#if GRU4REC_HAS_POSIX_FILES
    if (mapped_ != nullptr) {
        ::munmap(mapped_, size_);
    }
#endif
}

#endif

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
