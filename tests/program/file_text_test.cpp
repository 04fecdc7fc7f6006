#include "cli/file_text.hpp"

#include "cli/serve/catalogue.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/data/item_map.hpp"
#include "support/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <string>
#include <thread>

// Files that are read as a whole, and pipes in their place.

TEST_CASE("a file is read to its end, and refused if it is longer than allowed") {
    const TemporaryFolder folder;
    for (const std::size_t size : {0U, 1U, 65'535U, 65'536U, 65'537U, 200'000U}) {
        const std::string text(size, 'x');
        write_bytes(folder / "text", text);
        CHECK(cli::file_text((folder / "text").string()) == text);
        CHECK(cli::file_text((folder / "text").string(), size) == text);
        if (size > 0) {
            CHECK_THROWS_AS((void)cli::file_text((folder / "text").string(), size - 1), gru4rec::FormatError);
        }
    }
    CHECK_THROWS_AS((void)cli::file_text((folder / "absent").string()), gru4rec::IoError);
    CHECK_THROWS_AS((void)cli::file_text(folder.path().string()), gru4rec::IoError);
}

TEST_CASE("a device is refused, as it may have no end") {
    for (const std::string device : {"/dev/zero", "/dev/null"}) {
        CHECK_THROWS_WITH_AS((void)cli::file_text(device),
                             (device + ": is a device; expected a file or a pipe").c_str(), gru4rec::IoError);
    }
}

TEST_CASE("a pipe that nothing writes to is refused, not waited for") {
    const TemporaryFolder folder;
    const std::string pipe = (folder / "pipe").string();
    REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
    CHECK_THROWS_WITH_AS((void)cli::file_text(pipe),
                         (pipe + ": is a pipe that nothing writes to; expected a file, or a pipe with a text").c_str(),
                         gru4rec::IoError);
    gru4rec::ItemMap items;
    items.insert("7");
    CHECK_THROWS_AS(cli::server::Catalogue(items, pipe, {}), gru4rec::IoError);
}

TEST_CASE("a pipe with a writer is read to its end, whether the writer has begun or not") {
    const std::string text(100'000, 'x');
    for (const auto pause : {std::chrono::milliseconds(0), std::chrono::milliseconds(100)}) {
        std::array<int, 2> ends{};
        REQUIRE(::pipe(ends.data()) == 0);
        std::thread writer([&] {
            std::this_thread::sleep_for(pause);
            for (std::size_t done = 0; done < text.size();) {
                done += static_cast<std::size_t>(::write(ends[1], text.data() + done, text.size() - done));
            }
            ::close(ends[1]);
        });
        CHECK(cli::file_text("/dev/fd/" + std::to_string(ends[0])) == text);
        writer.join();
        ::close(ends[0]);
    }
}
