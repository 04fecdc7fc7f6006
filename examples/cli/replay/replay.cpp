#include "gru4rec/core/error.hpp"
#include "gru4rec/io/model_file.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "../arguments.hpp"
#include "../commands.hpp"
#include "../engine.hpp"
#include "../failures.hpp"
#include "../file_limit.hpp"
#include "../inputs.hpp"
#include "../interruption.hpp"
#include "../messages.hpp"
#include "../serve/access.hpp"
#include "greeting.hpp"
#include "play_order.hpp"
#include "player.hpp"
#include "results.hpp"
#include "url.hpp"

namespace cli {

namespace {

using playback::PlayOrder;
using playback::Results;

/// @throws gru4rec::ConfigError if the system allows too few open files
void allow_connections(std::int64_t wanted) {
    constexpr std::int64_t other_files = 32;
    const std::int64_t files = raise_file_limit();
    if (files < wanted + other_files) {
        throw gru4rec::ConfigError("--connections: " + std::to_string(wanted) + " are too many for the " +
                                   std::to_string(files) + " open files that the system allows; ulimit -n raises that");
    }
}

void tell_differences(const playback::FoundServer& server, const std::string& model) {
    if (server.model != model) {
        tell("the server serves another model (hash " + one_line(server.model) + ") than MODEL (hash " +
             (model.empty() ? "none" : model) + "); what it answers is measured all the same");
    }
    if (server.leaves_out) {
        tell("the server's filter leaves items out, so its lists are not those that evaluate ranks");
    }
}

[[nodiscard]] ExitStatus status_of(const Results& results, const PlayOrder& order, bool interrupted) {
    if (results.n_lost_sessions > 0) {
        tell(
            "live sessions lost events: the server was started anew, changed its model, or had no room or time for "
            "them (--max-sessions, --session-memory, --session-time)");
    }
    if (results.gave_up) {
        return fail("gru4rec", ExitStatus::failure,
                    "the server no longer answers: stopped after " + std::to_string(results.from_due.count()) +
                        " answers (the file makes " + std::to_string(order.n_steps()) + " requests)");
    }
    if (results.n_errors() > 0) {
        return fail("gru4rec", ExitStatus::failure,
                    "failed requests: " + std::to_string(results.n_errors()) +
                        ", for example: " + results.errors.begin()->second.first);
    }
    return interrupted ? ExitStatus::interrupted : ExitStatus::ok;
}

}  // namespace

ExitStatus replay(const ReplayOptions& options) {
    if (is_page(options.report)) {
        throw gru4rec::ConfigError("--report: '" + options.report +
                                   "' is the name of a page, but replay writes JSON; expected a name such as "
                                   "replay.json");
    }
    std::vector<NamedFile> files = named_files("TEST", options.data);
    files.push_back({"MODEL", options.model});
    files.push_back({"--token-file", options.token_file});
    check_destinations({{"--report", options.report}}, files);
    playback::Url url = playback::Url::parse(options.url);
    allow_connections(options.connections);
    const server::Access access(options.token_file);
    const gru4rec::ItemMap items = with_model(options.model, [](const auto& model) { return model.items(); });
    playback::ReplayedSet set{.file = name_of(options.data),
                              .model = gru4rec::inspect_model(options.model).content_hash};
    const PlayOrder order = [&] {
        const gru4rec::Events events = read_test_events(options.data, options.table, items);
        set.n_unknown = events.n_unknown;
        return PlayOrder(events);
    }();
    set.n_sessions = order.n_sessions();
    set.n_steps = order.n_steps();

    // One item more than n is asked for: it shows whether items that score the same go on behind the list.
    const playback::RequestWriter requests(std::move(url), access.token(), options.n + 1);
    const playback::FoundServer server = playback::greet(requests, std::chrono::seconds(options.request.value));
    tell_differences(server, set.model);
    const Interruption interruption;
    const Results results = playback::Player({options, order, items, requests, interruption}, server.endpoint).play();
    print_results(results, set, options);
    if (!options.report.empty()) {
        write_results(results, set, options);
    }
    return status_of(results, order, interruption.requested());
}

}  // namespace cli
