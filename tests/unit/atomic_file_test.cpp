#include "gru4rec/core/file.hpp"
#include "gru4rec/core/file_bytes.hpp"

#include "support/contains.hpp"
#include "support/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#if GRU4REC_HAS_POSIX_FILES
#include "support/file_size_limit.hpp"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

namespace {

using gru4rec::IoError;
using gru4rec::detail::AtomicFile;

constexpr bool is_posix = GRU4REC_HAS_POSIX_FILES == 1;

std::string message_of(const std::filesystem::path& path) {
    try {
        gru4rec::detail::write_file(path, "text");
    } catch (const IoError& error) {
        return error.what();
    }
    return "no IoError";
}

}  // namespace

TEST_CASE("a file gets its name only once it is complete") {
    const TemporaryFolder folder;
    const auto path = folder / "report.json";
    gru4rec::detail::write_file(path, "old");
    {
        AtomicFile file(path);
        file.write("new, and ");
        file.write("longer");
        CHECK(read_bytes(path) == "old");
        file.commit();
    }
    CHECK(read_bytes(path) == "new, and longer");
    CHECK(folder.n_files() == 1);
}

TEST_CASE("a file that is not committed leaves no trace") {
    const TemporaryFolder folder;
    const auto path = folder / "report.json";
    { AtomicFile(path).write("half"); }
    CHECK(folder.n_files() == 0);
    gru4rec::detail::write_file(path, "old");
    { AtomicFile(path).write(std::string(1'000'000, 'x')); }
    CHECK(read_bytes(path) == "old");
    CHECK(folder.n_files() == 1);
}

TEST_CASE("writes of every size come out in order") {
    const TemporaryFolder folder;
    std::string expected;
    AtomicFile file(folder / "pieces");
    for (std::size_t n = 1; n < 400'000; n = n * 3 + 1) {
        const std::string piece(n, static_cast<char>('a' + n % 26));
        file.write(piece);
        expected += piece;
    }
    file.write("");
    file.commit();
    CHECK(read_bytes(folder / "pieces") == expected);
}

TEST_CASE("a path that cannot be written is named with the system's reason") {
    const TemporaryFolder folder;
    const std::string no_folder = message_of(folder / "absent" / "x");
    CHECK(contains(no_folder, (folder / "absent" / "x").string()));
    CHECK(contains(no_folder, "its folder '" + (folder / "absent").string() + "' does not exist"));
    write_bytes(folder / "file", "");
    CHECK(contains(message_of(folder / "file" / "x"), is_posix ? "Not a directory" : "does not exist"));
    CHECK(contains(message_of(folder.path()), "it is a folder"));
    CHECK(contains(message_of(folder.path() / ""), "expected the name of a file"));
    CHECK(contains(message_of(""), "expected the name of a file"));
    const std::string too_long = message_of(folder / std::string(300, 'x'));
    CHECK(contains(too_long, is_posix ? "cannot write: File name too long" : "cannot "));
    CHECK(folder.n_files() == 1);
}

TEST_CASE("the longest file name that the system takes can be written") {
    const TemporaryFolder folder;
    gru4rec::detail::write_file(folder / std::string(255, 'x'), "text");
    CHECK(read_bytes(folder / std::string(255, 'x')) == "text");
}

TEST_CASE("names of any alphabet and long paths are written, replaced and read") {
    const TemporaryFolder folder;
    std::filesystem::path path = folder.path();
    for (int depth = 0; depth < 3; ++depth) {
        path /= std::string(120, 'x');
    }
    std::filesystem::create_directories(path);
    path /= std::filesystem::path(u8"Größe \u6a21\u578b");
    gru4rec::detail::write_file(path, "old");
    gru4rec::detail::write_file(path, "new");
    CHECK(gru4rec::detail::FileBytes(path).view() == "new");
    CHECK(gru4rec::detail::FileHandle(gru4rec::detail::open_file(path, "rb")) != nullptr);
    if (is_posix) {  // MinGW's iterator cuts off long paths
        CHECK(std::distance(std::filesystem::directory_iterator(path.parent_path()), {}) == 1);
    }
}

#if GRU4REC_HAS_POSIX_FILES

TEST_CASE("a file of more bytes than a pointer can address is refused instead of read in part") {
    const TemporaryFolder folder;
    constexpr std::uintmax_t size = (std::uintmax_t{1} << 32U) + 5;
    write_bytes(folder / "sparse", "start");
    std::filesystem::resize_file(folder / "sparse", size);
    if (sizeof(std::size_t) < sizeof(size)) {
        CHECK_THROWS_AS(gru4rec::detail::FileBytes(folder / "sparse"), IoError);
    } else {
        CHECK(gru4rec::detail::FileBytes(folder / "sparse").view().size() == size);
    }
}

