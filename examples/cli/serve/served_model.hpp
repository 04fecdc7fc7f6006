#ifndef GRU4REC_CLI_SERVE_SERVED_MODEL_HPP
#define GRU4REC_CLI_SERVE_SERVED_MODEL_HPP

#include "gru4rec/core/types.hpp"
#include "gru4rec/data/item_map.hpp"
#include "gru4rec/serve/item_filter.hpp"

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "../commands.hpp"
#include "../live_sessions.hpp"
#include "catalogue.hpp"
#include "exchange.hpp"

namespace cli::server {

/// Makes the lists of one thread.
class Ranker {
  public:
    Ranker() = default;
    Ranker(const Ranker&) = delete;
    Ranker& operator=(const Ranker&) = delete;
    virtual ~Ranker() = default;

    /// Does all jobs at once: the table of items is read once for all of them. A job that fails says so
    /// itself.
    ///
    /// @param catalogue  what the items are called
    /// @param filter     null: any item may be recommended
    virtual void run(std::span<Job* const> jobs, const Catalogue& catalogue, const gru4rec::ItemFilter* filter) = 0;

    /// Why live sessions cannot be served now; empty if they can.
    [[nodiscard]] virtual std::string problem() = 0;

    /// What this thread has seen of sessions that are kept elsewhere; all 0 for those in this process.
    [[nodiscard]] virtual SessionFigures shared_figures() const = 0;
};

/// A model with all that is made from it, of either precision, and the live sessions that it has fed.
///
/// @threads all members may be called at the same time
class ServedModel {
  public:
    using Time = std::chrono::system_clock::time_point;

    ServedModel(std::string hash, std::string precision)
        : hash_(std::move(hash)), precision_(std::move(precision)), loaded_(std::chrono::system_clock::now()) {}
    ServedModel(const ServedModel&) = delete;
    ServedModel& operator=(const ServedModel&) = delete;
    virtual ~ServedModel() = default;

    [[nodiscard]] const std::string& hash() const noexcept { return hash_; }
    [[nodiscard]] const std::string& precision() const noexcept { return precision_; }
    [[nodiscard]] Time loaded() const noexcept { return loaded_; }

    [[nodiscard]] virtual const gru4rec::ItemMap& items() const noexcept = 0;

    /// Must not outlive this object.
    [[nodiscard]] virtual std::unique_ptr<Ranker> make_ranker() = 0;

    /// Removes sessions that have been idle for too long.
    virtual void expire_sessions() = 0;
    /// Of the sessions in this process; nothing is set if they are kept elsewhere.
    [[nodiscard]] virtual SessionFigures figures() const = 0;

  private:
    std::string hash_;
    std::string precision_;
    Time loaded_;
};

/// Reads a model file, checks it for damage, and makes what serving needs.
///
/// @param known  hash of a model that is there already
/// @returns null if the file holds that model
/// @throws gru4rec::IoError, gru4rec::FormatError
[[nodiscard]] std::shared_ptr<ServedModel> load_served_model(const ServeOptions& options,
                                                             const std::string& known = "");

}  // namespace cli::server

#endif
