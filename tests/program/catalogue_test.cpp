#include "cli/serve/catalogue.hpp"

#include "cli/serve/fold_case.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/random.hpp"
#include "support/contains.hpp"
#include "support/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Names of items from a file, and the search among them.
namespace {

using cli::server::Catalogue;
using gru4rec::FormatError;

gru4rec::ItemMap items_of(std::initializer_list<std::string_view> ids) {
    gru4rec::ItemMap items;
    for (const std::string_view id : ids) {
        items.insert(id);
    }
    return items;
}

/// Ids of what is found, in their order.
std::string found_by(const Catalogue& catalogue, const gru4rec::ItemMap& items, std::string_view text,
                     gru4rec::Index n) {
    std::string ids;
    for (const gru4rec::ItemIndex item : catalogue.search(text, n).items) {
        ids += ids.empty() ? "" : " ";
        ids += items.id(item);
    }
    return ids;
}

struct Files {
    TemporaryFolder folder;
    gru4rec::ItemMap items = items_of({"7", "17", "170", "a7"});

    std::string path(const std::string& text) const {
        write_bytes(folder / "names.tsv", text);
        return (folder / "names.tsv").string();
    }
    Catalogue read(const std::string& text, const std::vector<std::string>& origins = {}) const {
        return {items, path(text), origins};
    }
    std::string name(const Catalogue& catalogue, std::string_view id) const {
        return std::string(catalogue.name(*items.find(id)));
    }
    std::string problem(const std::string& text) const {
        try {
            (void)read(text);
        } catch (const FormatError& error) {
            return error.what();
        }
        return "none";
    }
};

}  // namespace

TEST_CASE("capital letters of several scripts are folded, everything else is kept") {
    const auto folded = [](std::string_view text) {
        std::string out = ">";
        cli::server::append_folded(out, text);
        return out;
    };
    CHECK(folded("MUG mug 7") == ">mug mug 7");
    CHECK(folded("ÄÖÜ ÉÈ ŁÓDŹ ŸŽ ×ß") == ">äöü éè łódź ÿž ×ß");
    CHECK(folded("ΆΛΦΑ ΣΊΓΜΑς ΏΎΌ") == ">άλφα σίγμασ ώύό");
    CHECK(folded("ЧАШКА ЁЖ Ґ") == ">чашка ёж ґ");
    CHECK(folded("ԲԱԺԱԿ") == ">բաժակ");
    CHECK(folded("Ə Ɓ Ɗ Ƙƙ ӁӍ Ӏ") == ">ə ɓ ɗ ƙƙ ӂӎ Ӏ");
    CHECK(folded("İI ẞ ỆỖƠƯ") == ">ii ß ệỗơư");
    CHECK(folded("杯 🫖 \t\n\x01") == ">杯 🫖    ");
    CHECK(folded("") == ">");
}

TEST_CASE("names are read from any column order, separator and quoting") {
    const Files files;
    for (const std::string text : {"id\tname\n7\tBlue mug\n17\tTea \"pot\"\n",
                                   "\xef\xbb\xbfNAME;price;Id\r\nBlue mug;3;7\r\n\r\n\"Tea \"\"pot\"\"\";4;17",
                                   "id,name,picture\n7,Blue mug,\n\n17,\"Tea \"\"pot\"\"\",x\n9,other,\n7,second,\n"}) {
        CAPTURE(text);
        const Catalogue catalogue = files.read(text);
        CHECK(files.name(catalogue, "7") == "Blue mug");
        CHECK(files.name(catalogue, "17") == "Tea \"pot\"");
        CHECK(files.name(catalogue, "170").empty());
        CHECK(contains(catalogue.report(), "names.tsv names 2 of 4 items"));
    }
    const std::string report = files.read("id,name,picture\n7,a,http://b.example/\n9,b,\n7,c,\n8,d,\n").report();
    CHECK(contains(report,
                   "; rows of items that the model lacks: 2; rows that repeat an id, of which the first counts: 1; "));
    CHECK(contains(report, "; pictures not of an origin that --pictures allows: 1"));
}

