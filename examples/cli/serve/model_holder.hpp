#ifndef GRU4REC_CLI_SERVE_MODEL_HOLDER_HPP
#define GRU4REC_CLI_SERVE_MODEL_HOLDER_HPP

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "../commands.hpp"
#include "catalogue.hpp"
#include "filter_keeper.hpp"
#include "served_model.hpp"

namespace cli::server {

/// A model and what of it may be recommended: what a thread works with until it takes the next one.
struct Serving {
    std::shared_ptr<ServedModel> model;
    std::shared_ptr<const Catalogue> catalogue;  ///< of the model's items
    BuiltFilter filter;
};

/// What became of the attempts to load a new model.
struct ReloadReport {
    std::int64_t loaded = 0;
    std::int64_t failed = 0;
    std::string problem;  ///< of the last attempt; empty: it succeeded
};

/// Loads the model, and loads it again when its file changes. The new one is made beside the old one; threads take it
/// when they next look. A file that cannot be loaded changes nothing.
class ModelHolder {
  public:
    /// @throws gru4rec::IoError, gru4rec::FormatError, gru4rec::ConfigError
    explicit ModelHolder(const ServeOptions& options);

    /// Raised whenever there is something else to serve. @threads any
    [[nodiscard]] std::uint64_t generation() const noexcept { return generation_.load(std::memory_order_acquire); }
    /// @threads any
    [[nodiscard]] std::shared_ptr<const Serving> serving() const;
    [[nodiscard]] ReloadReport reloads() const;
    [[nodiscard]] std::shared_ptr<const std::string> filter_text() const;

    /// Called in the thread that changed something, after the change.
    std::function<void()> on_change;

    // What follows takes as long as a file takes: not for a thread that answers requests. poll() and reload() are for
    // one thread.

    /// Loads the file if it has changed and has then been at rest since the last call, or if the last attempt failed
    /// some time ago; drops models that nobody uses; ends idle sessions. To be called each second.
    void poll();

    /// Loads the file now.
    void reload();

    /// Changes, and keeps, what may be recommended. Does not wait for a model that is being loaded, which will have
    /// this filter.
    ///
    /// @returns what is served from now on
    /// @throws HttpFailure
    /// @threads any
    std::shared_ptr<const Serving> set_filter(FilterText text);

  private:
    /// What tells one content of a file from the next, without reading it.
    struct Trace {
        std::uintmax_t size = 0;
        std::uintmax_t inode = 0;
        std::filesystem::file_time_type time{};
        bool exists = false;

        friend bool operator==(const Trace&, const Trace&) = default;
    };
    static constexpr int shortest_pause = 2;
    static constexpr int longest_pause = 64;

    [[nodiscard]] Trace look() const;
    [[nodiscard]] bool retry_is_due();
    void try_reload();
    void drop_unused();
    [[nodiscard]] std::shared_ptr<const Catalogue> read_catalogue(const ServedModel& model) const;
    /// Serves this, with the present filter. @pre changes_ is locked
    std::shared_ptr<const Serving> publish(std::shared_ptr<ServedModel> model,
                                           std::shared_ptr<const Catalogue> catalogue);
    void report(std::string problem);

    ServeOptions options_;
    FilterFile file_;
    Trace tried_;          // of the last attempt
    Trace seen_;           // at the last poll
    bool failed_ = false;  // the last attempt
    int polls_before_retry_ = 0;
    int pause_ = shortest_pause;  // in polls, after a failure
    std::string told_;            // the problem that was told last; who tries again does not repeat it

    std::mutex changes_;  // is held while a filter is written, and not while a model is read
    FilterText text_;
    std::vector<std::shared_ptr<ServedModel>> retired_;

    std::atomic<std::uint64_t> generation_ = 0;
    mutable std::mutex mutex_;  // of what follows
    std::shared_ptr<const Serving> serving_;
    std::shared_ptr<const std::string> filter_text_;
    ReloadReport report_;
};

}  // namespace cli::server

#endif
