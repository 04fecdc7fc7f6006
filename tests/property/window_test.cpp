// Backpropagation through time (bptt > 1): whole trainings beside the naive twin's.

#include "support/sweep.hpp"
#include "support/twin_check.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

// Compiled in twin_test.cpp.
extern template class library_step::LibraryStep<double>;

namespace {

using library_step::Entries;

/// Short sessions on six lanes, so that lanes start sessions in the middle of windows; in the end lanes are dropped and
/// those behind them move up while their sessions go on.
twin_runs::Case short_sessions(Entries settings, std::uint64_t seed) {
    naive::Engine engine(seed);
    twin_runs::Case c{std::move(settings), 19, std::vector<naive::Session>(13)};
    c.settings.insert(c.settings.end(), {{"batch_size", "6"}, {"n_sample", "5"}, {"sigma", "0.5"}});
    for (std::size_t s = 0; s < c.sessions.size(); ++s) {
        c.sessions[s].resize(2 + naive::uniform_index(engine, 4) + (s + 3 > c.sessions.size() ? 5U : 0U));
        for (std::size_t& item : c.sessions[s]) {
            item = naive::uniform_index(engine, twin_runs::chance(engine, 0.5) ? 3 : 18);
        }
    }
    return c;
}

}  // namespace

TEST_CASE("windows of several steps train as the naive twin's: all cells, inputs and numbers of layers") {
    const std::vector<Entries> variants = {
        {},
        {{"dropout_p_hidden", "0.3"}, {"momentum", "0.3"}, {"lmbd", "0.02"}},
        {{"loss", "bpr-max"}, {"adapt", "adam"}, {"learning_rate", "0.01"}, {"mask_duplicates", "true"}},
        {{"input", "history"}, {"history_max", "3"}, {"logq", "1"}, {"grad_cap", "0.05"}},
        {{"loss", "top1"}, {"adapt", "sgd"}, {"dropout_p_hidden", "0.2"}, {"input", "history"}}};
    std::uint64_t seed = 2000;
    for (const std::string cell : {"reset_before", "reset_after"}) {
        for (int input = 0; input < 3; ++input) {
            for (const std::string layers : {"7", "9/4", "3/11/6"}) {
                for (const std::string bptt : {"2", "3", "7"}) {
                    for (std::size_t v = 0; v < variants.size(); ++v) {
                        Entries settings = variants[v];
                        settings.insert(settings.end(), {{"gru_variant", cell},
                                                         {"layers", layers},
                                                         {"bptt", bptt},
                                                         {"constrained_embedding", input == 2 ? "true" : "false"}});
                        if (input == 1) {
                            settings.emplace_back("embedding", "5");
                        }
                        if (input > 0 && v % 2 == 1) {
                            settings.emplace_back("dropout_p_embed", "0.25");
                        }
                        if (layers != "7" && v > 0) {
                            settings.emplace_back("deep_input", "true");
                        }
                        if (!sweep::visits(++seed)) {
                            continue;
                        }
                        twin_runs::check<double>(short_sessions(settings, seed), seed, 20, 1e-9);
                    }
                }
            }
        }
    }
}

TEST_CASE("windows of random configurations train as the naive twin's") {
    for (std::uint64_t seed = 1; seed <= 150; ++seed) {
        if (!sweep::visits(seed)) {
            continue;
        }
        auto c = twin_runs::random_case(seed, {"sgd", "adagrad", "rmsprop", "adadelta", "adam"});
        c.settings.emplace_back("bptt", std::to_string(2 + seed % 5));
        twin_runs::check<double>(c, seed, 20, 1e-9);
    }
}

TEST_CASE("a window as long as an epoch, and longer, is updated once") {
    for (const std::string bptt : {"40", "1000"}) {
        twin_runs::check<double>(short_sessions({{"layers", "6"}, {"bptt", bptt}}, 5), 5, 20, 1e-9);
    }
}

TEST_CASE("windows of work that is cut into many chunks come out as the naive twin's") {
    twin_runs::Case c{{{"layers", "96/130"}, {"bptt", "3"}, {"batch_size", "41"}, {"n_sample", "700"}},
                      900,
                      std::vector<naive::Session>(45)};
    naive::Engine engine(8);
    for (naive::Session& session : c.sessions) {
        session = {naive::uniform_index(engine, 900), naive::uniform_index(engine, 30), 5, 7};
    }
    twin_runs::check<double>(c, 8, 4, 1e-9);
}
