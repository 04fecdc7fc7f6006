// Packed files and archives, from a pipe and, where zip files are read from their end, from a file.

#include "cli/containers.hpp"

#include "gru4rec/core/error.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "fuzz/target.hpp"

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

void read_file(std::string_view bytes) {
    const fuzz::InputFile file(bytes);
    try {
        read_container(cli::Container(file.path()));
    } catch (const gru4rec::FormatError& error) {
        fuzz::require_message(error, file.path());
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    read_stream(bytes, 1 + size % 700);
    if (bytes.starts_with("PK")) {
        read_file(bytes);
    }
    return 0;
}
