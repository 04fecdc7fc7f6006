#include "target.hpp"

#include "gru4rec/core/text.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>

#include "../percent_decoding.hpp"
#include "http.hpp"

namespace cli::server {

namespace {

[[nodiscard]] HttpFailure bad_target(const std::string& problem) {
    return {400, "bad_target", "the path of the request " + problem};
}

enum class Plus { plus, blank };

[[nodiscard]] std::string decoded(std::string_view text, Plus plus) {
    std::string encoded(text);
    if (plus == Plus::blank) {
        std::replace(encoded.begin(), encoded.end(), '+', ' ');
    }
    std::optional<std::string> bytes = percent_decoded(encoded);
    if (!bytes) {
        throw bad_target("contains a % without two hexadecimal digits; write % itself as %25");
    }
    if (!gru4rec::detail::is_utf8(*bytes)) {
        throw bad_target("is not UTF-8 once it is decoded");
    }
    return *std::move(bytes);
}

/// Calls `use` with each part of a text between separators.
template <class Use>
void for_each_part(std::string_view text, char separator, const Use& use) {
    while (true) {
        const std::size_t end = text.find(separator);
        use(text.substr(0, end));
        if (end == std::string_view::npos) {
            return;
        }
        text.remove_prefix(end + 1);
    }
}

/// What follows the scheme of a target in absolute form, http://host/path; empty: it has another form.
[[nodiscard]] std::string_view without_scheme(std::string_view text) noexcept {
    const std::size_t scheme = text.find("://");
    if (text.starts_with('/') || scheme == std::string_view::npos || scheme > text.find_first_of("/?")) {
        return {};
    }
    return text.substr(scheme + 3);
}

/// Path and query. A query without a path, which no proxy sends, is left to be refused.
[[nodiscard]] std::string_view without_authority(std::string_view text) {
    const std::string_view rest = without_scheme(text);
    if (rest.empty()) {
        return text;
    }
    const std::size_t path = rest.find_first_of("/?");
    return path == std::string_view::npos ? "/" : rest.substr(path);
}

}  // namespace

std::string_view authority_of(std::string_view target) noexcept {
    const std::string_view rest = without_scheme(target.substr(0, target.find('#')));
    return rest.substr(0, rest.find_first_of("/?"));
}

Target Target::parse(std::string_view text) {
    text = without_authority(text.substr(0, text.find('#')));
    if (!text.starts_with('/')) {
        throw bad_target("must begin with /");
    }
    Target target;
    const std::size_t question = text.find('?');
    for_each_part(text.substr(1, question == std::string_view::npos ? question : question - 1), '/',
                  [&](std::string_view part) { target.segments.push_back(decoded(part, Plus::plus)); });
    if (question != std::string_view::npos && question + 1 < text.size()) {
        for_each_part(text.substr(question + 1), '&', [&](std::string_view part) {
            const std::size_t equals = part.find('=');
            if (!part.empty()) {
                target.parameters.emplace_back(
                    decoded(part.substr(0, equals), Plus::blank),
                    equals == std::string_view::npos ? "" : decoded(part.substr(equals + 1), Plus::blank));
            }
        });
    }
    return target;
}

}  // namespace cli::server