TEST_CASE("names may hold line breaks, markup and half a page") {
    const Files files;
    const std::string longest(4096, 'x');
    const Catalogue catalogue =
        files.read("id,name\n7,\"<script>\nalert(1)</script>\"\n17," + longest + "\n170,\"a\"\"b\\\"\n");
    CHECK(files.name(catalogue, "7") == "<script>\nalert(1)</script>");
    CHECK(files.name(catalogue, "17") == longest);
    std::string json;
    catalogue.append_fields(json, *files.items.find("7"));
    CHECK(json == "\"id\":\"7\",\"name\":\"<script>\\u000aalert(1)</script>\"");
    json.clear();
    catalogue.append_fields(json, *files.items.find("170"));
    CHECK(json == "\"id\":\"170\",\"name\":\"a\\\"b\\\\\"");
    CHECK(found_by(catalogue, files.items, "script> alert", 9) == "7");
}

TEST_CASE("what is wrong with a catalogue is said with file and line") {
    const Files files;
    const auto says = [&](const std::string& text, const std::string& fragment) {
        CAPTURE(text);
        const std::string problem = files.problem(text);
        CAPTURE(problem);
        CHECK(contains(problem, fragment));
        CHECK(contains(problem, "names.tsv"));
    };
    says("", "names.tsv:1: the file is empty");
    says("\n \n", "names.tsv:3: the file is empty");
    says("7\tBlue mug\n", "names.tsv:1: the header line lacks the column id");
    says("id\ttitle\n", "lacks the column name, expected id, name and");
    says("id,name,ID\n", "two columns id");
    says("id,name\n7,a\n\n\n17\n", "names.tsv:5: the row has 1 field, expected at least 2");
    says("id,name\n7,\"a\nb\"\n,c\n", "names.tsv:4: the id is empty");
    says("id,name\n7,\"a\n", "names.tsv:2: the quotes of a field do not match");
    says("id,name\n7,\"a\"b\n", "names.tsv:2: the quotes of a field do not match");
    says("id,name\n7,caf\xe9\n", "names.tsv:2: the name \"caf\\xe9\" is not UTF-8");
    says("id,name\n7," + std::string(4097, 'x') + "\n", "has 4097 bytes, expected at most 4096");
    says("PK\x03\x04", "spreadsheet");
    CHECK_THROWS_AS((void)Catalogue(files.items, (files.folder / "none").string(), {}), gru4rec::IoError);
}

TEST_CASE("pictures are shown from allowed origins alone") {
    const Files files;
    const auto picture = [&](const std::string& address) {
        const Catalogue catalogue = files.read(
            "id\tname\tpicture\n7\tmug\t" + address + "\n",
            {cli::server::parse_origin("HTTPS://img.example.com"), cli::server::parse_origin("http://127.0.0.1:9000")});
        std::string json;
        catalogue.append_fields(json, *files.items.find("7"));
        return contains(json, "\"picture\":") ? std::string(catalogue.picture(*files.items.find("7"))) : "";
    };
    for (const std::string address :
         {"https://img.example.com/7.jpg", "https://IMG.example.com/a?b=c#d", "http://127.0.0.1:9000/7.png"}) {
        CHECK(picture(address) == address);
    }
    for (const std::string address :
         {"", "7.jpg", "http://img.example.com/7.jpg", "https://img.example.com.evil.example/7.jpg",
          "https://img.example.com@evil.example/7.jpg", "https://img.example.com:444/7.jpg", "javascript:alert(1)",
          "https://img.example.com", "https://img.example.com/a b", "https://img.example.com/\xc3\xa9"}) {
        CAPTURE(address);
        CHECK(picture(address).empty());
    }
    for (const std::string origin :
         {"", "img.example.com", "https://", "https://*.example.com", "https://a.example/b", "https://a.example/",
          "ftp://a.example", "https://a.example; script-src *", "https://:80", "data:", "'self'"}) {
        CAPTURE(origin);
        CHECK_THROWS_AS((void)cli::server::parse_origin(origin), gru4rec::ConfigError);
    }
    CHECK(cli::server::parse_origin("https://[::1]:8443") == "https://[::1]:8443");
}

