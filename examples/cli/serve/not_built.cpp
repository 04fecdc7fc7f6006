#include "gru4rec/core/error.hpp"

#include "../commands.hpp"

namespace cli {

ExitStatus serve(const ServeOptions&) {
    throw gru4rec::ConfigError(
        "this program was built without its server, because Boost was not found; install it (Debian: libboost-dev) and "
        "build again");
}

}  // namespace cli
