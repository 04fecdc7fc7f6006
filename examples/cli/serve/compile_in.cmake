# cmake -DFILE=openapi.json -DTO=openapi.cpp -P compile_in.cmake: writes a source file that holds the bytes of a file.
file(READ "${FILE}" bytes HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
string(REGEX REPLACE "(................................................................................)" "\\1\n" bytes "${bytes}")
file(WRITE "${TO}" "#include <string_view>

namespace cli::server {

namespace {

constexpr unsigned char document[] = {
${bytes}};

}  // namespace

std::string_view openapi_document() noexcept;
std::string_view openapi_document() noexcept { return {reinterpret_cast<const char*>(document), sizeof(document)}; }

}  // namespace cli::server
")
