#ifndef GRU4REC_CORE_FILE_HPP
#define GRU4REC_CORE_FILE_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#define GRU4REC_HAS_POSIX_FILES 1
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#else
#define GRU4REC_HAS_POSIX_FILES 0
#endif

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

[[nodiscard]] inline std::string system_message(int error_number) {
    return std::error_code(error_number, std::generic_category()).message();
}

/// A file that is being written: the few calls that differ between systems. Each returns 0 or an errno.
class OutputHandle {
  public:
    OutputHandle() = default;
    OutputHandle(const OutputHandle&) = delete;
    OutputHandle& operator=(const OutputHandle&) = delete;
    ~OutputHandle() { (void)close(); }

#if GRU4REC_HAS_POSIX_FILES
    /// Makes a file that only this handle writes. A file of that name which a killed process has left is taken over:
    /// writers hold a lock until the file has got its final name.
    [[nodiscard]] int create(const std::filesystem::path& path) {
        file_ = ::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
        const bool is_new = file_ >= 0;
        if (!is_new && errno != EEXIST) {
            return errno;
        }
        if (!is_new) {
            file_ = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        }
        const bool locked = file_ >= 0 && ::flock(file_, LOCK_EX | LOCK_NB) == 0;
        if (is_new && !locked && errno != EWOULDBLOCK) {
            return 0;  // a file system without locks
        }
        struct stat opened = {};
        struct stat named = {};
        const bool ours = locked && ::fstat(file_, &opened) == 0 && ::lstat(path.c_str(), &named) == 0 &&
                          opened.st_ino == named.st_ino && opened.st_dev == named.st_dev && S_ISREG(opened.st_mode) &&
                          opened.st_nlink == 1 && opened.st_uid == ::geteuid() && ::ftruncate(file_, 0) == 0;
        if (!ours) {
            (void)close();
            return EEXIST;
        }
        return 0;
    }

    /// Opens what exists and is no regular file: a pipe, a terminal, /dev/null.
    [[nodiscard]] int open_device(const std::filesystem::path& path) {
        file_ = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY);
        return file_ < 0 ? errno : 0;
    }

    [[nodiscard]] int write(std::span<const std::byte> bytes) {
        while (!bytes.empty()) {
            const ::ssize_t written = ::write(file_, bytes.data(), bytes.size());
            if (written < 0 && errno != EINTR) {
                return errno;
            }
            bytes = bytes.subspan(written < 0 ? 0 : static_cast<std::size_t>(written));
        }
        return 0;
    }

    [[nodiscard]] int sync() { return synced(::fsync(file_)); }

    [[nodiscard]] int close() {
        const int file = std::exchange(file_, -1);
        return file >= 0 && ::close(file) != 0 && errno != EINTR ? errno : 0;
    }

    /// The new file gets the permissions of the one that it replaces.
    void copy_permissions(const std::filesystem::path& from) {
        struct stat old = {};
        if (::stat(from.c_str(), &old) == 0) {
            (void)!::fchmod(file_, old.st_mode & 0777U);
        }
    }

    /// Whether the file may be written and its name given to another: in a sticky folder only its owner may.
    [[nodiscard]] static int check_replaceable(const std::filesystem::path& path) {
        if (::access(path.c_str(), W_OK) != 0) {
            return errno;
        }
        struct stat file = {};
        struct stat folder = {};
        const uid_t me = ::geteuid();
        const bool may_rename = ::stat(path.c_str(), &file) != 0 || ::stat(path.parent_path().c_str(), &folder) != 0 ||
                                (folder.st_mode & S_ISVTX) == 0 || me == 0 || me == file.st_uid || me == folder.st_uid;
        return may_rename ? 0 : EPERM;
    }

    /// Makes a new name in the folder last through a power failure.
    [[nodiscard]] static int sync_folder(const std::filesystem::path& folder) {
        const int file = ::open(folder.c_str(), O_RDONLY | O_CLOEXEC);
        if (file < 0) {
            return 0;  // a folder that may be written but not read
        }
        const int error = synced(::fsync(file));
        (void)::close(file);
        return error;
    }

  private:
    /// Some file systems have no fsync for what is asked; that is no failure to write.
    [[nodiscard]] static int synced(int result) {
        return result == 0 || errno == EINVAL || errno == ENOTSUP || errno == EROFS ? 0 : errno;
    }

    int file_ = -1;
#else
    [[nodiscard]] int create(const std::filesystem::path& path) {
        if (std::error_code ignored; std::filesystem::exists(path, ignored)) {
            return EEXIST;
        }
        return open_device(path);
    }

    [[nodiscard]] int open_device(const std::filesystem::path& path) {
#if defined(_WIN32)
        file_ = ::_wfopen(path.c_str(), L"wb");
#else
        file_ = std::fopen(path.c_str(), "wb");
#endif
        return file_ == nullptr ? errno : 0;
    }

    [[nodiscard]] int write(std::span<const std::byte> bytes) {
        return std::fwrite(bytes.data(), 1, bytes.size(), file_) == bytes.size() ? 0 : errno;
    }

    [[nodiscard]] int sync() { return std::fflush(file_) == 0 ? 0 : errno; }

    [[nodiscard]] int close() {
        std::FILE* file = std::exchange(file_, nullptr);
        return file != nullptr && std::fclose(file) != 0 ? errno : 0;
    }

    void copy_permissions(const std::filesystem::path&) {}
    [[nodiscard]] static int check_replaceable(const std::filesystem::path&) { return 0; }
    [[nodiscard]] static int sync_folder(const std::filesystem::path&) { return 0; }

  private:
    std::FILE* file_ = nullptr;
