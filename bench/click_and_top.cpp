// click_and_top MODEL SESSIONS: prints as JSON how many microseconds of processor time an event of a live session and
// its list take. For python/bench/overhead.py, which measures the same through the Python package.
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/data/files.hpp"
#include "gru4rec/io/model_file.hpp"
#include "gru4rec/serve/recommender.hpp"

#include <cstddef>
#include <cstdio>
#include <ctime>
#include <exception>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using Sessions = std::vector<std::vector<std::string>>;

/// Whether items are named by their ids, as in Python, or by their indices.
enum class Names { indices, ids };

/// The item ids of all sessions.
[[nodiscard]] Sessions ids_of(const gru4rec::Dataset& data, const gru4rec::ItemMap& items) {
    Sessions sessions;
    for (gru4rec::Index s = 0; s < data.n_sessions(); ++s) {
        sessions.emplace_back();
        for (const gru4rec::ItemIndex item : data.session(gru4rec::to_session(s))) {
            sessions.back().emplace_back(items.id(item));
        }
    }
    return sessions;
}

/// Plays the sessions of visitors, each with a state of its own.
class Visitors {
  public:
    Visitors(const gru4rec::Model<float>& model, const gru4rec::Dataset& data)
        : model_(&model), data_(&data), ids_(ids_of(data, model.items())), recommender_(model) {}

    /// @param n_listed  length of the list after every event; 0: no list
    /// @returns microseconds per event
    [[nodiscard]] double play(gru4rec::Index n_listed, Names names) {
        n_found_ = 0;
        const std::clock_t start = std::clock();
        for (gru4rec::Index s = 0; s < data_->n_sessions(); ++s) {
            play_one(s, n_listed, names);
        }
        const double taken = static_cast<double>(std::clock() - start) * 1e6 / static_cast<double>(CLOCKS_PER_SEC);
        if (n_found_ != data_->n_events() * n_listed) {
            throw std::runtime_error("a list does not have " + std::to_string(n_listed) + " items");
        }
        return taken / static_cast<double>(data_->n_events());
    }

  private:
    void play_one(gru4rec::Index s, gru4rec::Index n_listed, Names names) {
        gru4rec::SessionState<float> state(*model_);
        const auto items = data_->session(gru4rec::to_session(s));
        for (std::size_t i = 0; i < items.size(); ++i) {
            const gru4rec::ItemIndex item =
                names == Names::ids ? *model_->items().find(ids_[static_cast<std::size_t>(s)][i]) : items[i];
            recommender_.advance(state, item);
            if (n_listed > 0) {
                list(state, n_listed, names);
            }
        }
    }

    void list(const gru4rec::SessionState<float>& state, gru4rec::Index n_listed, Names names) {
        const auto best = recommender_.recommend(state, n_listed);
        n_found_ += static_cast<gru4rec::Index>(best.size());
        if (names == Names::ids) {
            named_.clear();
            for (const gru4rec::Recommendation<float>& each : best) {
                named_.emplace_back(model_->items().id(each.item), each.score);
            }
        }
    }

    const gru4rec::Model<float>* model_;
    const gru4rec::Dataset* data_;
    Sessions ids_;
    gru4rec::Recommender<float> recommender_;
    gru4rec::Index n_found_ = 0;
    std::vector<std::pair<std::string, float>> named_;  // the last list
};

void run(const char* model_file, const char* sessions_file) {
    const auto model = gru4rec::load_model<float>(model_file);
    const gru4rec::Dataset sessions = gru4rec::read_sessions(sessions_file, {.known_items = &model.items()});
    gru4rec::with_threads(1, [&] {
        Visitors visitors(model, sessions);
        static_cast<void>(visitors.play(20, Names::ids));  // warms up
        const double click = visitors.play(0, Names::indices);
        const double top_20 = visitors.play(20, Names::indices) - click;
        const double click_by_id = visitors.play(0, Names::ids);
        const double top_1_with_ids = visitors.play(1, Names::ids) - click_by_id;
        const double top_20_with_ids = visitors.play(20, Names::ids) - click_by_id;
        std::printf(
            "{\"click\": %.3f, \"top_20\": %.3f, \"click_by_id\": %.3f, \"top_1_with_ids\": %.3f, "
            "\"top_20_with_ids\": %.3f}\n",
            click, top_20, click_by_id, top_1_with_ids, top_20_with_ids);
    });
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fprintf(stderr, "usage: click_and_top MODEL SESSIONS\n");
        return 2;
    }
    try {
        run(argv[1], argv[2]);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "click_and_top: %s\n", error.what());
        return 1;
    }
    return 0;
}
