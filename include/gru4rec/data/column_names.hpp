#ifndef GRU4REC_DATA_COLUMN_NAMES_HPP
#define GRU4REC_DATA_COLUMN_NAMES_HPP

#include "gru4rec/core/text.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// A name without case, blanks, `_`, `-` and `.`: `User_Session` and `userSession` are the same.
[[nodiscard]] inline std::string plain_name(std::string_view name) {
    std::string result;
    for (const char c : name) {
        if (c >= 'A' && c <= 'Z') {
            result += static_cast<char>(c - 'A' + 'a');
        } else if (c != ' ' && c != '_' && c != '-' && c != '.') {
            result += c;
        }
    }
    return result;
}

/// What people call the column of session ids, of item ids, of times, and of visitors, as plain names.
inline constexpr std::array<std::string_view, 6> session_names{"sessionid", "session", "usersession",
                                                               "sid",       "sessid",  "visitid"};
inline constexpr std::array<std::string_view, 22> item_names{
    "itemid",  "item",    "productid", "product",        "aid",       "articleid", "newsid",    "videoid",
    "movieid", "trackid", "songid",    "asin",           "article",   "goodsid",   "contentid", "adid",
    "sku",     "skuid",   "listingid", "clickarticleid", "reference", "pageid"};
inline constexpr std::array<std::string_view, 14> time_names{
    "time",          "timestamp",      "ts",        "eventtime",      "eventdate", "datetime",  "date", "unixtime",
    "unixtimestamp", "eventtimestamp", "createdat", "clicktimestamp", "clicktime", "servertime"};
inline constexpr std::array<std::string_view, 8> visitor_names{"visitorid", "visitor",    "userid", "user",
                                                               "uid",       "customerid", "cookie", "fullvisitorid"};

/// The name of a column in the form of RecBole, `item_id:token`, without its type; others unchanged.
[[nodiscard]] inline std::string_view without_type(std::string_view name) noexcept {
    constexpr std::array<std::string_view, 4> types{":token", ":token_seq", ":float", ":float_seq"};
    for (const std::string_view type : types) {
        if (name.ends_with(type)) {
            return name.substr(0, name.size() - type.size());
        }
    }
    return name;
}

/// The columns of a table by name and number.
class ColumnFinder {
  public:
    /// @param names  of the columns, or the fields of the first row if the table has no header
    ColumnFinder(std::vector<std::string> names, bool has_header) : names_(std::move(names)), has_header_(has_header) {}

    [[nodiscard]] const std::vector<std::string>& names() const noexcept { return names_; }

    /// The places of the columns of this very name.
    [[nodiscard]] std::vector<std::size_t> named(std::string_view name) const {
        return where([&](std::string_view column) { return column == name; });
    }

    /// The places of the columns that one of the plain names is another form of.
    [[nodiscard]] std::vector<std::size_t> known_as(std::span<const std::string_view> plain_names) const {
        return where([&](std::string_view column) {
            const std::string plain = plain_name(column);
            return std::find(plain_names.begin(), plain_names.end(), plain) != plain_names.end();
        });
    }

    /// The place of a column that is given by its number from 1 on.
    [[nodiscard]] std::optional<std::size_t> numbered(std::string_view text) const noexcept {
        const auto number = parse_number<std::size_t>(text);
        return number && *number >= 1 && *number <= names_.size() ? std::optional(*number - 1) : std::nullopt;
    }

    /// The places of the columns of this name, or else the one of this number.
    [[nodiscard]] std::vector<std::size_t> named_or_numbered(std::string_view key) const {
        std::vector<std::size_t> places = named(key);
        if (const auto number = numbered(key); number && places.empty()) {
            places.push_back(*number);
        }
        return places;
    }

    /// The first columns' names for a message: `"a", "b", ...`.
    [[nodiscard]] std::string listed() const {
        constexpr std::size_t most = 20;
        std::string text;
        for (std::size_t i = 0; i < (std::min)(names_.size(), most); ++i) {
            text += (i == 0 ? "" : ", ") + quote(names_[i]);
        }
        return text + (names_.size() > most ? ", ..." : "");
    }

  private:
    template <class Fits>
    [[nodiscard]] std::vector<std::size_t> where(const Fits& fits) const {
        std::vector<std::size_t> places;
        for (std::size_t i = 0; has_header_ && i < names_.size(); ++i) {
            if (fits(names_[i])) {
                places.push_back(i);
            }
        }
        return places;
    }

    std::vector<std::string> names_;
    bool has_header_;
};

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
