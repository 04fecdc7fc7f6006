#include "page.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "catalogue.hpp"
#include "compiled_files.hpp"

namespace cli::server {

namespace {

/// The type of a file by its name; "": it is not part of the page.
[[nodiscard]] std::string_view type_of(std::string_view name) noexcept {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 4> types{
        {{".html", "text/html; charset=utf-8"},
         {".css", "text/css; charset=utf-8"},
         {".js", "text/javascript; charset=utf-8"},
         {".svg", "image/svg+xml"}}};
    const auto* const found =
        std::find_if(types.begin(), types.end(), [&](const auto& type) { return name.ends_with(type.first); });
    return found == types.end() ? std::string_view() : found->second;
}

[[nodiscard]] std::string policy_with(const std::vector<std::string>& pictures) {
    std::string policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'";
    for (const std::string& origin : pictures) {
        policy += " " + parse_origin(origin);
    }
    return policy + "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
}

/// Whether a list of tags, as in the header If-None-Match, has this one.
[[nodiscard]] bool has_tag(std::string_view list, std::string_view tag) noexcept {
    return list == "*" || list.find(tag) != std::string_view::npos;
}

}  // namespace

Page::Page(const std::vector<std::string>& pictures) {
    const std::string policy = policy_with(pictures);
    for (const CompiledFile& file : compiled_files()) {
        const std::string_view type = type_of(file.name);
        if (type.empty()) {
            continue;
        }
        const std::string tag = "\"" + std::string(file.hash) + "\"";
        files_.push_back({file.name, type, file.bytes, tag,
                          "ETag: " + tag + "\r\nContent-Security-Policy: " + policy +
                              "\r\nReferrer-Policy: no-referrer\r\nCross-Origin-Opener-Policy: same-origin\r\n"
                              "Cross-Origin-Resource-Policy: same-origin\r\n"});
    }
}

void Page::answer(std::string_view name, const Request& request, Answer& answer) const {
    const auto file = std::find_if(files_.begin(), files_.end(), [&](const File& f) { return f.name == name; });
    if (file == files_.end()) {
        throw HttpFailure(404, "unknown_route", "the page has no such file");
    }
    answer.type = file->type;
    answer.extra_headers = file->headers;
    answer.cache = "no-cache";  // kept by the client, and asked for with its tag: another program may have another page
    if (has_tag(request.if_none_match, file->tag)) {
        answer.status = 304;
    } else {
        answer.body = file->bytes;
    }
}

}  // namespace cli::server
