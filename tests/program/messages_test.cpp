#include "cli/messages.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <string>
#include <string_view>

using cli::for_shell;
using cli::one_line;
using cli::without_prefix;

TEST_CASE("a message is one line without anything that a terminal takes for a command") {
    CHECK(one_line("two\nlines, \x1b[1m\x7f") == "two\\x0alines, \\x1b[1m\\x7f");
    CHECK(one_line(std::string_view("a\0b", 3)) == "a\\x00b");
    CHECK(one_line("") == "");
    for (unsigned last = 0x80; last < 0xc0; ++last) {  // U+0080 to U+00BF
        const std::string character{'\xc2', static_cast<char>(last)};
        CAPTURE(last);
        CHECK((one_line(character) == character) == (last >= 0xa0));
    }
    CHECK(one_line("\xc2\x9bK") == "\\xc2\\x9bK");
    CHECK(one_line("\x9bK, caf\xe9") == "\\x9bK, caf\\xe9");
    const std::string words = "caf\xc3\xa9 \xc4\x9b \xe2\x82\xac \xf0\x9f\x98\x80";  // bytes from 80 to 9f among them
    CHECK(one_line(words) == words);
}

TEST_CASE("of a long message the middle is left out") {
    CHECK(one_line(std::string(2000, 'x')) == std::string(2000, 'x'));
    for (const std::size_t size : {2001U, 100'000U}) {
        const std::string line = one_line("begin" + std::string(size, 'x') + "end");
        CHECK(line.size() <= 2000);
        CHECK(line.starts_with("beginxxx"));
        CHECK(line.ends_with("xxxend"));
        CHECK(line.find("x [...] x") != std::string::npos);
    }
    CHECK(one_line(std::string(2000, '\n')).size() <= 2000);
}

TEST_CASE("messages of the library lose its name, and texts become words of a shell") {
    CHECK(without_prefix("gru4rec: no such item") == "no such item");
    CHECK(without_prefix("no such item") == "no such item");
    CHECK(for_shell("it's") == "'it'\\''s'");
}
