#include "catalogue.hpp"

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/data/fields.hpp"
#include "gru4rec/data/not_a_table.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>
#include <span>

#include "../file_text.hpp"
#include "../messages.hpp"
#include "fold_case.hpp"
#include "json_text.hpp"

namespace cli::server {

namespace {

using gru4rec::detail::FieldReader;
using gru4rec::detail::quote;

constexpr std::size_t longest_name = 4096;
constexpr std::size_t longest_address = 2048;

[[nodiscard]] std::string lower_case(std::string_view text) {
    std::string out;
    append_folded(out, text);
    return out;
}

/// Whether an address is of one of the origins, and safe to hand on.
[[nodiscard]] bool is_allowed(std::string_view address, const std::vector<std::string>& origins) {
    const bool is_plain = address.size() <= longest_address &&
                          std::all_of(address.begin(), address.end(), [](char c) { return c > ' ' && c < 0x7f; });
    return is_plain && std::any_of(origins.begin(), origins.end(), [&](const std::string& origin) {
               return address.size() > origin.size() && address[origin.size()] == '/' &&
                      lower_case(address.substr(0, origin.size())) == origin;
           });
}

/// The columns of a catalogue, row by row.
class CatalogueFile {
  public:
    struct Row {
        std::string_view id;
        std::string_view name;
        std::string_view picture;
    };

    explicit CatalogueFile(const std::string& path) : path_(path), bytes_(file_text(path)), rest_(bytes_) {
        gru4rec::detail::check_is_table(path, rest_);
        if (rest_.starts_with(gru4rec::detail::byte_order_mark)) {
            rest_.remove_prefix(gru4rec::detail::byte_order_mark.size());
        }
        separator_ = gru4rec::detail::separator_of(rest_.substr(0, rest_.find('\n')), gru4rec::Quotes::enclose);
        if (!read_fields()) {
            throw problem("the file is empty, expected a header line with the columns id and name");
        }
        id_ = column("id");
        name_ = column("name");
        picture_ = column("picture");
        if (!id_ || !name_) {
            throw problem("the header line lacks the column " + std::string(id_ ? "name" : "id") +
                          ", expected id, name and, if there are pictures, picture, separated by TAB, comma, semicolon "
                          "or |; found " +
                          quote(first_line()));
        }
        needed_ = (std::max)(*id_, *name_) + 1;
    }

    [[nodiscard]] bool has_pictures() const noexcept { return picture_.has_value(); }

    /// The next row; its texts are valid until the next call. @throws gru4rec::FormatError
    [[nodiscard]] std::optional<Row> next() {
        if (!read_fields()) {
            return std::nullopt;
        }
        if (fields_.size() < needed_) {
            throw problem("the row has " + std::to_string(fields_.size()) +
                          (fields_.size() == 1 ? " field" : " fields") + ", expected at least " +
                          std::to_string(needed_) + " as in the header line");
        }
        const Row row{fields_[*id_], fields_[*name_],
                      picture_ && *picture_ < fields_.size() ? fields_[*picture_] : std::string_view()};
        if (row.id.empty()) {
            throw problem("the id is empty");
        }
        if (!gru4rec::detail::is_utf8(row.name)) {
            throw problem("the name " + quote(row.name) +
                          " is not UTF-8; convert the file, for example with: iconv -f WINDOWS-1252 -t UTF-8");
        }
        if (row.name.size() > longest_name) {
            throw problem("the name " + quote(row.name) + " has " + std::to_string(row.name.size()) +
                          " bytes, expected at most " + std::to_string(longest_name));
        }
        return row;
    }

  private:
    [[nodiscard]] gru4rec::FormatError problem(const std::string& text) const {
        return gru4rec::FormatError(one_line(path_ + ":" + std::to_string(line_) + ": " + text));
    }

    [[nodiscard]] std::string_view first_line() const {
        const std::string_view text = bytes_;
        return text.substr(0, (std::min)(text.find_first_of("\r\n"), std::size_t{200}));
    }

