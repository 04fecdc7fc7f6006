#ifndef GRU4REC_DATA_FILE_BYTES_HPP
#define GRU4REC_DATA_FILE_BYTES_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/version.hpp"

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>

#if defined(__unix__) || defined(__APPLE__)
#define GRU4REC_HAS_MMAP 1
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#else
#define GRU4REC_HAS_MMAP 0
#endif

namespace gru4rec::inline GRU4REC_ABI::detail {

[[noreturn]] GRU4REC_COLD inline void throw_errno(const std::filesystem::path& path, std::string_view action,
                                                  int error) {
    throw_io(path.string(), std::string(action) + ": " + std::generic_category().message(error));
}

struct CloseFile {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};
using FileHandle = std::unique_ptr<std::FILE, CloseFile>;

/// The content of a file: mapped where the system can, else read into memory (pipes, other systems).
class FileBytes {
  public:
    /// @throws IoError with the system's reason
    explicit FileBytes(const std::filesystem::path& path) {
        // Opened once: a pipe that is closed and opened again has lost its writer.
        const FileHandle file(std::fopen(path.string().c_str(), "rb"));
        if (!file) {
            throw_errno(path, "cannot open the file", errno);
        }
        if (!map(path, file.get())) {
            read(path, file.get());
        }
    }

    FileBytes(const FileBytes&) = delete;
    FileBytes& operator=(const FileBytes&) = delete;

    ~FileBytes() {
#if GRU4REC_HAS_MMAP
        if (mapped_ != nullptr) {
            ::munmap(mapped_, size_);
        }
#endif
    }

    [[nodiscard]] std::string_view view() const noexcept {
        return mapped_ != nullptr ? std::string_view(static_cast<const char*>(mapped_), size_)
                                  : std::string_view(read_);
    }

    /// Gives the memory of a piece of view() back to the system, which reads it again from the file should it be
    /// needed.
    void release([[maybe_unused]] std::string_view piece) const noexcept {
#if GRU4REC_HAS_MMAP
        if (mapped_ != nullptr) {
            const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
            const auto begin = static_cast<std::size_t>(piece.data() - view().data());
            const std::size_t first = begin / page * page;
            const std::size_t end = (begin + piece.size()) / page * page;
            if (first < end) {
                ::madvise(static_cast<char*>(mapped_) + first, end - first, MADV_DONTNEED);
            }
        }
#endif
    }

  private:
    /// @returns false where there is nothing to map: no regular file, an empty one, or no mmap here
    bool map([[maybe_unused]] const std::filesystem::path& path, [[maybe_unused]] std::FILE* file) {
#if GRU4REC_HAS_MMAP
        const int descriptor = ::fileno(file);
        struct stat status {};
        if (::fstat(descriptor, &status) != 0) {
            throw_errno(path, "cannot read the file", errno);
        }
        if (S_ISCHR(status.st_mode) && ::isatty(descriptor) == 0) {
            throw_io(path.string(), "is a device; expected a file or a pipe");
        }
        if (!S_ISREG(status.st_mode) || status.st_size <= 0) {
            return false;
        }
        const auto size = static_cast<std::size_t>(status.st_size);
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

    void read(const std::filesystem::path& path, std::FILE* file) {
        std::array<char, 65536> block{};
        while (const std::size_t count = std::fread(block.data(), 1, block.size(), file)) {
            read_.append(block.data(), count);
        }
        if (std::ferror(file) != 0) {
            throw_errno(path, "cannot read the file", errno);
        }
    }

    void* mapped_ = nullptr;
    std::size_t size_ = 0;
    std::string read_;
};

}  // namespace gru4rec::inline GRU4REC_ABI::detail

#endif
