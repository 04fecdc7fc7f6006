#include "fold_case.hpp"

#include "gru4rec/core/text.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace cli::server {

namespace {

/// Capital letters of a script, and where the small ones are.
struct Capitals {
    std::uint32_t first;
    std::uint32_t last;
    int shift;  ///< 0: capital and small letters alternate, and `first` is a capital
};

// From UnicodeData.txt, in order. 0x3c2 is a small letter: ς is searched as σ.
constexpr std::array<Capitals, 36> capitals{{
    {0x41, 0x5a, 32},    {0xc0, 0xd6, 32},    {0xd8, 0xde, 32},    {0x100, 0x12f, 0},    {0x130, 0x130, -0x130 + 'i'},
    {0x132, 0x137, 0},   {0x139, 0x148, 0},   {0x14a, 0x177, 0},   {0x178, 0x178, -121}, {0x179, 0x17e, 0},
    {0x181, 0x181, 210}, {0x18a, 0x18a, 205}, {0x18f, 0x18f, 202}, {0x198, 0x199, 0},    {0x1a0, 0x1a5, 0},
    {0x1af, 0x1b0, 0},   {0x1cd, 0x1dc, 0},   {0x1de, 0x1ef, 0},   {0x1f8, 0x21f, 0},    {0x386, 0x386, 38},
    {0x388, 0x38a, 37},  {0x38c, 0x38c, 64},  {0x38e, 0x38f, 63},  {0x391, 0x3a1, 32},   {0x3a3, 0x3ab, 32},
    {0x3c2, 0x3c2, 1},   {0x400, 0x40f, 80},  {0x410, 0x42f, 32},  {0x460, 0x481, 0},    {0x48a, 0x4bf, 0},
    {0x4c1, 0x4ce, 0},   {0x4d0, 0x52f, 0},   {0x531, 0x556, 48},  {0x1e00, 0x1e95, 0},  {0x1e9e, 0x1e9e, -7615},
    {0x1ea0, 0x1eff, 0},
}};

[[nodiscard]] std::uint32_t folded(std::uint32_t letter) noexcept {
    const auto* const found = std::lower_bound(capitals.begin(), capitals.end(), letter,
                                               [](const Capitals& range, std::uint32_t c) { return range.last < c; });
    if (found == capitals.end() || letter < found->first) {
        return letter;
    }
    if (found->shift != 0) {
        return static_cast<std::uint32_t>(static_cast<int>(letter) + found->shift);
    }
    return letter + ((letter - found->first) % 2 == 0 ? 1 : 0);
}

/// @pre the text is one character of two or three bytes
[[nodiscard]] std::uint32_t decoded(std::string_view character) noexcept {
    std::uint32_t value = static_cast<unsigned char>(character[0]) & (character.size() == 2 ? 0x1fU : 0x0fU);
    for (const char c : character.substr(1)) {
        value = value << 6U | (static_cast<unsigned char>(c) & 0x3fU);
    }
    return value;
}

}  // namespace

void append_folded(std::string& out, std::string_view text) {
    while (!text.empty()) {
        const auto byte = static_cast<unsigned char>(text.front());
        std::size_t length = 1;
        if (byte < 0x80U) {
            out += byte >= 'A' && byte <= 'Z'          ? static_cast<char>(byte + 32)
                   : gru4rec::detail::is_control(byte) ? ' '
                                                       : static_cast<char>(byte);
        } else {
            length = (std::max)(gru4rec::detail::utf8_sequence(text), std::size_t{1});
            if (length == 2 || length == 3) {
                gru4rec::detail::append_utf8(out, folded(decoded(text.substr(0, length))));
            } else {
                out.append(text, 0, length);
            }
        }
        text.remove_prefix(length);
    }
}

}  // namespace cli::server
