// click_and_top MODEL SESSIONS: microseconds of processor time of an event of a live session, and of its list of 20, as
// JSON. For python/bench/overhead.py, which does the same through the Python package.
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/data/files.hpp"
#include "gru4rec/io/model_file.hpp"
#include "gru4rec/serve/recommender.hpp"

#include <cstdio>
#include <ctime>
#include <exception>
#include <stdexcept>
#include <string>

namespace {

constexpr gru4rec::Index n_listed = 20;

enum class Lists { no, yes };

/// Plays all sessions. @returns microseconds per event
[[nodiscard]] double play(gru4rec::Recommender<float>& recommender, const gru4rec::Model<float>& model,
                          const gru4rec::Dataset& sessions, Lists lists) {
    gru4rec::SessionState<float> state(model);
    std::size_t n_found = 0;
    const std::clock_t start = std::clock();
    for (gru4rec::Index s = 0; s < sessions.n_sessions(); ++s) {
        state.reset();
        for (const gru4rec::ItemIndex item : sessions.session(gru4rec::to_session(s))) {
            recommender.advance(state, item);
            if (lists == Lists::yes) {
                n_found += recommender.recommend(state, n_listed).size();
            }
        }
    }
    const double taken = static_cast<double>(std::clock() - start) * 1e6 / static_cast<double>(CLOCKS_PER_SEC);
    const auto n_events = static_cast<std::size_t>(sessions.n_events());
    if (n_found != (lists == Lists::yes ? n_events * n_listed : 0)) {
        throw std::runtime_error("a list is not of " + std::to_string(n_listed) + " items");
    }
    return taken / static_cast<double>(n_events);
}

void run(const char* model_file, const char* sessions_file) {
    const auto model = gru4rec::load_model<float>(model_file);
    const gru4rec::Dataset sessions = gru4rec::read_sessions(sessions_file, {.known_items = &model.items()});
    gru4rec::with_threads(1, [&] {
        gru4rec::Recommender<float> recommender(model);
        static_cast<void>(play(recommender, model, sessions, Lists::yes));  // warms up
        const double click = play(recommender, model, sessions, Lists::no);
        const double both = play(recommender, model, sessions, Lists::yes);
        std::printf("{\"click\": %.3f, \"top\": %.3f}\n", click, both - click);
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
