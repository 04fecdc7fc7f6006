// serve_library MODEL TEST GROUP RATE: what the library alone takes for what a request to the server asks of it, an
// event and then a list, in microseconds of CPU time of one thread, as JSON. Sessions are ranked GROUP at a time, RATE
// sessions per second, 0: one group after the other. bench/serve.py prints it beside the server's.
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/data/files.hpp"
#include "gru4rec/io/model_file.hpp"
#include "gru4rec/serve/quantized_table.hpp"
#include "gru4rec/serve/recommender.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <ctime>
#include <exception>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr gru4rec::Index n_listed = 21;  // as gru4rec replay asks for
constexpr std::chrono::seconds duration{2};

[[nodiscard]] double cpu_microseconds() {
    return static_cast<double>(std::clock()) * 1e6 / static_cast<double>(CLOCKS_PER_SEC);
}

using State = gru4rec::SessionState<float>;

struct Load {
    std::size_t group = 1;
    double rate = 0;
};

/// What is measured has to be right: both give the same first list.
void check(gru4rec::Recommender<float>& exact, gru4rec::Recommender<float>& quantized,
           const gru4rec::Model<float>& model, const gru4rec::Dataset& test) {
    gru4rec::Index first = 0;
    while (test.session(gru4rec::to_session(first)).empty()) {  // some session has events
        ++first;
    }
    State state(model);
    exact.advance(state, test.session(gru4rec::to_session(first)).front());
    const auto wanted = exact.recommend(state, n_listed);
    const auto found = quantized.recommend(state, n_listed);
    if (!std::equal(wanted.begin(), wanted.end(), found.begin(), found.end())) {
        throw std::runtime_error("the quantised table gives another list");
    }
}

/// Microseconds per event.
[[nodiscard]] double measure(gru4rec::Recommender<float>& recommender, const gru4rec::Model<float>& model,
                             const gru4rec::Dataset& test, const Load& load) {
    using Clock = std::chrono::steady_clock;
    const auto pause = std::chrono::duration_cast<Clock::duration>(
        std::chrono::duration<double>(load.rate > 0 ? static_cast<double>(load.group) / load.rate : 0));
    std::vector<State> states(load.group, State(model));
    std::vector<gru4rec::RecommendRequest<float>> requests;
    std::size_t n_events = 0;
    std::size_t next = 0;
    const double start = cpu_microseconds();
    const auto end = Clock::now() + duration;
    auto due = Clock::now();
    while (due < end) {
        std::this_thread::sleep_until(due);
        requests.clear();
        for (State& state : states) {
            const auto session = test.session(gru4rec::to_session(static_cast<gru4rec::Index>(next)));
            next = (next + 1) % static_cast<std::size_t>(test.n_sessions());
            state.reset();
            if (!session.empty()) {
                recommender.advance(state, session.front());
                ++n_events;
            }
            requests.push_back({&state, {.n = n_listed}});
        }
        static_cast<void>(recommender.recommend_many(std::span<const gru4rec::RecommendRequest<float>>(requests)));
        due = (std::max)(due + pause, Clock::now());
    }
    return (cpu_microseconds() - start) / static_cast<double>(n_events);
}

[[nodiscard]] std::size_t group_of(const char* text) {
    const std::size_t group = std::stoul(text);
    if (group == 0) {
        throw std::runtime_error("GROUP = 0, expected 1 or more");
    }
    return group;
}

void run(const char* model_file, const char* test_file, const Load& load) {
    const auto model = gru4rec::load_model<float>(model_file);
    const gru4rec::Dataset test = gru4rec::read_sessions(test_file, {.known_items = &model.items()});
    if (test.n_events() == 0) {
        throw std::runtime_error(std::string(test_file) + " has no events of items that the model knows");
    }
    const gru4rec::QuantizedTable<float> table(model);
    gru4rec::with_threads(1, [&] {
        gru4rec::Recommender<float> exact(model);
        gru4rec::Recommender<float> quantized(table);
        check(exact, quantized, model, test);
        std::printf("{\"items\": %td, \"exact\": %.1f, \"quantised\": %.1f}\n", model.n_items(),
                    measure(exact, model, test, load), measure(quantized, model, test, load));
    });
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 5) {
        std::fprintf(stderr, "usage: serve_library MODEL TEST GROUP RATE\n");
        return 2;
    }
    try {
        run(argv[1], argv[2], {group_of(argv[3]), std::stod(argv[4])});
    } catch (const std::exception& error) {
        std::fprintf(stderr, "serve_library: %s\n", error.what());
        return 1;
    }
    return 0;
}