#endif
};

/// Writes a file so that its name holds the old content or all of the new, whatever happens in between: the bytes go to
/// a hidden file in the same folder, are synced, and get the name by commit(). Without commit() nothing has happened.
/// What exists and is no regular file (a pipe, /dev/null) is written directly; a symbolic link is followed.
///
/// @throws IoError naming the file and the system's reason; the file under the name is then the old one, untouched.
/// @threads one thread per object; several objects, threads or processes may write the same name: the last one wins.
class AtomicFile {
  public:
    explicit AtomicFile(const std::filesystem::path& target) : name_(target.string()) {
        std::error_code error;
        target_ = std::filesystem::absolute(target, error);
        if (error || !target_.has_filename()) {
            throw_io(name_, "cannot write: expected the name of a file");
        }
        const std::filesystem::file_status status = std::filesystem::status(target_, error);
        if (status.type() == std::filesystem::file_type::none) {  // a name too long, links in a circle
            throw_io(name_, "cannot write: " + error.message());
        }
        if (std::filesystem::is_directory(status)) {
            throw_io(name_, "cannot write: it is a folder, expected the name of a file");
        }
        if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
            require(file_.open_device(target_), "cannot open for writing");
            return;
        }
        follow_links();
        if (std::filesystem::exists(status)) {
            require(OutputHandle::check_replaceable(target_), "cannot replace the file");
        }
        create_temporary();
        if (std::filesystem::exists(status)) {
            file_.copy_permissions(target_);
        }
    }

    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;

    ~AtomicFile() { discard(); }

    void write(std::span<const std::byte> bytes) {
        if (buffer_.size() + bytes.size() > buffer_size) {
            flush();
        }
        if (bytes.size() >= buffer_size) {
            require(file_.write(bytes), "cannot write");
        } else {
            buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
        }
    }

    void write(std::string_view text) { write(std::as_bytes(std::span(text.data(), text.size()))); }

    /// Gives the file its name. Nothing may be written after it.
    void commit() {
        flush();
        if (temporary_.empty()) {
            require(file_.close(), "cannot write");
            return;
        }
        require(file_.sync(), "cannot write to the disk");
#if !GRU4REC_HAS_POSIX_FILES
        require(file_.close(), "cannot write");  // an open file cannot be renamed there
#endif
        std::error_code error;
        std::filesystem::rename(temporary_, target_, error);
        if (error) {
            const std::string reason = error.message();
            discard();
            throw_io(name_, "cannot give the written file its name: " + reason);
        }
        temporary_.clear();
        require(file_.close(), "written, but the system reports a failure");
        require(OutputHandle::sync_folder(target_.parent_path()), "written, but its folder cannot be synced");
    }

  private:
    static constexpr std::size_t buffer_size = std::size_t{1} << 16U;

    /// The file behind symbolic links, which need not exist yet. There is no circle: the system has walked them.
    void follow_links() {
        std::error_code error;
        while (std::filesystem::is_symlink(std::filesystem::symlink_status(target_, error))) {
            target_ = target_.parent_path() / std::filesystem::read_symlink(target_, error);
            if (error) {
                throw_io(name_, "cannot write: " + error.message());
            }
        }
    }

    void create_temporary() {
        constexpr int most = 1000;
        std::string stem = "." + target_.filename().string();
        stem.resize((std::min)(stem.size(), std::size_t{200}));  // file names end at 255 bytes
        int error = EEXIST;
        for (int n = 0; n < most && error == EEXIST; ++n) {
            temporary_ = target_.parent_path() / (stem + ".tmp" + std::to_string(n));
            error = file_.create(temporary_);
        }
        if (error != 0) {
            const std::string tried = temporary_.filename().string();
            temporary_.clear();  // not ours to remove
            throw_io(name_,
                     error == ENOENT
                         ? "cannot write: its folder '" + target_.parent_path().string() + "' does not exist"
                         : "cannot write: its folder takes no new file '" + tried + "': " + system_message(error));
        }
    }

    void flush() {
        require(file_.write(buffer_), "cannot write");
        buffer_.clear();
    }

    void require(int error, std::string_view problem) {
        if (error != 0) {
            discard();
            throw_io(name_, std::string(problem) + ": " + system_message(error));
        }
    }

    void discard() noexcept {
        if (!temporary_.empty()) {
            std::error_code ignored;
#if GRU4REC_HAS_POSIX_FILES
            std::filesystem::remove(temporary_, ignored);  // before the lock ends
            (void)file_.close();
#else
            (void)file_.close();
            std::filesystem::remove(temporary_, ignored);
#endif
            temporary_.clear();
        }
        (void)file_.close();
    }

    std::string name_;  // as the caller wrote it, for messages
    std::filesystem::path target_;
    std::filesystem::path temporary_;  // empty: nothing to remove
    OutputHandle file_;
    std::vector<std::byte> buffer_;
};

/// Writes a whole text file through AtomicFile.
inline void write_file(const std::filesystem::path& path, std::string_view text) {
    AtomicFile file(path);
    file.write(text);
    file.commit();
}

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
#if GRU4REC_HAS_POSIX_FILES
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
#if GRU4REC_HAS_POSIX_FILES
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
#if GRU4REC_HAS_POSIX_FILES
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

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
