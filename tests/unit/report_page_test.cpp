#include "cli/report_page/page.hpp"
#include "cli/report_page/run.hpp"
#include "gru4rec/core/error.hpp"

#include "support/contains.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

// Reports as strangers may have written them, and the pages made of them.
namespace {

using cli::read_run;
using cli::report_page;
using cli::Run;
using Json = nlohmann::json;

Json group(int from, const Json& to, double recall) {
    return {{"from", from},
            {"to", to},
            {"predictions", 4},
            {"recall", {{"5", recall}}},
            {"mrr", {{"5", recall / 2}}},
            {"ndcg", {{"5", recall / 3}}}};
}

Json evaluation(double recall) {
    return {{"file", "test.tsv"},
            {"ties", "conservative"},
            {"predictions", 8},
            {"skipped_unknown", 1234},
            {"recall", {{"1", recall / 4}, {"5", recall}}},
            {"mrr", {{"1", recall / 8}, {"5", recall / 2}}},
            {"ndcg", {{"1", recall / 9}, {"5", recall / 3}}},
            {"recall_interval", {{"5", {recall - 0.01, recall + 0.01}}}},
            {"coverage", {{"1", 0.1}, {"5", 0.25}}},
            {"popularity", {{"1", 0.001}, {"5", 0.002}}},
            {"seconds", 0.5},
            {"by_position", {group(1, 1, recall), group(20, nullptr, 0.25)}},
            {"by_session_length", {group(2, 2, recall)}},
            {"by_popularity", {group(0, 0, 0.125), group(1000, 1999, recall)}},
            {"ranks", {{{"up_to", 1}, {"predictions", 2}}, {{"up_to", 5}, {"predictions", 5}}}},
            {"unranked", 1}};
}

Json epoch(int number, const Json& loss) {
    return {{"epoch", number},
            {"loss", loss},
            {"seconds", 2},
            {"steps", 10},
            {"pairs", 300},
            {"events_per_second", 150},
            {"learning_rate", 0.05},
            {"weight_norms", {{"Wy.weight", 3.5}, {"By.weight", 0}}},
            {"gradient_norms", {{"all", {{"mean", 0.5}, {"largest", 1.5}, {"updates", 3}}}}},
            {"valid", {evaluation(0.3 + 0.01 * number)}}};
}

Json some_report() {
    return {{"version", "0.1.0"},
            {"report_version", 1},
            {"cpu", "a processor"},
            {"engine", "an engine"},
            {"flags", "a compiler"},
            {"threads", 2},
            {"seed", 18446744073709551615U},
            {"params", {{"layers", "100"}, {"loss", "cross-entropy"}}},
            {"data", {{"sessions", 100}, {"items", 5}, {"events", 400}}},
            {"epochs", {epoch(1, 4.5), epoch(2, 4.25)}},
            {"step_loss", {5.0, nullptr, 4.0}},
            {"evaluations", {evaluation(0.4)}},
            {"peak_rss_bytes", 1 << 24}};
}

Run run_of(const Json& report, const std::string& name = "run") {
    Run run = read_run("a.json", report.dump());
    run.name = name;
    return run;
}

std::string refusal(const std::string& text) {
    try {
        (void)read_run("a.json", text);
    } catch (const gru4rec::FormatError& error) {
        return error.what();
    }
    return "taken";
}

std::string refusal_of(const std::function<void(Json&)>& damage) {
    Json report = some_report();
    damage(report);
    return refusal(report.dump());
}

TEST_CASE("a report is read as it stands") {
    const Run run = run_of(some_report());
    CHECK(run.seed == 18446744073709551615U);
    CHECK(run.epochs.size() == 2);
    CHECK(run.epochs[1].gradient_norms.at("all").largest == 1.5);
    CHECK(run.epochs[1].valid[0].recall.at(5) == doctest::Approx(0.32));
    CHECK(std::isnan(run.step_loss[1]));
    const cli::Measured& measured = run.evaluations[0];
    CHECK(measured.recall_interval.at(5).first == 0.39);
    CHECK(measured.by_position[1].from == 20);
    CHECK(!measured.by_position[1].to);
    CHECK(measured.ranks[1].predictions == 5);
    CHECK(measured.unranked == 1);
}

TEST_CASE("what is wrong with a report is said: the file, the field, what was expected and found") {
    CHECK(contains(refusal("{\"a\": 1"), "a.json: expected JSON, found a syntax error at byte 8"));
    CHECK(contains(refusal("[1, 2]"), "a.json: expected an object, found a list"));
    CHECK(contains(refusal("7"), "a.json: expected an object, found 7"));
    CHECK(contains(refusal(""), "a.json: expected JSON"));
    CHECK(contains(refusal("{}"), "the key 'report_version' is missing"));
    CHECK(contains(refusal("{\"report_version\": 1e999}"), "a.json: a number is too large"));
    CHECK(contains(refusal(std::string(100'000, '[')), "nested more than 8 levels deep"));
    CHECK(contains(refusal_of([](Json& r) { r["report_version"] = 2; }), "report_version: expected 1, found 2"));
    CHECK(contains(refusal_of([](Json& r) { r["report_version"] = "1"; }), "a.json: report_version: expected a whole"));
    CHECK(contains(refusal_of([](Json& r) { r["epochs"][1]["loss"] = "low"; }),
                   "a.json: epochs[1].loss: expected a number or null, found a string"));
    CHECK(
        contains(refusal_of([](Json& r) { r["epochs"][1]["epoch"] = 1; }), "epochs[1].epoch: expected a later epoch"));
    CHECK(contains(refusal_of([](Json& r) { r["epochs"][1]["epoch"] = 9007199254740992; }),
                   "epochs[1].epoch: expected a whole number from 0 to 2147483647, found 9007199254740992"));
    CHECK(contains(refusal_of([](Json& r) { r["epochs"] = 3; }), "a.json: epochs: expected a list, found 3"));
    CHECK(contains(refusal_of([](Json& r) { r["evaluations"][0].erase("ties"); }),
                   "a.json: evaluations[0]: the key 'ties' is missing"));
    CHECK(contains(refusal_of([](Json& r) { r["evaluations"][0]["predictions"] = -1; }),
                   "evaluations[0].predictions: expected a whole number from 0 to 9223372036854775807, found -1"));
    CHECK(contains(refusal_of([](Json& r) { r["evaluations"][0]["recall"] = {{"0x5", 1}}; }), "expected a cutoff"));
    CHECK(contains(refusal_of([](Json& r) { r["evaluations"][0]["recall_interval"]["5"] = {1}; }), "two numbers"));
    CHECK(contains(refusal_of([](Json& r) { r["evaluations"][0]["by_position"][0]["to"] = "x"; }),
                   "evaluations[0].by_position[0].to"));
    CHECK(contains(refusal_of([](Json& r) { r["params"] = Json::array(); }), "params: expected an object"));
}

TEST_CASE("what exceeds a limit of docs/report.md is refused, unless this process wrote it") {
    CHECK(contains(refusal_of([](Json& r) { r["evaluations"][0]["ranks"] = Json(1001, nullptr); }),
                   "evaluations[0].ranks: expected at most 1000 entries, found 1001"));
    CHECK(contains(refusal_of([](Json& r) { r["epochs"][0]["valid"] = Json(1001, nullptr); }),
                   "epochs[0].valid: expected at most 1000 entries, found 1001"));
    CHECK(contains(refusal_of([](Json& r) { r["epochs"] = Json(100'001, nullptr); }),
                   "epochs: expected at most 100000 entries, found 100001"));
    CHECK(contains(refusal_of([](Json& r) { r["step_loss"] = Json(1'000'001, nullptr); }),
                   "step_loss: expected at most 1000000 entries, found 1000001"));
    CHECK(contains(refusal_of([](Json& r) {
                       for (int i = 0; i < 999; ++i) {  // beside layers and loss
                           r["params"][std::to_string(i)] = "1";
                       }
                   }),
                   "params: expected at most 1000 entries, found 1001"));
    CHECK(contains(refusal_of([](Json& r) { r["cpu"] = std::string(5000, 'x'); }), "cpu: expected at most 4096 bytes"));
    CHECK(contains(refusal_of([](Json& r) { r["params"][std::string(5000, 'x')] = "1"; }), "at most 4096 bytes"));
    Json long_list = some_report();
    long_list["evaluations"][0]["ranks"] = Json(1001, {{"up_to", 1}, {"predictions", 1}});
    CHECK(read_run("own.json", long_list.dump(), cli::Author::this_process).evaluations[0].ranks.size() == 1001);
}

TEST_CASE("no change of one value of a report ends in anything but a page or a refusal") {
    const Json whole = some_report();
    const Json flat = whole.flatten();
    std::size_t n_pages = 0;
    std::size_t n_refusals = 0;
    for (const auto& [path, old] : flat.items()) {
        for (const Json& other :
             {Json(), Json(1e300), Json("<b>"), Json::array(), Json((std::numeric_limits<std::int64_t>::max)())}) {
            Json changed = whole;
            changed[Json::json_pointer(path)] = other;
            try {
                const std::string page = report_page({run_of(changed)});
                CHECK(page.ends_with("</html>\n"));
                ++n_pages;
            } catch (const gru4rec::FormatError&) {
                ++n_refusals;
            }
        }
    }
    CHECK(n_pages > 50);
    CHECK(n_refusals > 100);
}

TEST_CASE("a report whose page would be far larger than itself is refused") {
    CHECK_NOTHROW(cli::check_page_size({run_of(some_report()), run_of(some_report(), "other")}));
    const Json plain = {
        {"file", "t"}, {"ties", "standard"}, {"predictions", 1}, {"skipped_unknown", 0}, {"seconds", 0}};
    Json many_cutoffs = some_report();
    many_cutoffs["evaluations"] = Json(1000, plain);
    for (int i = 0; i < 5000; ++i) {
        many_cutoffs["evaluations"][static_cast<std::size_t>(i / 1000)]["recall"][std::to_string(i + 1)] = 0.5;
    }
    CHECK_THROWS_AS(cli::check_page_size({run_of(many_cutoffs)}), gru4rec::FormatError);
    Json many_groups = some_report();
    many_groups["evaluations"] = Json(1000, plain);
    for (int i = 0; i < 5000; ++i) {
        many_groups["evaluations"][static_cast<std::size_t>(i / 1000)]["ranks"].push_back(
            {{"up_to", i + 1}, {"predictions", 1}});
    }
    CHECK_THROWS_AS(cli::check_page_size({run_of(many_groups)}), gru4rec::FormatError);
    Json many_tensors = some_report();
    many_tensors["epochs"] = Json::array();
    for (int i = 1; i <= 2500; ++i) {
        many_tensors["epochs"].push_back(epoch(i, 1));
        many_tensors["epochs"].back().erase("valid");
        many_tensors["epochs"].back()["weight_norms"] = {{"tensor " + std::to_string(i), 1}};
    }
    CHECK_THROWS_AS(cli::check_page_size({run_of(many_tensors)}), gru4rec::FormatError);
}

TEST_CASE("a page is the same for the same runs, and asks for nothing from elsewhere") {
    const std::string page = report_page({run_of(some_report())});
    CHECK(page == report_page({run_of(some_report())}));
    for (const char* const part : {"<script", "http-equiv=\"refresh\"", "src=", "href=", "@import", "url("}) {
        CHECK_MESSAGE(!contains(page, part), part);
    }
    for (const char* const part :
         {"Training report: run", "<td>0.4000<", "0.3900 to 0.4100", "Recall@5 by position in the session", "20+", "1k",
          "Norm of the gradients", "Norm of the weights", "Learning rate", "Throughput", "Distribution of ranks",
          "Catalogue coverage", "18446744073709551615", "16 MiB", "a processor", "<bdi>an engine</bdi>",
          "<dt>events per second</dt><dd>150</dd>", "<td>8</td><td>1,234</td>",
          "their targets scored NaN: <bdi>GRU4Rec</bdi> 1."}) {
        CHECK_MESSAGE(contains(page, part), part);
    }
}

TEST_CASE("strings of a report are text on its page") {
    Json report = some_report();
    const std::string hostile = "<script>alert(\"1\")</script>'&";
    report["evaluations"][0]["file"] = hostile;
    report["evaluations"][0]["ties"] = hostile;
    report["evaluations"][0]["baseline"] = hostile;
    report["params"] = {{hostile, hostile}};
    report["cpu"] = report["engine"] = report["flags"] = report["version"] = hostile;
    report["epochs"][0]["weight_norms"] = {{hostile, 1}};
    report["epochs"][0]["gradient_norms"] = {{hostile, {{"mean", 1}, {"largest", 1}}}};
    for (const std::string& page :
         {report_page({run_of(report, hostile)}), report_page({run_of(report, hostile), run_of(some_report())})}) {
        CHECK(!contains(page, "<script"));
        CHECK(!contains(page, "\"1\""));
        CHECK(contains(page, "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&#39;&amp;"));
    }
}

TEST_CASE("what a report lacks is left out, and the page says how to get it") {
    Json report = some_report();
    report["evaluations"] = Json::array();
    for (Json& e : report["epochs"]) {
        e.erase("valid");
    }
    std::string page = report_page({run_of(report)});
    CHECK(contains(page, "Nothing was measured"));
    CHECK(contains(page, "No validation curve"));
    CHECK(!contains(page, "by position in the session"));

    report = some_report();
    for (const char* const key : {"by_position", "by_session_length", "by_popularity", "ranks", "unranked"}) {
        report["evaluations"][0].erase(key);
    }
    for (const char* const key : {"epochs", "step_loss", "seed", "engine"}) {
        report.erase(key);
    }
    page = report_page({run_of(report)});
    CHECK(contains(page, "Evaluation report"));
    CHECK(contains(page, "--details"));
    CHECK(!contains(page, "<h2>Training"));
    CHECK(!contains(page, "engine"));
    CHECK(!contains(page, "scored NaN"));
}

TEST_CASE("a number that is null is a dash, without a unit") {
    Json report = some_report();
    for (Json& e : report["epochs"]) {
        e["seconds"] = nullptr;
    }
    const std::string page = report_page({run_of(report)});
    CHECK(contains(page, "<dt>training</dt><dd>–</dd>"));
    CHECK(contains(page, "<dt>events per second</dt><dd>–</dd>"));
    CHECK(contains(page, "<th scope=\"row\">time of training</th><td><bdi>–</bdi></td>"));
    CHECK(contains(page, "<th scope=\"row\">events per second</th><td><bdi>–</bdi></td>"));
}

TEST_CASE("what no page shows may be anything") {
    CHECK(refusal_of([](Json& r) {
              r["epochs"][0]["steps"] = r["epochs"][0]["pairs"] = "x";
              r["evaluations"][0]["seconds"] = "x";
              r["evaluations"][0]["fit_seconds"] = "x";
              r["evaluations"][0]["by_position"][0]["ndcg"] = "x";
              r["a key of a later version"] = "x";
          }) == "taken");
}

TEST_CASE("several runs share pictures, and what differs is marked") {
    Json other = some_report();
    other["params"]["layers"] = "200";
    other["evaluations"][0]["predictions"] = 9;
    other["evaluations"][0]["recall"]["5"] = 0.5;
    const std::string page = report_page({run_of(some_report(), "first"), run_of(other, "second")});
    CHECK(contains(page, "Comparison of 2 runs"));
    CHECK(
        contains(page, "<tr class=\"differs\"><th scope=\"row\">layers</th><td><bdi>100</bdi></td><td><bdi>200</bdi>"));
    CHECK(contains(page, "<tr><th scope=\"row\">loss</th>"));
    CHECK(contains(page, "<td class=\"best\">0.5000<"));
    CHECK(contains(page, "The numbers of predictions differ"));
    CHECK(contains(page, "<bdi>second</bdi></li>"));
}

}  // namespace
