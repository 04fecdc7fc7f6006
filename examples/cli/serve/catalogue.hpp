#ifndef GRU4REC_CLI_SERVE_CATALOGUE_HPP
#define GRU4REC_CLI_SERVE_CATALOGUE_HPP

#include "gru4rec/core/types.hpp"
#include "gru4rec/data/item_map.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cli::server {

/// Where pictures may come from: "https://pictures.example.com", with a port if need be.
///
/// @returns it in small letters
/// @throws gru4rec::ConfigError naming --pictures unless it is scheme, host and port alone
[[nodiscard]] std::string parse_origin(std::string_view text);

/// Texts of the items 0, 1, ..., one after another.
class TextColumn {
  public:
    /// The text of the next item.
    void add(std::string_view text) {
        bytes_ += text;
        ends_.push_back(bytes_.size());
    }
    [[nodiscard]] std::string_view operator[](std::size_t i) const noexcept {
        const std::size_t begin = i == 0 ? 0 : ends_[i - 1];
        return std::string_view(bytes_).substr(begin, ends_[i] - begin);
    }
    [[nodiscard]] bool empty() const noexcept { return ends_.empty(); }
    [[nodiscard]] std::size_t size() const noexcept { return ends_.size(); }
    [[nodiscard]] std::string_view bytes() const noexcept { return bytes_; }
    /// Where the text of item i ends in bytes().
    [[nodiscard]] std::size_t end(std::size_t i) const noexcept { return ends_[i]; }
    void reserve(std::size_t n_texts) { ends_.reserve(n_texts); }
    void shrink() {
        bytes_.shrink_to_fit();
        ends_.shrink_to_fit();
    }

  private:
    std::string bytes_;
    std::vector<std::uint64_t> ends_;
};

/// What the items of a model are called, and a search among them.
///
/// Takes the bytes of an id, twice those of its name and 18 more for each item, and those of its picture's address and
/// 8 more if there are pictures.
///
/// @threads const members may be called at the same time
class Catalogue {
  public:
    struct Found {
        std::vector<gru4rec::ItemIndex> items;  ///< the best n
        gru4rec::Index total = 0;               ///< that match
    };

    /// Without names: items are found by id.
    explicit Catalogue(const gru4rec::ItemMap& items);

    /// Reads a table with a header line: id, name and, if there are pictures, picture. Rows whose id the model lacks
    /// are left out, and so are pictures from elsewhere; of rows with the same id the first one counts.
    ///
    /// @param items    must outlive this object
    /// @param origins  of pictures, from parse_origin()
    /// @throws gru4rec::IoError; gru4rec::FormatError naming file and line
    Catalogue(const gru4rec::ItemMap& items, const std::string& file, const std::vector<std::string>& origins);

    /// What was read, in a sentence for the server's messages; empty: nothing was.
    [[nodiscard]] const std::string& report() const noexcept { return report_; }

    /// @returns "" for an item without a name
    [[nodiscard]] std::string_view name(gru4rec::ItemIndex item) const noexcept { return text_of(names_, item); }
    /// @returns "" for an item without a picture that may be shown
    [[nodiscard]] std::string_view picture(gru4rec::ItemIndex item) const noexcept { return text_of(pictures_, item); }

    /// Appends "id": ..., and "name" and "picture" of an item that has them.
    void append_fields(std::string& out, gru4rec::ItemIndex item) const;

    /// Different words that a search may have. Each is looked for in each item.
    static constexpr std::size_t most_words = 12;

    /// Different words of a text to search for, in any case.
    [[nodiscard]] static std::size_t count_words(std::string_view text);

    /// Items whose id or name holds every word of a text, in any case: first the item of this id, then ids that start
    /// with the text, names that start with it, names of whose words each starts with one of the text, and the others;
    /// in the order of the model otherwise.
    ///
    /// @param text  UTF-8; empty: every item matches
    /// @complexity a pass over ids and names for the longest word; over those that have it, one for each other word
    [[nodiscard]] Found search(std::string_view text, gru4rec::Index n) const;

    /// Bytes that a search reads.
    [[nodiscard]] std::size_t searched_bytes() const noexcept { return keys_.bytes().size(); }

  private:
    [[nodiscard]] static std::string_view text_of(const TextColumn& column, gru4rec::ItemIndex item) noexcept {
        return column.empty() ? std::string_view() : column[static_cast<std::size_t>(gru4rec::to_index(item))];
    }
    void make_keys();

    const gru4rec::ItemMap& items_;
    TextColumn names_;
    TextColumn pictures_;
    TextColumn keys_;  // "id TAB name LF", folded: what is searched
    std::string report_;
};

}  // namespace cli::server

#endif
