#ifndef GRU4REC_CORE_FILE_HPP
#define GRU4REC_CORE_FILE_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
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
#else
#define GRU4REC_HAS_POSIX_FILES 0
#endif

#if GRU4REC_DEFINITIONS && GRU4REC_HAS_POSIX_FILES
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#elif GRU4REC_DEFINITIONS && defined(_WIN32)
#include <fcntl.h>
#include <io.h>
#include <sys/stat.h>
#endif

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// @{
/// The system's reason in words: of an errno, or of what std::filesystem reports.
[[nodiscard]] GRU4REC_INLINE std::string system_message(int error_number);
[[nodiscard]] GRU4REC_INLINE std::string system_message(const std::error_code& error);
/// @}

struct CloseFile {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};
using FileHandle = std::unique_ptr<std::FILE, CloseFile>;

/// std::fopen for names of any characters, which on Windows are not bytes. nullptr: errno says why.
[[nodiscard]] GRU4REC_INLINE FileHandle open_file(const std::filesystem::path& path, const char* mode);

/// Replaces a file in one step: its name holds the old content or all of the new, never a part. The bytes go to a
/// hidden file in the same folder, which commit() syncs and renames. Without commit(), the old file stays. The hidden
/// file of a killed process is reused by the next writer of that name.
///
/// A new file keeps the permissions of the one it replaces, and never has more. Symbolic links are followed. Anything
/// that exists and is not a regular file (a pipe, /dev/null) is written directly. On Windows a file that is open cannot
/// be replaced, and the hidden file of a killed process stays.
///
/// @throws IoError naming the file and the system's reason; the old file is then untouched, unless the message is
/// "written, but ..."
/// @threads one thread per object; several objects, threads or processes may write the same name: the last one wins
class AtomicFile {
  public:
    GRU4REC_INLINE explicit AtomicFile(const std::filesystem::path& target);

    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;

    ~AtomicFile() { discard(); }

    GRU4REC_INLINE void write(std::span<const std::byte> bytes);

    void write(std::string_view text) { write(std::as_bytes(std::span(text.data(), text.size()))); }

    /// Brings what was written to the disk, so that only giving the name can fail. For several files that shall all
    /// be replaced or none. write() must not be called afterwards.
    GRU4REC_INLINE void complete();

    /// Gives the file its name, after complete(). write() must not be called afterwards.
    GRU4REC_INLINE void commit();

  private:
    /// The file that symbolic links lead to, which need not exist yet. They form no circle: the system has followed
    /// them.
    GRU4REC_INLINE void follow_links();

    /// Opens the first of .NAME.tmp0, .NAME.tmp1, ... that no other writer uses.
    GRU4REC_INLINE void create_temporary(std::filesystem::perms rights);

    GRU4REC_INLINE void close(std::string_view problem);

    GRU4REC_INLINE void require(const std::error_code& error, std::string_view problem);

    /// @param error  an errno, 0 if there is none
    GRU4REC_INLINE void require(int error, std::string_view problem);

    GRU4REC_INLINE void discard() noexcept;

    std::string name_;  // as the caller wrote it, for messages
    std::filesystem::path target_;
    std::filesystem::path temporary_;  // empty: nothing to remove
    bool is_complete_ = false;
    std::vector<char> buffer_;
    FileHandle file_;
};

/// Writes a whole text file through AtomicFile.
GRU4REC_INLINE void write_file(const std::filesystem::path& path, std::string_view text);

/// Writes several whole text files. None gets its name before all of them have reached the disk, so a disk that is full
/// changes none.
///
/// @param files  a path and a text each
GRU4REC_INLINE void write_files(std::span<const std::pair<std::filesystem::path, std::string>> files);

#if GRU4REC_DEFINITIONS

GRU4REC_INLINE FileHandle open_file(const std::filesystem::path& path, const char* mode) {
#if defined(_WIN32)
    return FileHandle(::_wfopen(path.c_str(), std::filesystem::path(mode).c_str()));
#else
    return FileHandle(std::fopen(path.c_str(), mode));
#endif
}

/// Whether the file at `path` may be replaced: it must be writable and, in a sticky folder, ours. 0 or an errno.
[[nodiscard]] inline int check_replaceable([[maybe_unused]] const std::filesystem::path& path) {
#if GRU4REC_HAS_POSIX_FILES
    if (::access(path.c_str(), W_OK) != 0) {
        return errno;
    }
    struct stat file = {};
    struct stat folder = {};
    const uid_t me = ::geteuid();
    if (::stat(path.c_str(), &file) == 0 && ::stat(path.parent_path().c_str(), &folder) == 0 &&
        (folder.st_mode & S_ISVTX) != 0 && me != 0 && me != file.st_uid && me != folder.st_uid) {
        return EPERM;
    }
#elif defined(_WIN32)
    constexpr int may_write = 2;
    if (::_waccess(path.c_str(), may_write) != 0) {
        return errno;
    }
#endif
    return 0;
}

