#include "gru4rec/core/error.hpp"

#include "../commands.hpp"

namespace cli {

ExitStatus replay(const ReplayOptions&) {
    throw gru4rec::ConfigError(
        "this program was built without its client, because Boost was not found; install it (Debian: libboost-dev) and "
        "build again");
}

}  // namespace cli
