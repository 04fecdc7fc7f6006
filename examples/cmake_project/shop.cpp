#include "shop.hpp"

#include <cstdint>
#include <string_view>
#include <vector>

gru4rec::Dataset visits() {
    const std::vector<std::int64_t> sessions = {1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4};
    const std::vector<std::string_view> items = {"tent",  "mat",   "stove", "boots", "socks", "poles",
                                                 "boots", "socks", "poles", "tent",  "mat"};
    const std::vector<std::int64_t> times = {0, 30, 60, 10, 20, 40, 100, 110, 130, 200, 220};
    return gru4rec::make_dataset(sessions, items, times);
}
