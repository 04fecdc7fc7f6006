// Files about items: names and pictures for the server, and the ids of rows for `gru4rec import`. The first byte of the
// input says which, the second how many bytes of the rest are a text to search for.

#include "gru4rec/io/import_model.hpp"

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/data/item_map.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>

#include "cli/serve/catalogue.hpp"
#include "fuzz/target.hpp"

namespace {

using cli::server::Catalogue;
using gru4rec::Index;
using gru4rec::ItemMap;

[[nodiscard]] const ItemMap& known_items() {
    static const ItemMap map = [] {
        ItemMap made;
        for (const std::string_view id : {"7", "17", "170", "a7", "\xc3\x89", "x\"y"}) {
            made.insert(id);
        }
        return made;
    }();
    return map;
}

void read_catalogue(const std::string& path, std::string_view search) {
    const ItemMap& items = known_items();
    const Catalogue catalogue(items, path, {"https://a.example"});
    for (Index i = 0; i < items.size(); ++i) {
        std::string fields = "{";
        catalogue.append_fields(fields, gru4rec::to_item(i));
        const auto json = nlohmann::json::parse(fields + "}");
        fuzz::require(json.at("id") == items.id(gru4rec::to_item(i)), "an item is shown with its id");
        const std::string_view picture = catalogue.picture(gru4rec::to_item(i));
        fuzz::require(picture.find_first_of(" \t\r\n") == std::string_view::npos, "a picture's address is one word");
    }
    if (gru4rec::detail::is_utf8(search) && Catalogue::count_words(search) <= Catalogue::most_words) {
        const auto some = catalogue.search(search, 2);
        const auto all = catalogue.search(search, items.size());
        fuzz::require(some.total == all.total && std::ssize(all.items) == all.total, "a search counts what it finds");
        fuzz::require(std::equal(some.items.begin(), some.items.end(), all.items.begin()), "the best come first");
    }
    fuzz::require(catalogue.report().starts_with(path), "a catalogue says what was read");
}

void read_ids(const std::string& path, std::string_view text) {
    const ItemMap items = gru4rec::detail::read_item_file(path);
    const Index lines = 1 + std::count(text.begin(), text.end(), '\n') - (text.ends_with('\n') ? 1 : 0);
    fuzz::require(items.size() == lines, "each line is an item");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Taker input({data, size});
    const bool is_catalogue = input.byte() % 2 == 0;
    const std::size_t n_search = input.byte() % 32;
    const std::string_view search = input.rest().substr(0, n_search);
    const std::string_view text = input.rest().substr(search.size());
    const fuzz::InputFile file(text);
    try {
        is_catalogue ? read_catalogue(file.path(), search) : read_ids(file.path(), text);
    } catch (const gru4rec::FormatError& error) {
        fuzz::require_message(error, file.path() + ":");
    }
    return 0;
}
