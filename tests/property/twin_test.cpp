#include "support/library_step_impl.hpp"
#include "support/sweep.hpp"
#include "support/twin_check.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

template class library_step::LibraryStep<double>;

TEST_CASE("in double, training of random configurations is that of the naive twin for 20 steps and more") {
    for (std::uint64_t seed = 1; seed <= 150; ++seed) {
        if (!sweep::visits(seed)) {
            continue;
        }
        const auto c = twin_runs::random_case(seed, {"sgd", "adagrad", "rmsprop", "adadelta", "adam"});
        twin_runs::check<double>(c, seed, 20, 1e-9);
    }
}

TEST_CASE("work that is cut into many chunks comes out as the naive twin's") {
    std::uint64_t seed = 700;
    for (const library_step::Entries& settings :
         {library_step::Entries{{"loss", "cross-entropy"}, {"logq", "1"}, {"layers", "150"}, {"momentum", "0.2"}},
          library_step::Entries{{"loss", "bpr-max"},
                                {"constrained_embedding", "false"},
                                {"layers", "96/130"},
                                {"gru_variant", "reset_after"},
                                {"dropout_p_hidden", "0.2"}},
          library_step::Entries{{"loss", "top1-max"},
                                {"constrained_embedding", "false"},
                                {"embedding", "200"},
                                {"layers", "65"},
                                {"adapt", "rmsprop"}}}) {
        if (!sweep::visits(++seed - 701)) {
            continue;  // threads_test.cpp does as much work with sanitizers
        }
        naive::Engine engine(seed);
        twin_runs::Case c{settings, 900, std::vector<naive::Session>(45)};
        c.settings.insert(c.settings.end(), {{"batch_size", "41"}, {"n_sample", "700"}});
        for (naive::Session& session : c.sessions) {
            session = {naive::uniform_index(engine, 900), naive::uniform_index(engine, 30), 5};
        }
        twin_runs::check<double>(c, seed, 4, 1e-9);
    }
}

TEST_CASE("short steps of many lanes come out as the naive twin's, also where lanes close up") {
    std::uint64_t seed = 800;
    for (const library_step::Entries& settings :
         {library_step::Entries{{"loss", "bpr-max"}, {"constrained_embedding", "false"}, {"layers", "9"}},
          library_step::Entries{{"loss", "cross-entropy"}, {"layers", "7/5"}, {"deep_input", "true"}, {"bptt", "3"}},
          library_step::Entries{{"loss", "top1"},
                                {"constrained_embedding", "false"},
                                {"embedding", "6"},
                                {"layers", "8/17"},
                                {"gru_variant", "reset_after"},
                                {"input", "history"},
                                {"dropout_p_embed", "0.3"},
                                {"dropout_p_hidden", "0.2"}}}) {
        naive::Engine engine(++seed);
        twin_runs::Case c{settings, 60, std::vector<naive::Session>(90)};
        c.settings.insert(c.settings.end(), {{"batch_size", "70"}, {"n_sample", "0"}});
        for (naive::Session& session : c.sessions) {
            session.resize(2 + naive::uniform_index(engine, 6));
            for (std::size_t& item : session) {
                item = naive::uniform_index(engine, 60);
            }
        }
        twin_runs::check<double>(c, seed, 6, 1e-9);
    }
}