#if GRU4REC_HAS_POSIX_FILES
/// Whether an open file still has its name. Another writer may have given it its final one meanwhile.
[[nodiscard]] inline bool has_name(int file, const std::filesystem::path& path) {
    struct stat opened = {};
    struct stat named = {};
    return ::fstat(file, &opened) == 0 && ::lstat(path.c_str(), &named) == 0 && opened.st_ino == named.st_ino &&
           opened.st_dev == named.st_dev;
}

/// Whether an open file that was there before is this user's alone, and nobody has rights to it beyond `mode`. Not for
/// new files: some file systems, such as those of USB sticks, give each file rights and an owner of their own.
[[nodiscard]] inline bool is_own_file(int file, mode_t mode) {
    struct stat opened = {};
    return ::fstat(file, &opened) == 0 && S_ISREG(opened.st_mode) && opened.st_nlink == 1 &&
           opened.st_uid == ::geteuid() && (opened.st_mode & 0777U & ~mode) == 0;
}
#endif

/// Opens a file for this writer only: a new one, or one that a killed process has left. Writers hold a lock on it until
/// it has its final name. It never has more than these permissions, if the file system has any: whoever opens it at
/// once could read what is written later. nullptr: errno says why, EEXIST that the name is in use.
[[nodiscard]] inline FileHandle open_exclusively(const std::filesystem::path& path,
                                                 [[maybe_unused]] std::filesystem::perms rights) {
#if GRU4REC_HAS_POSIX_FILES
    const auto mode = static_cast<mode_t>(rights);
    int file = ::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, mode);
    const bool is_new = file >= 0;
    if (!is_new && errno == EEXIST) {
        file = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        errno = EEXIST;
    }
    if (file < 0) {
        return nullptr;
    }
    const bool locked = ::flock(file, LOCK_EX | LOCK_NB) == 0;
    const bool no_locks = is_new && !locked && errno != EWOULDBLOCK;  // a file system without them
    const bool is_ours = no_locks || (locked && has_name(file, path) && (is_new || is_own_file(file, mode)) &&
                                      ::ftruncate(file, 0) == 0);
    FileHandle stream(is_ours ? ::fdopen(file, "wb") : nullptr);
    if (!stream) {
        const int error = is_ours ? errno : EEXIST;
        if (is_new && (locked || no_locks) && has_name(file, path)) {  // else another writer has taken it meanwhile
            (void)::unlink(path.c_str());
        }
        (void)::close(file);
        errno = error;
    }
    return stream;
#elif defined(_WIN32)
    const int file =
        ::_wopen(path.c_str(), _O_CREAT | _O_EXCL | _O_WRONLY | _O_BINARY | _O_NOINHERIT, _S_IREAD | _S_IWRITE);
    return FileHandle(file < 0 ? nullptr : ::_fdopen(file, "wb"));
#else
    return FileHandle(std::fopen(path.string().c_str(), "wbx"));
#endif
}

#if GRU4REC_HAS_POSIX_FILES
/// Waits until a file, or the names in a folder, have reached the disk. 0 or an errno.
[[nodiscard]] inline int sync_to_disk(int descriptor) {
    // Some file systems have no fsync for what is asked; that is not a failed write.
    return ::fsync(descriptor) != 0 && errno != EINVAL && errno != ENOTSUP && errno != EROFS ? errno : 0;
}
#endif

[[nodiscard]] inline int sync_to_disk([[maybe_unused]] std::FILE* file) {
#if GRU4REC_HAS_POSIX_FILES
    return sync_to_disk(::fileno(file));
#elif defined(_WIN32)
    return ::_commit(::_fileno(file)) != 0 ? errno : 0;
#else
    return 0;
#endif
}

[[nodiscard]] inline int sync_folder([[maybe_unused]] const std::filesystem::path& folder) {
    int error = 0;
#if GRU4REC_HAS_POSIX_FILES
    if (const int descriptor = ::open(folder.c_str(), O_RDONLY | O_CLOEXEC); descriptor >= 0) {
        error = sync_to_disk(descriptor);
        (void)::close(descriptor);
    }  // else the folder may be written but not read
#endif
    return error;
}

GRU4REC_INLINE std::string system_message(int error_number) {
    return std::error_code(error_number, std::generic_category()).message();
}

GRU4REC_INLINE std::string system_message(const std::error_code& error) {
    // libstdc++ 12 takes the numbers of Windows for those of errno, but its conditions are right.
    return error.default_error_condition().message();
}

