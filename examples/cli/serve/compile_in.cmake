# cmake -DTO=FILE.cpp -P compile_in.cmake -- FILE...: writes a source file that holds the bytes of the files.
set(arrays "")
set(table "")
set(is_file OFF)
math(EXPR last "${CMAKE_ARGC} - 1")
foreach(i RANGE ${last})
  set(file "${CMAKE_ARGV${i}}")
  if(is_file)
    cmake_path(GET file FILENAME name)
    file(SHA256 "${file}" hash)
    string(SUBSTRING "${hash}" 0 16 hash)
    file(READ "${file}" bytes HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
    string(REGEX REPLACE "(................................................................................)" "\\1\n"
           bytes "${bytes}")
    string(APPEND arrays "constexpr unsigned char file${i}[] = {\n${bytes}};\n\n")
    string(APPEND table "    {\"${name}\", view(file${i}), \"${hash}\"},\n")
  elseif(file STREQUAL "--")
    set(is_file ON)
  endif()
endforeach()
file(WRITE "${TO}" "#include \"cli/serve/compiled_files.hpp\"

#include <array>
#include <cstddef>

namespace cli::server {

namespace {

${arrays}template <std::size_t n>
std::string_view view(const unsigned char (&bytes)[n]) {
    return {reinterpret_cast<const char*>(bytes), n};
}

const auto files = std::to_array<CompiledFile>({
${table}});

}  // namespace

std::span<const CompiledFile> compiled_files() noexcept { return files; }

}  // namespace cli::server
")