TEST_CASE("a disk that fills up during the write leaves the old file") {
    const TemporaryFolder folder;
    const auto path = folder / "model";
    gru4rec::detail::write_file(path, "old");
    {
        const FileSizeLimit limit(300'000);
        CHECK_THROWS_WITH_AS(gru4rec::detail::write_file(path, std::string(1'000'000, 'x')),
                             doctest::Contains("File too large"), IoError);
    }
    CHECK(read_bytes(path) == "old");
    CHECK(folder.n_files() == 1);
}

TEST_CASE("of several files none is replaced if one of them does not fit on the disk") {
    const TemporaryFolder folder;
    gru4rec::detail::write_file(folder / "report.md", "old");
    const std::vector<std::pair<std::filesystem::path, std::string>> files = {
        {folder / "report.md", "new"}, {folder / "report.json", std::string(1'000'000, 'x')}};
    {
        const FileSizeLimit limit(300'000);
        CHECK_THROWS_WITH_AS(gru4rec::detail::write_files(files), doctest::Contains("report.json: cannot write"),
                             IoError);
    }
    CHECK(read_bytes(folder / "report.md") == "old");
    CHECK(folder.n_files() == 1);
    gru4rec::detail::write_files(files);
    CHECK(read_bytes(folder / "report.md") == "new");
    CHECK(read_bytes(folder / "report.json") == files[1].second);
    CHECK(folder.n_files() == 2);
}

TEST_CASE("symbolic links are followed, even to files that do not exist yet, and never replaced") {
    const TemporaryFolder folder;
    std::filesystem::create_directory(folder / "real");
    std::filesystem::create_symlink("real/model", folder / "second");
    std::filesystem::create_symlink("second", folder / "first");
    for (const char* const text : {"new", "newer"}) {
        gru4rec::detail::write_file(folder / "first", text);
        CHECK(read_bytes(folder / "real" / "model") == text);
        CHECK(std::filesystem::is_symlink(folder / "first"));
        CHECK(std::filesystem::is_symlink(folder / "second"));
    }
    std::filesystem::create_symlink("circle", folder / "circle");
    CHECK_THROWS_WITH_AS(AtomicFile(folder / "circle"), doctest::Contains("symbolic links"), IoError);
    CHECK(std::filesystem::is_symlink(folder / "circle"));
}

TEST_CASE("another user's file in a sticky folder is refused before anything is written") {
    if (geteuid() != 0) {
        MESSAGE("skipped: only the superuser can give files away");
        return;
    }
    const TemporaryFolder folder;
    write_bytes(folder / "model", "theirs");
    REQUIRE(chmod((folder / "model").c_str(), 0666) == 0);
    REQUIRE(chmod(folder.path().c_str(), 01777) == 0);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        int result = setuid(65534);
        try {
            const AtomicFile file(folder / "model");
            result = 1;
        } catch (const IoError& error) {
            result |= contains(error.what(), "Operation not permitted") ? 0 : 2;
        }
        _exit(result);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("a device is written directly and never replaced") {
    if (!std::filesystem::exists("/dev/full") || !std::filesystem::exists("/dev/null")) {
        MESSAGE("skipped: no /dev/full here");
        return;
    }
    CHECK(contains(message_of("/dev/full"), "/dev/full: cannot write: No space left on device"));
    gru4rec::detail::write_file("/dev/null", "text");
    CHECK(std::filesystem::is_character_file("/dev/null"));
}

TEST_CASE("a folder without permission leaves the old file") {
    if (geteuid() == 0) {
        MESSAGE("skipped: the superuser may write everywhere");
        return;
    }
    const TemporaryFolder folder;
    gru4rec::detail::write_file(folder / "model", "old");
    REQUIRE(chmod(folder.path().c_str(), 0555) == 0);
    const std::string message = message_of(folder / "model");
    REQUIRE(chmod(folder.path().c_str(), 0755) == 0);
    CHECK(contains(message, "Permission denied"));
    CHECK(read_bytes(folder / "model") == "old");
}

TEST_CASE("a replaced file passes on its permissions, a link stays a link") {
    const TemporaryFolder folder;
    gru4rec::detail::write_file(folder / "model", "old");
    REQUIRE(chmod((folder / "model").c_str(), 0640) == 0);
    std::filesystem::create_symlink("model", folder / "link");
    gru4rec::detail::write_file(folder / "link", "new");
    CHECK(std::filesystem::is_symlink(folder / "link"));
    CHECK(read_bytes(folder / "model") == "new");
    struct stat status = {};
    REQUIRE(stat((folder / "model").c_str(), &status) == 0);
    CHECK((status.st_mode & 0777U) == 0640U);
}

TEST_CASE("whoever may not read the file cannot read its successor while it is written") {
    const TemporaryFolder folder;
    const auto path = folder / "model";
    const auto hidden = folder / ".model.tmp0";
    gru4rec::detail::write_file(path, "old");
    REQUIRE(chmod(path.c_str(), 0600) == 0);
    SUBCASE("because others may never open it") {
        std::atomic<bool> stop = false;
        std::atomic<int> n_seen = 0;
        std::atomic<int> n_open = 0;
        std::thread other([&] {
            struct stat status = {};
            while (!stop) {
                const bool is_seen = stat(hidden.c_str(), &status) == 0;
                n_seen += is_seen ? 1 : 0;
                n_open += is_seen && (status.st_mode & 0077U) != 0 ? 1 : 0;
            }
        });
        for (int i = 0; i < 2000 || (n_seen == 0 && i < 200'000); ++i) {
            AtomicFile(path).write("new");
        }
        stop = true;
        other.join();
        CHECK(n_seen > 0);
        CHECK(n_open == 0);
    }
    SUBCASE("nor from one that a killed process has left and that others have opened") {
        write_bytes(hidden, "");
        REQUIRE(chmod(hidden.c_str(), 0644) == 0);
        std::ifstream other(hidden);
        gru4rec::detail::write_file(path, "new");
        std::string read;
        CHECK_FALSE(std::getline(other, read));
        CHECK(read_bytes(path) == "new");
    }
}

TEST_CASE("a file that may not be written is not replaced either") {
    if (geteuid() != 0) {
        MESSAGE("skipped: run by the superuser, the test becomes another user");
        return;
    }
    const TemporaryFolder folder;
    write_bytes(folder / "model", "old");
    REQUIRE(chmod((folder / "model").c_str(), 0444) == 0);
    REQUIRE(chmod(folder.path().c_str(), 0777) == 0);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        const bool refused = setuid(65534) == 0 && contains(message_of(folder / "model"), "Permission denied");
        _exit(refused ? 0 : 1);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
    CHECK(read_bytes(folder / "model") == "old");
}

TEST_CASE("if the working folder was removed, the message gives the system's reason") {
    const TemporaryFolder folder;
    const std::filesystem::path before = std::filesystem::current_path();
    std::filesystem::create_directory(folder / "removed");
    std::filesystem::current_path(folder / "removed");
    std::filesystem::remove(folder / "removed");
    const std::string message = message_of("model");
    std::filesystem::current_path(before);
    CHECK(contains(message, "model: cannot write: No such file or directory"));
}

TEST_CASE("two writers of one name do not mix") {
    const TemporaryFolder folder;
    AtomicFile first(folder / "model");
    AtomicFile second(folder / "model");
    CHECK(folder.n_files() == 2);
    first.write("first");
    second.write("second");
    second.commit();
    CHECK(read_bytes(folder / "model") == "second");
    first.commit();
    CHECK(read_bytes(folder / "model") == "first");
    CHECK(folder.n_files() == 1);
}

TEST_CASE("what a killed process left is reused, so that leftovers do not pile up") {
    const TemporaryFolder folder;
    const auto path = folder / "model";
    gru4rec::detail::write_file(path, "old");
    for (int kill = 0; kill < 3; ++kill) {
        const pid_t child = fork();
        if (child == 0) {
            AtomicFile file(path);
            file.write(std::string(200'000, 'x'));
            raise(SIGKILL);
        }
        int status = 0;
        REQUIRE(waitpid(child, &status, 0) == child);
        REQUIRE(WIFSIGNALED(status));
        CHECK(read_bytes(path) == "old");
        CHECK(folder.n_files() == 2);
    }
    gru4rec::detail::write_file(path, "new");
    CHECK(read_bytes(path) == "new");
    CHECK(folder.n_files() == 1);
}

TEST_CASE("a link in the place of the temporary file is not written through") {
    const TemporaryFolder folder;
    write_bytes(folder / "victim", "precious");
    std::filesystem::create_symlink("victim", folder / ".model.tmp0");
    std::filesystem::create_hard_link(folder / "victim", folder / ".model.tmp1");
    REQUIRE(mkfifo((folder / ".model.tmp2").c_str(), 0600) == 0);
    gru4rec::detail::write_file(folder / "model", "text");
    CHECK(read_bytes(folder / "victim") == "precious");
    CHECK(read_bytes(folder / "model") == "text");
}

#endif
