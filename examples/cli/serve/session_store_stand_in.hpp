#ifndef GRU4REC_CLI_SERVE_SESSION_STORE_STAND_IN_HPP
#define GRU4REC_CLI_SERVE_SESSION_STORE_STAND_IN_HPP

#include "gru4rec/core/function_ref.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/model/session_state.hpp"

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

// Stands in for gru4rec/serve/session_store.hpp until that is merged.
namespace cli::server {

struct SessionStoreOptions {
    gru4rec::Index max_sessions = 1'000'000;
    gru4rec::Index max_bytes = gru4rec::Index{1} << 30;
    double max_idle_seconds = 1800;
};
struct SessionStoreCounts {
    gru4rec::Index size = 0, bytes = 0;
    std::int64_t created = 0, expired = 0, evicted = 0, erased = 0;
};

template <class Scalar>
class SessionStore {
  public:
    explicit SessionStore(const gru4rec::Model<Scalar>& model, SessionStoreOptions) : empty_(model) {}
    void update(std::string_view id, gru4rec::detail::FunctionRef<void(gru4rec::SessionState<Scalar>&)> change) {
        const std::lock_guard<std::mutex> lock(mutex_);
        change(sessions_.try_emplace(std::string(id), empty_).first->second);
    }
    [[nodiscard]] bool find(std::string_view id, gru4rec::SessionState<Scalar>& into) {
        const std::lock_guard<std::mutex> lock(mutex_);
        const auto found = sessions_.find(std::string(id));
        if (found != sessions_.end()) {
            into = found->second;
        }
        return found != sessions_.end();
    }
    bool erase(std::string_view id) {
        const std::lock_guard<std::mutex> lock(mutex_);
        return sessions_.erase(std::string(id)) > 0;
    }
    gru4rec::Index expire() { return 0; }
    [[nodiscard]] SessionStoreCounts counts() const {
        const std::lock_guard<std::mutex> lock(mutex_);
        return {.size = static_cast<gru4rec::Index>(sessions_.size())};
    }

  private:
    gru4rec::SessionState<Scalar> empty_;
    mutable std::mutex mutex_;
    std::unordered_map<std::string, gru4rec::SessionState<Scalar>> sessions_;
};

}  // namespace cli::server

#endif
