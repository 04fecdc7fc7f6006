#include "gru4rec/core/error.hpp"
#include "gru4rec/model/hyperparameters.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <locale>
#include <stdexcept>
#include <string>
#include <string_view>

using gru4rec::detail::text_of;

namespace {

/// Germany's way to write numbers, which need not be installed.
struct GermanNumbers : std::numpunct<char> {
  protected:
    [[nodiscard]] char do_decimal_point() const override { return ','; }
    [[nodiscard]] char do_thousands_sep() const override { return '.'; }
    [[nodiscard]] std::string do_grouping() const override { return "\3"; }
};

/// The program's locale for as long as this object lives.
class GlobalLocale {
  public:
    explicit GlobalLocale(const std::locale& locale) : before_(std::locale::global(locale)) {}
    GlobalLocale(const GlobalLocale&) = delete;
    GlobalLocale& operator=(const GlobalLocale&) = delete;
    ~GlobalLocale() { std::locale::global(before_); }

  private:
    std::locale before_;
};

}  // namespace

TEST_CASE("a message shows the number that was given, not its first six digits") {
    CHECK(text_of(1.7) == "1.7");
    CHECK(text_of(0.1F) == "0.1");
    CHECK(text_of(1.0000001) == "1.0000001");
    CHECK(text_of(12345678.0) == "12345678");
    CHECK(text_of(-1e-9) == "-1e-09");
    CHECK(text_of(std::numeric_limits<double>::infinity()) == "inf");
    CHECK(text_of(std::numeric_limits<double>::quiet_NaN()) == "nan");
    CHECK(text_of(-7) == "-7");
    CHECK(text_of(std::int64_t{1} << 40) == "1099511627776");
}

TEST_CASE("a message holds words and texts as they are") {
    CHECK(text_of(true) == "true");
    CHECK(text_of(false) == "false");
    CHECK(text_of("100/50") == "100/50");
    CHECK(text_of(std::string("linear")) == "linear");
}

TEST_CASE("the numbers of a message do not depend on the program's locale") {
    const GlobalLocale german(std::locale(std::locale::classic(), new GermanNumbers));
    CHECK(text_of(1.7) == "1.7");
    CHECK(text_of(1234567) == "1234567");
    CHECK_THROWS_WITH_AS(gru4rec::detail::throw_invalid("sample_alpha", 1.0000001, "0 <= sample_alpha <= 1"),
                         "gru4rec: sample_alpha = 1.0000001, must satisfy 0 <= sample_alpha <= 1",
                         std::invalid_argument);
}

TEST_CASE("a message is one line, and goes on behind a NUL of what it quotes") {
    const auto message = [](std::string_view text) -> std::string {
        try {
            gru4rec::detail::throw_format(text, "expected another");
        } catch (const gru4rec::FormatError& error) {
            return error.what();
        }
        return "";
    };
    CHECK(message(std::string_view("a\0b\n\x1b[31m", 9)) == "a\\x00b\\x0a\\x1b[31m: expected another");
    CHECK(message("caf\xc3\xa9") == "caf\xc3\xa9: expected another");
    CHECK_THROWS_WITH_AS(gru4rec::Hyperparameters{}.set("loss", std::string_view("x\0y", 3)),
                         "gru4rec: loss = 'x\\x00y', expected cross-entropy, bpr, top1, bpr-max or top1-max",
                         std::invalid_argument);
}
