#include "gru4rec/core/error.hpp"
#include "gru4rec/core/file.hpp"
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/data/dataset.hpp"
#include "gru4rec/serve/recommender.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "arguments.hpp"
#include "commands.hpp"
#include "engine.hpp"
#include "inputs.hpp"
#include "messages.hpp"
#include "support/formatted.hpp"

namespace cli {

namespace {

/// Standard output, or a file that appears when it is complete.
class Output {
  public:
    explicit Output(const std::string& path) {
        if (!path.empty() && path != "-") {
            file_.emplace(path);
        }
    }

    void write(std::string_view text) {
        if (file_) {
            file_->write(text);
        } else {
            std::fwrite(text.data(), 1, text.size(), stdout);
        }
    }

    void commit() {
        if (file_) {
            file_->commit();
        }
    }

  private:
    std::optional<gru4rec::detail::AtomicFile> file_;
};

/// Appends one line per recommendation to `text`: `prefix`, rank, item, score.
template <class Scalar>
void append_recommendations(const gru4rec::ItemMap& items, std::span<const gru4rec::Recommendation<Scalar>> list,
                            std::string_view prefix, std::string& text) {
    int rank = 0;
    for (const auto& [item, score] : list) {
        text.append(prefix).append(std::to_string(++rank)).append("\t").append(items.id(item));
        text.append("\t").append(formatted("%.6f", static_cast<double>(score))).append("\n");
    }
}

/// Whether an id that is not an item consists of items, separated by blanks.
[[nodiscard]] bool is_list_with_blanks(std::string_view id, const gru4rec::ItemMap& items) {
    const std::vector<std::string_view> parts = gru4rec::detail::split(id, ' ');
    return parts.size() > 1 && std::all_of(parts.begin(), parts.end(), [&](std::string_view part) {
               return part.empty() || items.find(part).has_value();
           });
}

template <class Scalar>
void recommend_session(const gru4rec::Model<Scalar>& model, const RecommendOptions& options) {
    std::vector<gru4rec::ItemIndex> session;
    std::string unknown;
    if (!options.session.empty()) {
        for (const std::string_view id : gru4rec::detail::split(options.session, ',')) {
            if (id.empty()) {
                throw gru4rec::ConfigError("--session: '" + options.session +
                                           "' contains an empty item id, expected ID,ID,... without spaces");
            }
            if (const auto item = model.items().find(id)) {
                session.push_back(*item);
            } else if (is_list_with_blanks(id, model.items())) {
                throw gru4rec::ConfigError("--session: the model has no item '" + std::string(id) +
                                           "'; ids are separated by commas, without spaces: ID,ID,...");
            } else {
                unknown.append(unknown.empty() ? "" : ", ").append(id);
            }
        }
    }
    if (!unknown.empty()) {
        tell("unknown items skipped: " + unknown);
    }
    if (session.empty()) {
        tell("the session has no known item: these are the most popular items");
    }
    gru4rec::Recommender<Scalar> recommender(model);
    gru4rec::SessionState<Scalar> state(model);
    for (const gru4rec::ItemIndex item : session) {
        recommender.advance(state, item);
    }
    std::string text = "Rank\tItemId\tScore\n";
    append_recommendations<Scalar>(model.items(), recommender.recommend(state, options.top), "", text);
    Output(options.out).write(text);
}

[[nodiscard]] gru4rec::Dataset read_open_sessions(const RecommendOptions& options, const gru4rec::ItemMap& items) {
    gru4rec::Dataset data = read_sessions_with_ids(options.sessions, options.table, items);
    for (gru4rec::Index s = 0; s < data.n_sessions(); ++s) {
        if (data.session_id(gru4rec::to_session(s)).find_first_of("\t\r\n") != std::string_view::npos) {
            throw gru4rec::FormatError(name_of(options.sessions) + ": the id of session number " +
                                       std::to_string(s + 1) +
                                       " contains a TAB or a line break, which TAB-separated output cannot represent");
        }
    }
    return data;
}

void tell_unknown(const gru4rec::Dataset& sessions) {
    gru4rec::Index n_popular = 0;
    for (gru4rec::Index s = 0; s < sessions.n_sessions(); ++s) {
        n_popular += sessions.session(gru4rec::to_session(s)).empty() ? 1 : 0;
    }
    if (sessions.n_unknown_events() > 0) {
        tell(std::to_string(sessions.n_unknown_events()) + " events of unknown items skipped");
    }
    if (n_popular > 0) {
        tell(std::to_string(n_popular) + " of " + std::to_string(sessions.n_sessions()) +
             " sessions have no known item: they get the most popular items");
    }
}

/// Feeds sessions first .. first + states.size() - 1: the first events of all of them, then the second ones, ...
template <class Scalar>
void feed(gru4rec::Recommender<Scalar>& recommender, const gru4rec::Dataset& sessions, gru4rec::Index first,
          std::span<gru4rec::SessionState<Scalar>> states) {
    std::vector<gru4rec::SessionState<Scalar>*> live;
    std::vector<gru4rec::ItemIndex> events;
    for (std::size_t event = 0; event == 0 || !live.empty(); ++event) {
        live.clear();
        events.clear();
        for (std::size_t s = 0; s < states.size(); ++s) {
            const auto session = sessions.session(gru4rec::to_session(first + static_cast<gru4rec::Index>(s)));
            if (event < session.size()) {
                live.push_back(&states[s]);
                events.push_back(session[event]);
            }
        }
        recommender.advance_many(live, events);
    }
}

/// Serves blocks of sessions, each as one batch. The lines of a block are formatted in parallel and written in order.
template <class Scalar>
void recommend_sessions(const gru4rec::Model<Scalar>& model, const RecommendOptions& options) {
    const gru4rec::Dataset sessions = read_open_sessions(options, model.items());
    Output output(options.out);
    output.write("SessionId\tRank\tItemId\tScore\n");
    const gru4rec::detail::Chunks blocks{sessions.n_sessions(), 1024};
    gru4rec::Recommender<Scalar> recommender(model);
    gru4rec::with_threads(options.threads, [&] {
        for (gru4rec::Index block = 0; block < blocks.count(); ++block) {
            const gru4rec::Index first = blocks.begin(block);
            const auto n = static_cast<std::size_t>(blocks.end(block) - first);
            std::vector<gru4rec::SessionState<Scalar>> states(n, gru4rec::SessionState<Scalar>(model));
            feed<Scalar>(recommender, sessions, first, states);
            const auto lists = recommender.recommend_many(states, options.top);
            std::vector<std::string> texts(n);
            gru4rec::detail::parallel_ranges({static_cast<gru4rec::Index>(n), 64}, [&](gru4rec::Index begin,
                                                                                       gru4rec::Index end) {
                for (gru4rec::Index s = begin; s < end; ++s) {
                    const auto i = static_cast<std::size_t>(s);
                    const std::string prefix = std::string(sessions.session_id(gru4rec::to_session(first + s))) + "\t";
                    append_recommendations<Scalar>(model.items(), lists[i], prefix, texts[i]);
                }
            });
            for (const std::string& text : texts) {
                output.write(text);
            }
        }
    });
    output.commit();
    tell_unknown(sessions);
}

}  // namespace

ExitStatus recommend(const RecommendOptions& options) {
    const std::string out = options.out == "-" ? "" : options.out;
    std::vector<NamedFile> files = named_files("--sessions", options.sessions);
    files.push_back({"MODEL", options.model});
    check_destinations({{"--out", out}}, files);
    with_model(options.model, [&](const auto& model) {
        if (options.sessions.empty()) {
            recommend_session(model, options);
        } else {
            recommend_sessions(model, options);
        }
    });
    return ExitStatus::ok;
}

}  // namespace cli