    [[nodiscard]] std::optional<std::size_t> column(std::string_view name) const {
        std::optional<std::size_t> found;
        for (std::size_t i = 0; i < fields_.size(); ++i) {
            if (lower_case(fields_[i]) == name) {
                if (found) {
                    throw problem("the header line has two columns " + std::string(name));
                }
                found = i;
            }
        }
        return found;
    }

    /// Takes the next row that is not blank. @returns false at the end
    [[nodiscard]] bool read_fields() {
        line_ = next_line_;
        while (!rest_.empty()) {
            std::string_view after = rest_;
            if (!gru4rec::detail::trimmed(gru4rec::detail::take_line(after)).empty()) {
                split_row();
                return true;
            }
            rest_ = after;
            line_ = ++next_line_;
        }
        return false;
    }

    void split_row() {
        FieldReader reader(rest_, separator_, gru4rec::Quotes::enclose);
        fields_.clear();
        // A field views it: its capacity must suffice for what is unescaped, which is less than a row.
        unescaped_.clear();
        unescaped_.reserve((std::min)(rest_.size(), FieldReader::longest_quoted * 2));
        for (auto found = FieldReader::Found::field; found == FieldReader::Found::field;) {
            std::string_view value;
            found = reader.next(unescaped_, value);
            if (found == FieldReader::Found::open_quote || found == FieldReader::Found::bad_quote ||
                unescaped_.size() > FieldReader::longest_quoted) {
                throw problem(
                    "the quotes of a field do not match: one that begins with a quotation mark must end with "
                    "one, directly before a separator or a line end, with \"\" for a quote inside it");
            }
            if (fields_.size() < most_fields) {
                fields_.push_back(value);
            }
        }
        const std::string_view row = rest_.substr(0, rest_.size() - reader.rest().size());
        next_line_ += static_cast<std::size_t>(std::count(row.begin(), row.end(), '\n'));
        rest_ = reader.rest();
    }

    static constexpr std::size_t most_fields = 1000;

    std::string path_;
    std::string bytes_;
    std::string_view rest_;
    char separator_ = '\t';
    std::string unescaped_;
    std::vector<std::string_view> fields_;
    std::size_t line_ = 1;
    std::size_t next_line_ = 1;
    std::optional<std::size_t> id_;
    std::optional<std::size_t> name_;
    std::optional<std::size_t> picture_;
    std::size_t needed_ = 0;
};

/// Names and pictures by item, as a file has them: its order is not that of the model, so they are gathered in the one
/// and taken in the other.
class GatheredTexts {
  public:
    explicit GatheredTexts(std::size_t n_items) : places_(n_items) {}

    /// @throws gru4rec::IoError, gru4rec::FormatError
    void read(const std::string& file, const gru4rec::ItemMap& items, const std::vector<std::string>& origins) {
        CatalogueFile rows(file);
        while (const auto row = rows.next()) {
            if (const auto item = items.find(row->id)) {
                add(*row, places_[static_cast<std::size_t>(gru4rec::to_index(*item))], origins);
            } else {
                ++n_others_;
            }
        }
    }

    [[nodiscard]] std::string_view name(std::size_t item) const { return text_at(places_[item].name); }
    [[nodiscard]] std::string_view picture(std::size_t item) const { return text_at(places_[item].picture); }

    /// Items whose names are not empty.
    [[nodiscard]] gru4rec::Index n_named() const noexcept { return n_named_; }

    /// What was left out and how much of it; each kind begins with a semicolon.
    [[nodiscard]] std::string left_out() const {
        std::string text;
        const auto append = [&](std::string_view what, gru4rec::Index count) {
            if (count > 0) {
                text.append("; ").append(what).append(": ").append(std::to_string(count));
            }
        };
        append("rows of items that the model lacks", n_others_);
        append("rows that repeat an id, of which the first counts", n_repeated_);
        append("pictures not of an origin that --pictures allows", n_refused_);
        return text;
    }

  private:
    struct Place {  // 1 + place in texts_; 0: none
        std::uint64_t name = 0;
        std::uint64_t picture = 0;
    };

    void add(const CatalogueFile::Row& row, Place& place, const std::vector<std::string>& origins) {
        if (place.name != 0) {
            ++n_repeated_;
            return;
        }
        texts_.add(row.name);
        place.name = texts_.size();
        n_named_ += row.name.empty() ? 0 : 1;
        if (is_allowed(row.picture, origins)) {
            texts_.add(row.picture);
            place.picture = texts_.size();
        } else {
            n_refused_ += row.picture.empty() ? 0 : 1;
        }
    }

