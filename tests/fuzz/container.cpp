// Packed files and archives, from a pipe and, where zip files are read from their end, from a file.

#include "cli/containers.hpp"

#include "gru4rec/core/error.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "fuzz/target.hpp"

#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace {

/// Reads all that a container holds, up to a size that a small bomb reaches.
void read_container(cli::Container container) {
    constexpr std::size_t most = std::size_t{1} << 20U;
    std::size_t n_texts = 0;
    while (auto text = container.next()) {
        fuzz::read_all(*text, most);
        ++n_texts;
    }
    fuzz::require(n_texts > 0, "a container that is read to its end holds a text");
}

void read_stream(std::string_view bytes, std::size_t piece) {
    try {
        read_container(cli::Container(fuzz::stream_of(bytes, piece)));
    } catch (const gru4rec::FormatError& error) {
        fuzz::require_message(error);
    }
}

#if defined(__linux__)
void read_file(std::string_view bytes) {
    const int descriptor = ::memfd_create("input", 0);
    fuzz::require(
        descriptor >= 0 && ::write(descriptor, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()),
        "a file in memory can be made");
    const std::string path = "/proc/self/fd/" + std::to_string(descriptor);
    try {
        read_container(cli::Container(path));
    } catch (const gru4rec::FormatError& error) {
        fuzz::require(std::string_view(error.what()).starts_with(path), "the message begins with the name of the file");
    }
    ::close(descriptor);
}
#endif

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    read_stream(bytes, 1 + size % 700);
#if defined(__linux__)
    if (bytes.starts_with("PK")) {
        read_file(bytes);
    }
#endif
    return 0;
}
