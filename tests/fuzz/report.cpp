// Reports in JSON, as `gru4rec compare` reads them, and the page that it makes.

#include "cli/report_page/page.hpp"

#include "gru4rec/core/error.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/target.hpp"

namespace {

/// A page has no scripts, whoever wrote its reports, and its pictures have finite numbers.
void require_sound(std::string_view page) {
    fuzz::require(page.find("<script") == std::string_view::npos, "a page has no scripts");
    for (const std::string_view attribute :
         {" d=\"", " points=\"", " x=\"", " y=\"", " x1=\"", " y1=\"", " cx=\"", " cy=\"", " width=\"", " height=\""}) {
        for (std::size_t at = page.find(attribute); at != std::string_view::npos; at = page.find(attribute, at)) {
            at += attribute.size();
            const std::string_view value = page.substr(at, page.find('"', at) - at);
            fuzz::require(value.find("nan") == std::string_view::npos && value.find("inf") == std::string_view::npos,
                          "a picture has finite numbers");
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Taker input({data, size});
    const bool twice = input.byte() % 2 == 1;
    try {
        std::vector<cli::Run> runs = {cli::read_run("input", input.rest())};
        runs.back().name = "one <script>";
        if (twice) {
            runs.push_back(runs.front());
            runs.back().name = "two \xc3\xa9\"";
        }
        cli::check_page_size(runs);
        require_sound(cli::report_page(runs));
    } catch (const gru4rec::FormatError& error) {
        fuzz::require_message(error, "");
    }
    return 0;
}
