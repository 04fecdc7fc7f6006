#ifndef GRU4REC_TESTS_SUPPORT_ITEMS_OF_HPP
#define GRU4REC_TESTS_SUPPORT_ITEMS_OF_HPP

#include "gru4rec/core/types.hpp"

#include <initializer_list>
#include <vector>

/// Items by number, also ones that no catalogue has.
[[nodiscard]] inline std::vector<gru4rec::ItemIndex> items_of(std::initializer_list<int> numbers) {
    std::vector<gru4rec::ItemIndex> items;
    for (const int number : numbers) {
        items.push_back(static_cast<gru4rec::ItemIndex>(number));
    }
    return items;
}

#endif