TEST_CASE("search ranks ids before names and beginnings before middles") {
    const gru4rec::ItemMap items = items_of({"x17", "170", "17", "3", "4", "5", "6"});
    const TemporaryFolder folder;
    write_bytes(folder / "c", "id,name\n3,Mug 17\n4,17 roses\n5,Bag (17th)\n6,Number b17\n");
    const Catalogue catalogue(items, (folder / "c").string(), {});
    CHECK(found_by(catalogue, items, "17", 9) == "17 170 4 3 5 x17 6");
    CHECK(found_by(catalogue, items, " 17\t", 3) == "17 170 4");
    CHECK(catalogue.search("17", 0).items.empty());
    CHECK(catalogue.search("17", 0).total == 7);
    CHECK(found_by(catalogue, items, "17 mUG", 9) == "3");
    CHECK(found_by(catalogue, items, "g 1", 9) == "3 5");  // both are words of it
    CHECK(found_by(catalogue, items, "rose", 9) == "4");
    CHECK(found_by(catalogue, items, "none", 9).empty());
    CHECK(found_by(catalogue, items, "", 2) == "x17 170");
    CHECK(catalogue.search("  ", 2).total == 7);
    CHECK(catalogue.search("x17\t", 9).total == 1);  // blanks, not the end of the id
}

TEST_CASE("without a file items are found by id") {
    const gru4rec::ItemMap items = items_of({"Shoe-1", "shoe-2", "hat"});
    const Catalogue catalogue(items);
    CHECK(found_by(catalogue, items, "SHOE", 9) == "Shoe-1 shoe-2");
    CHECK(catalogue.name(gru4rec::to_item(0)).empty());
    CHECK(catalogue.report().empty());
    const gru4rec::ItemMap none;
    CHECK(Catalogue(none).search("a", 9).total == 0);
    CHECK(Catalogue(none).search("", 9).total == 0);
}

TEST_CASE("a word that is repeated counts once") {
    CHECK(Catalogue::count_words("") == 0);
    CHECK(Catalogue::count_words(" mug  Mug\tblue MUG ") == 2);
    const gru4rec::ItemMap items = items_of({"a b", "b", "ba"});
    CHECK(found_by(Catalogue(items), items, "a B A b a", 9) == "a b ba");
}

TEST_CASE("search finds what a plain comparison of every item finds") {
    gru4rec::detail::Random random(17, gru4rec::detail::Random::Stream::test);
    const auto text_of = [&](std::size_t most) {
        std::string text;
        for (auto left = random.below(most + 1); left > 0; --left) {
            text += "ab c"[random.below(4)];
        }
        return text;
    };
    for (int round = 0; round < 200; ++round) {
        gru4rec::ItemMap items;
        std::string file = "id,name\n";
        std::vector<std::string> keys;
        for (auto left = random.below(30); left > 0; --left) {
            const std::string id = "i" + std::to_string(keys.size());
            std::string name = text_of(12);
            items.insert(id);
            file += id + ",\"" + name + "\"\n";
            keys.push_back(id + "|" + name);
        }
        const TemporaryFolder folder;
        write_bytes(folder / "c", file);
        const Catalogue catalogue(items, (folder / "c").string(), {});
        for (const std::string& word : {text_of(4), std::string("i"), std::string("1"), text_of(9)}) {
            CAPTURE(file);
            CAPTURE(word);
            std::vector<gru4rec::Index> expected;
            for (std::size_t i = 0; i < keys.size(); ++i) {
                bool all = true;
                for (std::size_t begin = 0; begin < word.size();) {
                    const std::size_t end = (std::min)(word.find(' ', begin), word.size());
                    all = all && (end == begin || keys[i].find(word.substr(begin, end - begin)) != std::string::npos);
                    begin = end + 1;
                }
                if (all) {
                    expected.push_back(static_cast<gru4rec::Index>(i));
                }
            }
            const Catalogue::Found found = catalogue.search(word, 100);
            std::vector<gru4rec::Index> sorted;
            for (const gru4rec::ItemIndex item : found.items) {
                sorted.push_back(gru4rec::to_index(item));
            }
            std::sort(sorted.begin(), sorted.end());
            CHECK(sorted == expected);
            CHECK(found.total == std::ssize(expected));
        }
    }
}
