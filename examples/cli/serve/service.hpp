#ifndef GRU4REC_CLI_SERVE_SERVICE_HPP
#define GRU4REC_CLI_SERVE_SERVICE_HPP

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "../commands.hpp"
#include "access.hpp"
#include "exchange.hpp"
#include "metrics.hpp"
#include "model_holder.hpp"
#include "page.hpp"

namespace cli::server {

/// What the threads of a server share.
struct Shared {
    const ServeOptions& options;
    const Access& access;
    const Page& page;
    ModelHolder& holder;
    ServerState state;
    std::vector<const Counters*> counters = {};  ///< one for each thread; complete before the first one starts
};

/// Answers the requests of one thread.
class Service {
  public:
    enum class Next {
        answered,
        rank,       ///< rank() makes the answer, together with those of other requests
        background  ///< takes long: finish_in_background(), in another thread
    };

    Service(Shared& shared, Counters& counters) : shared_(shared), counters_(counters) {}

    /// Finds the route, and checks what the header says.
    ///
    /// @param content_length  what the request announces; 0: none, or not known
    /// @returns the largest body that is read
    /// @throws HttpFailure
    std::uint64_t check_header(Exchange& exchange, std::uint64_t content_length) const;

    /// Takes a request whose body is complete.
    ///
    /// @throws HttpFailure
    [[nodiscard]] Next begin(Exchange& exchange);

    /// Answers requests that begin() put off. All of them get their lists from one model, together.
    ///
    /// @throws whatever keeps all of them from an answer
    void rank(std::span<Exchange* const> exchanges);

    /// @throws whatever keeps it from an answer
    /// @threads any, and any number of them at a time
    void finish_in_background(Exchange& exchange) const;

    /// Takes the model or the filter that has replaced the present one. @pre no request waits for rank()
    void adopt();

  private:
    [[nodiscard]] Next begin_search(Exchange& exchange) const;
    static void write_found(Exchange& exchange, const Serving& serving);
    void change_filter(Exchange& exchange) const;
    void write_lists(Exchange& exchange) const;
    /// What the server says of itself.
    void write_report(Exchange& exchange) const;
    void write_ready(Exchange& exchange) const;

    Shared& shared_;
    Counters& counters_;
    std::uint64_t generation_ = 0;
    std::shared_ptr<const Serving> serving_;
    std::unique_ptr<Ranker> ranker_;  // of serving_->model
    SessionFigures figures_;          // what ranker_ said last
    std::vector<Job*> jobs_;
};

/// The document that describes the server's interface, compiled in.
[[nodiscard]] std::string_view openapi_document() noexcept;

}  // namespace cli::server

#endif
