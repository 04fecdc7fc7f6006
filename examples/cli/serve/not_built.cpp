#include "gru4rec/core/error.hpp"

#include "../commands.hpp"

namespace cli {

ExitStatus serve(const ServeOptions&) {
#if defined(_WIN32)
    throw gru4rec::ConfigError("this program was built without its server, which does not run on Windows");
#else
    throw gru4rec::ConfigError(
        "this program was built without its server, because Boost was not found; install it (Debian: libboost-dev) and "
        "build again");
#endif
}

}  // namespace cli
