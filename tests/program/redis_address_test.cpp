#include "cli/redis_connection.hpp"

#include "gru4rec/core/error.hpp"
#include "support/contains.hpp"
#include "support/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace {

std::string refusal(const std::string& url, const std::string& password_file = {}) {
    try {
        static_cast<void>(cli::redis_address(url, password_file));
    } catch (const gru4rec::Error& error) {
        return error.what();
    }
    return "accepted";
}

}  // namespace

TEST_CASE("an address of Redis has a host, and perhaps a port, a database, a user and a password") {
    const cli::RedisAddress host = cli::redis_address("redis://example");
    CHECK(host.host == "example");
    CHECK(host.port == 6379);
    CHECK(host.database == 0);
    CHECK(host.user.empty());
    CHECK(host.password.empty());
    CHECK(host.text() == "example:6379");

    const cli::RedisAddress all = cli::redis_address("redis://shop:p%40ss:w%25rd@10.0.0.7:7000/12");
    CHECK(all.host == "10.0.0.7");
    CHECK(all.port == 7000);
    CHECK(all.database == 12);
    CHECK(all.user == "shop");
    CHECK(all.password == "p@ss:w%rd");

    CHECK(cli::redis_address("redis://:secret@h").user.empty());
    CHECK(cli::redis_address("redis://:secret@h/").password == "secret");
    CHECK(cli::redis_address("redis://:a@b@h").password == "a@b");
    CHECK(cli::redis_address("redis://[::1]:7").host == "::1");
    CHECK(cli::redis_address("redis://[::1]").text() == "[::1]:6379");
}

TEST_CASE("an address that is none is refused with what is wrong, and no message holds the password") {
    CHECK(contains(refusal("http://h"), "it does not begin with redis://"));
    CHECK(contains(refusal(""), "it does not begin with redis://"));
    CHECK(contains(refusal("rediss://h"), "TLS, is not supported"));
    CHECK(contains(refusal("redis://"), "the host is missing"));
    CHECK(contains(refusal("redis://:6379"), "the host is missing"));
    CHECK(contains(refusal("redis://[::1"), "lacks the ]"));
    for (const std::string port : {":", ":0", ":65536", ":-1", ":x", ":80x", ":99999999999999"}) {
        CHECK(contains(refusal("redis://h" + port), "the port must be a number from 1 to 65535"));
    }
    CHECK(contains(refusal("redis://[::1]7"), "the port must be"));
    for (const std::string database : {"x", "-1", "1/2", "1?db=2"}) {
        CHECK(contains(refusal("redis://h/" + database), "must be the number of a database"));
    }
    for (const std::string rest : {"secret@h", ":secret@", ":secret@h:x", ":secret@h/x", ":secret%@h", ":secret%4@h",
                                   ":secret%zz@h", ":secret@[::1"}) {
        const std::string text = refusal("redis://" + rest);
        CAPTURE(text);
        CHECK(contains(text, "--redis: the address of Redis: "));
        CHECK_FALSE(contains(text, "secret"));
    }
    CHECK_FALSE(contains(refusal("redi://:secret@h"), "secret"));
}

TEST_CASE("the password may be the first line of a file") {
    const TemporaryFolder folder;
    const std::string path = (folder / "password").string();
    write_bytes(path, "from file\r\nmore\n");
    CHECK(cli::redis_address("redis://h", path).password == "from file");
    CHECK(contains(refusal("redis://:secret@h", path), "--redis-password-file: the password of Redis is given twice"));
    write_bytes(path, "\n");
    CHECK(contains(refusal("redis://h", path), "--redis-password-file: the first line of " + path + " is empty"));
    CHECK(contains(refusal("redis://h", path + ".none"), "--redis-password-file: cannot read"));
}
