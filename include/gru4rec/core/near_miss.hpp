#ifndef GRU4REC_CORE_NEAR_MISS_HPP
#define GRU4REC_CORE_NEAR_MISS_HPP

#include "gru4rec/version.hpp"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// What somebody most likely meant who wrote a name that does not exist.
namespace gru4rec::inline GRU4REC_ABI::detail {

/// Letters to insert, delete or exchange to make `b` of `a` (Levenshtein). @complexity O(|a| |b|)
[[nodiscard]] inline std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i + 1;
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t exchanged = diagonal + (a[i] == b[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = (std::min)({exchanged, diagonal + 1, row[j] + 1});
        }
    }
    return row.back();
}

/// `learning_rate`: "lr"
[[nodiscard]] inline std::string initials(std::string_view name) {
    std::string letters;
    for (std::size_t at = 0; at < name.size(); ++at) {
        if (name[at] != '_' && (at == 0 || name[at - 1] == '_')) {
            letters += name[at];
        }
    }
    return letters;
}

/// The known name whose initials are `name`, else one that starts or ends with it, else one that differs by two letters
/// at most; empty where there is none.
[[nodiscard]] inline std::string_view near_miss(std::string_view name, std::span<const std::string_view> known) {
    constexpr std::size_t longest = 40;
    const auto first = [&](const auto& fits) {
        const auto found = std::ranges::find_if(known, fits);
        return found == known.end() ? std::string_view() : *found;
    };
    if (name.size() < 2 || name.size() > longest) {
        return {};
    }
    if (const auto found = first([&](std::string_view k) { return initials(k) == name; }); !found.empty()) {
        return found;
    }
    const auto is_part = [&](std::string_view k) {
        return name.size() > 2 && (k.starts_with(name) || k.ends_with(name));
    };
    if (const auto found = first(is_part); !found.empty()) {
        return found;
    }
    return first([&](std::string_view k) { return name.size() > 3 && edit_distance(name, k) <= 2; });
}

}  // namespace gru4rec::inline GRU4REC_ABI::detail

#endif