GRU4REC_INLINE AtomicFile::AtomicFile(const std::filesystem::path& target) : name_(target.string()) {
    std::error_code error;
    target_ = std::filesystem::absolute(target, error);
    if (target.empty() || (!error && !target_.has_filename())) {
        throw_io(name_, "cannot write: expected the name of a file");
    }
    if (error) {  // the working folder was removed
        throw_io(name_, "cannot write: " + system_message(error));
    }
    const std::filesystem::file_status status = std::filesystem::status(target_, error);
    const bool exists = std::filesystem::exists(status);
    if (status.type() == std::filesystem::file_type::none) {  // a name too long, links in a circle
        throw_io(name_, "cannot write: " + system_message(error));
    }
    if (std::filesystem::is_directory(status)) {
        throw_io(name_, "cannot write: it is a folder, expected the name of a file");
    }
    if (exists && !std::filesystem::is_regular_file(status)) {
        file_ = open_file(target_, "wb");
        require(file_ ? 0 : errno, "cannot open for writing");
        return;
    }
    follow_links();
    if (exists) {
        require(check_replaceable(target_), "cannot replace the file");
    }
    using std::filesystem::perms;
    constexpr perms usual = perms::owner_read | perms::owner_write | perms::group_read | perms::group_write |
                            perms::others_read | perms::others_write;
    create_temporary(exists ? status.permissions() & perms::all : usual);
    if (exists) {
        std::filesystem::permissions(temporary_, status.permissions() & perms::all, error);
    }
}

GRU4REC_INLINE void AtomicFile::write(std::span<const std::byte> bytes) {
    require(std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) == bytes.size() ? 0 : errno, "cannot write");
}

GRU4REC_INLINE void AtomicFile::complete() {
    require(std::fflush(file_.get()) == 0 ? 0 : errno, "cannot write");
    if (!temporary_.empty()) {
        require(sync_to_disk(file_.get()), "cannot write to the disk");
    }
    is_complete_ = true;
}

GRU4REC_INLINE void AtomicFile::commit() {
    if (!is_complete_) {
        complete();
    }
    if (!temporary_.empty()) {
        std::error_code error;
        if constexpr (!GRU4REC_HAS_POSIX_FILES) {
            close("cannot write");  // an open file cannot be renamed there
        }
        std::filesystem::rename(temporary_, target_, error);
        require(error, "cannot rename the temporary file into place");
        temporary_.clear();
        require(sync_folder(target_.parent_path()), "written, but its folder cannot be synced");
    }
    close("written, but the system reports a failure");
}

GRU4REC_INLINE void AtomicFile::follow_links() {
    std::error_code error;
    while (true) {
        const std::filesystem::file_status status = std::filesystem::symlink_status(target_, error);
        require(status.type() == std::filesystem::file_type::none ? error : std::error_code(), "cannot write");
        if (!std::filesystem::is_symlink(status)) {
            return;
        }
        target_ = target_.parent_path() / std::filesystem::read_symlink(target_, error);
        require(error, "cannot write");
    }
}

GRU4REC_INLINE void AtomicFile::create_temporary(std::filesystem::perms rights) {
    constexpr int most = 1000;
    auto stem = std::filesystem::path(".").concat(target_.filename().native()).native();
    stem.resize((std::min)(stem.size(), std::size_t{200}));  // file names end at 255 bytes
    buffer_.resize(std::size_t{1} << 16U);
    std::filesystem::path path;
    int error = EEXIST;
    for (int n = 0; n < most && error == EEXIST; ++n) {
        path = target_.parent_path() / stem;
        path += ".tmp" + std::to_string(n);
        file_ = open_exclusively(path, rights);
        error = file_ ? 0 : errno;
    }
    if (file_) {  // nothing allocates from here on: an exception would leave the file behind
        temporary_.swap(path);
        std::setvbuf(file_.get(), buffer_.data(), _IOFBF, buffer_.size());
        return;
    }
    if (error == ENOENT) {
        throw_io(name_, "cannot write: its folder '" + target_.parent_path().string() + "' does not exist");
    }
    require(error, "cannot create '" + path.filename().string() + "' in its folder");
}

GRU4REC_INLINE void AtomicFile::close(std::string_view problem) {
    if (file_) {
        require(std::fclose(file_.release()) == 0 ? 0 : errno, problem);
    }
}

GRU4REC_INLINE void AtomicFile::require(const std::error_code& error, std::string_view problem) {
    if (error) {
        discard();
        throw_io(name_, std::string(problem) + ": " + system_message(error));
    }
}

GRU4REC_INLINE void AtomicFile::require(int error, std::string_view problem) {
    require(std::error_code(error, std::generic_category()), problem);
}

GRU4REC_INLINE void AtomicFile::discard() noexcept {
    if (!temporary_.empty()) {
        std::error_code ignored;
        if constexpr (!GRU4REC_HAS_POSIX_FILES) {
            file_.reset();  // an open file cannot be removed there
        }
        std::filesystem::remove(temporary_, ignored);  // before the lock ends
        temporary_.clear();
    }
    file_.reset();
}

GRU4REC_INLINE void write_file(const std::filesystem::path& path, std::string_view text) {
    AtomicFile file(path);
    file.write(text);
    file.commit();
}

GRU4REC_INLINE void write_files(std::span<const std::pair<std::filesystem::path, std::string>> files) {
    std::vector<std::unique_ptr<AtomicFile>> written;
    for (const auto& [path, text] : files) {
        written.push_back(std::make_unique<AtomicFile>(path));
        written.back()->write(text);
        written.back()->complete();
    }
    for (const std::unique_ptr<AtomicFile>& file : written) {
        file->commit();
    }
}

#endif

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