    [[nodiscard]] std::string_view text_at(std::uint64_t place) const {
        return place == 0 ? std::string_view() : texts_[place - 1];
    }

    std::vector<Place> places_;
    TextColumn texts_;
    gru4rec::Index n_named_ = 0;
    gru4rec::Index n_others_ = 0;
    gru4rec::Index n_repeated_ = 0;
    gru4rec::Index n_refused_ = 0;
};

[[nodiscard]] bool is_in_word(char c) noexcept {
    const auto byte = static_cast<unsigned char>(c);
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || byte >= 0x80U;
}

/// A text of one or more bytes to be found in a longer one: eight places at a time, by its first and its last byte.
class Needle {
  public:
    explicit Needle(std::string_view text) noexcept : text_(text) {}

    /// @returns the first place from `from` on, or npos
    [[nodiscard]] std::size_t find_in(std::string_view text, std::size_t from) const noexcept {
        constexpr std::uint64_t ones = 0x0101010101010101ULL;
        const std::uint64_t first = ones * static_cast<unsigned char>(text_.front());
        const std::uint64_t last = ones * static_cast<unsigned char>(text_.back());
        const std::size_t reach = text_.size() - 1;
        for (; text.size() >= from + reach + 8 && std::endian::native == std::endian::little; from += 8) {
            const char* const at = text.data() + from;
            std::uint64_t candidates =
                gru4rec::detail::equal_bytes(gru4rec::detail::load_word<std::uint64_t>(at), first) &
                gru4rec::detail::equal_bytes(gru4rec::detail::load_word<std::uint64_t>(at + reach), last);
            for (; candidates != 0; candidates &= candidates - 1) {
                const std::size_t offset = static_cast<std::size_t>(std::countr_zero(candidates)) / 8;
                if (std::memcmp(at + offset, text_.data(), text_.size()) == 0) {
                    return from + offset;
                }
            }
        }
        return text.find(text_, from);
    }

  private:
    std::string_view text_;
};

/// A text to search for, taken apart.
class Query {
  public:
    static constexpr std::size_t n_classes = 5;

    explicit Query(std::string_view text) {
        append_folded(text_, text);
        text_ = gru4rec::detail::trimmed(text_);
        for (const std::string_view word : gru4rec::detail::split(text_, ' ')) {
            if (!word.empty()) {
                words_.push_back(word);
            }
        }
        std::sort(words_.begin(), words_.end(), [](std::string_view a, std::string_view b) {
            return a.size() != b.size() ? a.size() > b.size() : a < b;
        });
        words_.erase(std::unique(words_.begin(), words_.end()), words_.end());
    }
    Query(const Query&) = delete;  // words_ refer to text_
    Query& operator=(const Query&) = delete;

    [[nodiscard]] std::size_t n_words() const noexcept { return words_.size(); }

    /// The longest word; empty: every item matches.
    [[nodiscard]] std::string_view needle() const noexcept {
        return words_.empty() ? std::string_view() : words_.front();
    }

    /// How well a key matches, 0 is best; nullopt: not at all. @param key  "id TAB name"
    [[nodiscard]] std::optional<std::size_t> class_of(std::string_view key) const {
        bool all_begin = true;
        for (const std::string_view word : words_) {
            const auto found = find_word(key, word);
            if (!found) {
                return std::nullopt;
            }
            all_begin = all_begin && *found;
        }
        const std::size_t tab = key.find('\t');
        return key.substr(0, tab) == text_              ? 0U
               : key.starts_with(text_)                 ? 1U
               : key.substr(tab + 1).starts_with(text_) ? 2U
               : all_begin                              ? 3U
                                                        : 4U;
    }

  private:
    /// @returns whether it begins a word somewhere; nullopt: it is not there
    [[nodiscard]] static std::optional<bool> find_word(std::string_view key, std::string_view word) {
        std::optional<bool> found;
        for (std::size_t at = key.find(word); at != std::string_view::npos; at = key.find(word, at + 1)) {
            found = at == 0 || !is_in_word(key[at - 1]);
            if (*found) {
                break;
            }
        }
        return found;
    }

