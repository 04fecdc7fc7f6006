#include "gru4rec/train/trainer.hpp"

#include "support/library_step_impl.hpp"
#include "support/naive/matrix.hpp"
#include "support/sweep.hpp"

#include <doctest/doctest.h>
#include <tbb/global_control.h>

#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <vector>

// Also what property/twin_float_test.cpp uses.
template class library_step::LibraryStep<float>;

namespace {

using gru4rec::Dataset;
using gru4rec::Index;
using gru4rec::ItemIndex;
using library_step::Entries;

/// Sessions of 2 to 6 events over `n_items` items, few of them frequent.
Dataset random_sessions(std::size_t n_sessions, std::size_t n_items, std::uint64_t seed) {
    naive::Engine engine(seed);
    std::vector<std::int64_t> sessions, items, times;
    for (std::size_t s = 0; s < n_sessions; ++s) {
        const std::size_t length = 2 + naive::uniform_index(engine, 5);
        for (std::size_t e = 0; e < length; ++e) {
            sessions.push_back(static_cast<std::int64_t>(s));
            const double u = naive::uniform(engine);
            items.push_back(static_cast<std::int64_t>(u * u * static_cast<double>(n_items)));
            times.push_back(static_cast<std::int64_t>(times.size()));
        }
    }
    return gru4rec::make_dataset(sessions, items, times);
}

struct Trained {
    std::vector<float> weights;
    std::vector<double> losses;

    friend bool operator==(const Trained&, const Trained&) = default;
};

Trained train(const Dataset& data, const Entries& settings, int threads, std::uint64_t seed = 42) {
    gru4rec::Model<float> model(library_step::detail::parameters(settings), data.items(),
                                std::vector<std::int64_t>(data.supports().begin(), data.supports().end()), seed);
    gru4rec::Trainer<float> trainer(model, {.seed = seed, .max_threads = threads});
    Trained result;
    trainer.fit(data, [&](const gru4rec::StepReport& step) {
        result.losses.push_back(step.loss);
        return true;
    });
    for (const auto& view : model.tensors()) {
        for (Index r = 0; r < view.rows; ++r) {
            for (Index c = 0; c < view.cols; ++c) {
                result.weights.push_back(view(r, c));
            }
        }
    }
    return result;
}

void check_threads(const Dataset& data, const Entries& settings) {
    std::string text;
    for (const auto& [name, value] : settings) {
        text += name + "=" + value + " ";
    }
    CAPTURE(text);
    const Trained alone = train(data, settings, 1);
    CHECK(alone == train(data, settings, 4));
    if (sweep::is_thin) {
        return;
    }
    CHECK(alone == train(data, settings, 1));
    CHECK(alone == train(data, settings, 2));
    CHECK(alone == train(data, settings, 0));
    CHECK(alone.weights != train(data, settings, 1, 43).weights);
}

Entries joined(Entries first, const Entries& second) {
    first.insert(first.end(), second.begin(), second.end());
    return first;
}

/// A source that notes which sessions it gave.
class Noted {
  public:
    Noted(const Dataset& data, gru4rec::SessionOrder order, std::uint64_t seed) : sessions_(data, order, seed) {}
    void start_epoch(std::uint64_t epoch) {
        sessions_.start_epoch(epoch);
        given.emplace_back();
    }
    [[nodiscard]] std::span<const ItemIndex> next_session() {
        const auto session = sessions_.next_session();
        if (!session.empty()) {
            given.back().push_back(session.data());
        }
        return session;
    }
    [[nodiscard]] Index n_items() const { return sessions_.n_items(); }
    [[nodiscard]] Index n_pairs() const { return sessions_.n_pairs(); }

    std::vector<std::vector<const ItemIndex*>> given;

  private:
    gru4rec::OrderedSessions sessions_;
};

}  // namespace

