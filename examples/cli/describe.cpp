#include "gru4rec/core/text.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/files.hpp"
#include "gru4rec/data/format_date.hpp"
#include "gru4rec/data/parse_time.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "commands.hpp"
#include "input_tables.hpp"
#include "inputs.hpp"

namespace cli {
