#include "gru4rec/data/guess_columns.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace {

using gru4rec::guess_columns;
using gru4rec::GuessedColumns;
using gru4rec::HeaderLine;

/// The keys of session, item and time.
std::string keys(const GuessedColumns& guess) {
    return guess.columns.session_key + " " + guess.columns.item_key + " " + guess.columns.time_key;
}

TEST_CASE("what the reader finds by itself is not guessed") {
    const GuessedColumns guess = guess_columns("session_id,item_id,timestamp,user_id\n1,a,1,u\n");
    CHECK(keys(guess) == "SessionId ItemId Time");
    CHECK(guess.header == HeaderLine::automatic);
    CHECK_FALSE(guess.are_visitors);
    gru4rec::ReadOptions options;
    options.columns = {"who", "what", "when"};
    CHECK(keys(guess_columns("who,what,when\n1,a,1\n", options)) == "who what when");
}

TEST_CASE("visitors stand in for sessions") {
    const GuessedColumns guess = guess_columns("timestamp,visitorid,event,itemid\n1431492411469,9034,view,70019\n");
    CHECK(keys(guess) == "visitorid ItemId Time");
    CHECK(guess.are_visitors);
}

TEST_CASE("without a header line, the first column of times and the first two others are taken") {
    for (const std::string_view head :
         {"1|2015-05-10T05:29:32.404Z|70004|S\n", "1|1431235772|70004\n", "1|1431235772000|70004"}) {
        const GuessedColumns guess = guess_columns(head);
        CHECK(keys(guess) == "1 3 2");
        CHECK(guess.header == HeaderLine::absent);
    }
    CHECK(keys(guess_columns("1431235772,1,a\n")) == "2 3 1");
    CHECK(keys(guess_columns("1,a,x,1431235772\n")) == "1 2 4");
}

TEST_CASE("what cannot be guessed is left as it is") {
    gru4rec::ReadOptions options;
    options.layout.header = HeaderLine::present;
    CHECK(keys(guess_columns("1,2015-05-10,70004\n", options)) == "SessionId ItemId Time");
    for (const std::string_view head : {"", "a,b,c\n1,2,3\n", "<html>", "1,2\n", "1,2,3\n"}) {
        const GuessedColumns guess = guess_columns(head);
        CHECK(keys(guess) == "SessionId ItemId Time");
        CHECK(guess.header == HeaderLine::automatic);
        CHECK_FALSE(guess.are_visitors);
    }
}

}  // namespace