TEST_CASE("training gives the same bits with 1, 2, 4 threads and the caller's own, and again in a second run") {
    const tbb::global_control four_workers(tbb::global_control::max_allowed_parallelism, 4);
    const Dataset large = random_sessions(120, 700, 1);
    const Dataset small = random_sessions(40, 30, 2);
    const Entries dropped = {{"dropout_p_hidden", "0.4"}, {"momentum", "0.2"}, {"n_epochs", "2"}};
    for (const Entries& loss : {Entries{{"loss", "cross-entropy"}, {"logq", "1"}}, Entries{{"loss", "bpr-max"}}}) {
        const Entries both = joined(loss, dropped);
        check_threads(large, joined(both, {{"layers", "100"}, {"batch_size", "50"}, {"n_sample", "600"}}));
        check_threads(large, joined(both, {{"layers", "60"}, {"n_sample", "600"}, {"grad_cap", "0.1"}}));
        check_threads(large, joined(both, {{"layers", "70/90"},
                                           {"batch_size", "33"},
                                           {"n_sample", "500"},
                                           {"constrained_embedding", "false"},
                                           {"gru_variant", "reset_after"}}));
        check_threads(large, joined(both, {{"layers", "70/90"},
                                           {"batch_size", "33"},
                                           {"n_sample", "500"},
                                           {"input", "history"},
                                           {"deep_input", "true"}}));
        check_threads(large, joined(both, {{"layers", "70/90"},
                                           {"batch_size", "33"},
                                           {"n_sample", "50"},
                                           {"constrained_embedding", "false"},
                                           {"input", "history"},
                                           {"deep_input", "true"}}));
        check_threads(small, joined(both, {{"layers", "5"},
                                           {"batch_size", "3"},
                                           {"n_sample", "4"},
                                           {"constrained_embedding", "false"},
                                           {"embedding", "7"},
                                           {"dropout_p_embed", "0.3"},
                                           {"adapt", "adam"},
                                           {"grad_cap", "0.5"},
                                           {"session_order", "random"}}));
        check_threads(large, joined(both, {{"layers", "70/90"},
                                           {"batch_size", "33"},
                                           {"n_sample", "500"},
                                           {"bptt", "3"},
                                           {"grad_cap", "0.1"},
                                           {"deep_input", "true"}}));
        check_threads(large, joined(both, {{"layers", "90"},
                                           {"n_sample", "500"},
                                           {"bptt", "4"},
                                           {"constrained_embedding", "false"},
                                           {"input", "history"},
                                           {"gru_variant", "reset_after"}}));
        check_threads(
            large,
            joined(both,
                   {{"layers", "20"}, {"batch_size", "100"}, {"n_sample", "0"}, {"constrained_embedding", "false"}}));
        check_threads(large, joined(both, {{"layers", "20/10"},
                                           {"batch_size", "70"},
                                           {"n_sample", "30"},
                                           {"input", "history"},
                                           {"deep_input", "true"},
                                           {"bptt", "2"}}));
    }
}

TEST_CASE("random session order is another one in each epoch and for each seed, and comes out again") {
    const Dataset data = random_sessions(30, 20, 3);
    const auto orders = [&](std::uint64_t seed) {
        Entries settings = {{"layers", "3"}, {"batch_size", "4"}, {"n_sample", "3"}, {"n_epochs", "3"}};
        gru4rec::Model<float> model(library_step::detail::parameters(settings), data.items(),
                                    std::vector<std::int64_t>(data.supports().begin(), data.supports().end()));
        Noted source(data, gru4rec::SessionOrder::random, seed);
        gru4rec::Trainer<float>(model).fit(source, gru4rec::Silent{});
        return source.given;
    };
    const auto first = orders(7);
    REQUIRE(first.size() == 3);
    std::set<std::vector<const ItemIndex*>> different(first.begin(), first.end());
    CHECK(different.size() == 3);
    for (std::size_t epoch = 0; epoch < first.size(); ++epoch) {
        CHECK(std::set(first[epoch].begin(), first[epoch].end()).size() == 30);
    }
    CHECK(orders(7) == first);
    CHECK(orders(8)[0] != first[0]);
}
