#include "cli/containers.hpp"
#include "cli/json_lines.hpp"
#include "cli/redis_connection.hpp"

#include "gru4rec/core/error.hpp"
#include "gru4rec/data/text_stream.hpp"

#include <doctest/doctest.h>

#include <string>

// The program as it is built where the optional packages are missing.

TEST_CASE("a packed file is called what it is, with the command that unpacks it") {
    CHECK_THROWS_WITH_AS(cli::Container(std::string(GRU4REC_TESTS_DIR) + "/fuzz/corpus/container/csv.gz"),
                         (std::string(GRU4REC_TESTS_DIR) +
                          "/fuzz/corpus/container/csv.gz: the format is gzip, and this "
                          "program was built without libarchive and zlib; unpack it on the way: gzip -dc " +
                          GRU4REC_TESTS_DIR + "/fuzz/corpus/container/csv.gz | gru4rec ... -")
                             .c_str(),
                         gru4rec::FormatError);
    CHECK_THROWS_AS(cli::Container(gru4rec::text_stream("clicks", "PK\3\4")), gru4rec::FormatError);
}

TEST_CASE("a file that is not packed is read all the same") {
    cli::Container container(gru4rec::text_stream("clicks", "a,b\n"));
    CHECK(container.format().empty());
    REQUIRE(container.next().has_value());
    CHECK_FALSE(container.next().has_value());
}

TEST_CASE("JSON lines are called what they are, with a command that converts them") {
    CHECK_THROWS_WITH_AS(
        static_cast<void>(cli::json_lines_to_table(gru4rec::text_stream("a.jsonl", "{}\n"))),
        doctest::Contains("a.jsonl: the format is JSON lines, and this program was built without simdjson"),
        gru4rec::FormatError);
}

TEST_CASE("sessions in Redis are refused with what to install") {
    CHECK_THROWS_WITH_AS(cli::RedisConnection(cli::redis_address("redis://127.0.0.1")),
                         doctest::Contains("built without hiredis and cannot keep sessions in Redis; install hiredis"),
                         gru4rec::ConfigError);
}