    std::string text_;
    std::vector<std::string_view> words_;  // different ones, the longest first
};

}  // namespace

std::string parse_origin(std::string_view text) {
    const std::string origin = lower_case(text);
    const std::string_view scheme = origin.starts_with("https://") ? "https://" : "http://";
    const std::string_view host = std::string_view(origin).substr((std::min)(scheme.size(), origin.size()));
    const bool is_host = !host.empty() && host.front() != ':' && std::all_of(host.begin(), host.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == ':' || c == '[' ||
               c == ']';
    });
    if (!origin.starts_with(scheme) || !is_host) {
        throw gru4rec::ConfigError("--pictures: '" + std::string(text) +
                                   "' is not an origin, expected scheme and host, and a port if need be, such as "
                                   "https://pictures.example.com; without a path, without *");
    }
    return origin;
}

Catalogue::Catalogue(const gru4rec::ItemMap& items) : items_(items) { make_keys(); }

Catalogue::Catalogue(const gru4rec::ItemMap& items, const std::string& file, const std::vector<std::string>& origins)
    : items_(items) {
    const auto n = static_cast<std::size_t>(items.size());
    GatheredTexts texts(n);
    texts.read(file, items, origins);
    names_.reserve(n);
    for (std::size_t i = 0; i < n; ++i) {
        names_.add(texts.name(i));
        if (!origins.empty()) {
            pictures_.add(texts.picture(i));
        }
    }
    names_.shrink();
    pictures_.shrink();
    make_keys();
    report_ =
        file + " names " + std::to_string(texts.n_named()) + " of " + std::to_string(n) + " items" + texts.left_out();
}

void Catalogue::make_keys() {
    const auto n = static_cast<std::size_t>(items_.size());
    keys_.reserve(n);
    std::string key;
    for (std::size_t i = 0; i < n; ++i) {
        const auto item = gru4rec::to_item(static_cast<gru4rec::Index>(i));
        key.clear();
        append_folded(key, items_.id(item));
        key += '\t';
        append_folded(key, name(item));
        key += '\n';
        keys_.add(key);
    }
    keys_.shrink();
}

void Catalogue::append_fields(std::string& out, gru4rec::ItemIndex item) const {
    out += "\"id\":";
    append_string(out, items_.id(item));
    if (const std::string_view text = name(item); !text.empty()) {
        out += ",\"name\":";
        append_string(out, text);
    }
    if (const std::string_view address = picture(item); !address.empty()) {
        out += ",\"picture\":";
        append_string(out, address);
    }
}

std::size_t Catalogue::count_words(std::string_view text) { return Query(text).n_words(); }

Catalogue::Found Catalogue::search(std::string_view text, gru4rec::Index n) const {
    const Query query(text);
    std::array<std::vector<gru4rec::ItemIndex>, Query::n_classes> classes;
    Found found;
    if (query.needle().empty()) {
        found.total = items_.size();
        for (gru4rec::Index i = 0; i < (std::min)(n, items_.size()); ++i) {
            found.items.push_back(gru4rec::to_item(i));
        }
        return found;
    }
    const std::string_view keys = keys_.bytes();
    const Needle needle(query.needle());
    std::size_t item = 0;
    for (std::size_t at = needle.find_in(keys, 0); at != std::string_view::npos;) {
        while (keys_.end(item) <= at) {
            ++item;
        }
        const std::string_view key = keys_[item];
        if (const auto rank = query.class_of(key.substr(0, key.size() - 1))) {
            ++found.total;
            if (std::ssize(classes[*rank]) < n) {
                classes[*rank].push_back(gru4rec::to_item(static_cast<gru4rec::Index>(item)));
            }
        }
        at = needle.find_in(keys, keys_.end(item));
    }
    for (const auto& of_class : classes) {
        found.items.insert(found.items.end(), of_class.begin(), of_class.end());
    }
    found.items.resize((std::min)(found.items.size(), static_cast<std::size_t>(n)));
    return found;
}

}  // namespace cli::server
