#ifndef GRU4REC_CLI_REDIS_HOST_HPP
#define GRU4REC_CLI_REDIS_HOST_HPP

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace cli {

/// The addresses of a host. After the first time its name is looked up in a thread of its own: the system's resolver
/// waits for many seconds if no name server answers.
///
/// @threads any
class RedisHost {
  public:
    /// Finds the numeric addresses of a name; what it throws says why there are none.
    using Resolver = std::function<std::vector<std::string>(const std::string& name)>;

    /// Looks a name up and waits for that. One that is not found is not an error: it may be found later.
    explicit RedisHost(const std::string& name, Resolver resolver = {});

    /// Those found last; empty: none so far.
    [[nodiscard]] std::vector<std::string> addresses() const;

    /// Why the last look-up failed; empty: it succeeded.
    [[nodiscard]] std::string problem() const;

    /// Begins to look the name up again and returns. Does nothing if a look-up runs, or for a numeric address.
    void refresh();

  private:
    struct State;
    std::shared_ptr<State> state_;  // the thread has a share in it
};

}  // namespace cli

#endif
