#ifndef GRU4REC_CLI_SERVE_COMPILED_FILES_HPP
#define GRU4REC_CLI_SERVE_COMPILED_FILES_HPP

#include <span>
#include <string_view>

namespace cli::server {

/// A file that is part of the program.
struct CompiledFile {
    std::string_view name;  ///< without its folder
    std::string_view bytes;
    std::string_view hash;  ///< the first 16 hexadecimal digits of the SHA-256
};

/// All of them; compile_in.cmake writes this function.
[[nodiscard]] std::span<const CompiledFile> compiled_files() noexcept;

}  // namespace cli::server

#endif
