#include "gru4rec/core/error.hpp"
#include "gru4rec/model/hyperparameters.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <locale>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

using gru4rec::detail::text_of;

namespace {

/// German number format, without a need for the locale to be installed.
struct GermanNumbers : std::numpunct<char> {
  protected:
    [[nodiscard]] char do_decimal_point() const override { return ','; }
    [[nodiscard]] char do_thousands_sep() const override { return '.'; }
    [[nodiscard]] std::string do_grouping() const override { return "\3"; }
};

/// Sets the global locale for the lifetime of this object.
class GlobalLocale {
  public:
    explicit GlobalLocale(const std::locale& locale) : before_(std::locale::global(locale)) {}
    GlobalLocale(const GlobalLocale&) = delete;
    GlobalLocale& operator=(const GlobalLocale&) = delete;
    ~GlobalLocale() { std::locale::global(before_); }

  private:
    std::locale before_;
};

template <class Base, class Exception>
std::string caught_as(const char* text) {
    try {
        throw Exception(text);
    } catch (const Base& error) {
        return error.what();
    } catch (...) {
        return "not caught";
    }
}

}  // namespace

TEST_CASE("every error is caught as gru4rec::Error, as std::exception and as its standard type") {
    using namespace gru4rec;
    CHECK(caught_as<Error, ConfigError>("a") == "a");
    CHECK(caught_as<Error, ContractError>("b") == "b");
    CHECK(caught_as<Error, FormatError>("c") == "c");
    CHECK(caught_as<Error, IoError>("d") == "d");
    CHECK(caught_as<Error, NonFiniteError>("e") == "e");
    CHECK(caught_as<std::exception, ConfigError>("a") == "a");
    CHECK(caught_as<std::exception, NonFiniteError>("e") == "e");
    CHECK(caught_as<std::invalid_argument, ConfigError>("a") == "a");
    CHECK(caught_as<std::logic_error, ContractError>("b") == "b");
    CHECK(caught_as<std::runtime_error, FormatError>("c") == "c");
    CHECK(caught_as<std::runtime_error, IoError>("d") == "d");
    CHECK(caught_as<std::runtime_error, NonFiniteError>("e") == "e");
    CHECK(caught_as<ConfigError, FormatError>("c") == "not caught");
    CHECK_THROWS_AS(Hyperparameters{.layers = {}}.validate(), Error);
}

TEST_CASE("a broken precondition throws in every build, and only a broken one makes a message") {
    int n_messages = 0;
    const auto element = [&](const std::vector<int>& values, std::size_t i) {
        GRU4REC_REQUIRE(i < values.size(), "index " + std::to_string((++n_messages, i)) + " is out of range");
        return values[i];
    };
    CHECK(element({7, 8}, 1) == 8);
    CHECK(n_messages == 0);
    CHECK_THROWS_WITH_AS((void)element({7, 8}, 2), "gru4rec: index 2 is out of range", gru4rec::ContractError);
    CHECK(n_messages == 1);
}

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

TEST_CASE("a message holds words and strings unchanged") {
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

TEST_CASE("a message is one line, and a NUL in what it quotes does not cut it short") {
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
    CHECK(message("a\xc2\x9bK\xc2\xa0\xc4\x9b\x9b") == "a\\xc2\\x9bK\xc2\xa0\xc4\x9b\\x9b: expected another");
    CHECK_THROWS_WITH_AS(gru4rec::Hyperparameters{}.set("loss", std::string_view("x\0y", 3)),
                         "gru4rec: loss = 'x\\x00y', expected cross-entropy, bpr, top1, bpr-max or top1-max",
                         std::invalid_argument);
}
