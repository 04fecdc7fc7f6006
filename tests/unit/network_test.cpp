#include "gru4rec/model/network.hpp"
#include "gru4rec/model/passes.hpp"

#include "gru4rec/batch/session_parallel.hpp"
#include "support/naive/evaluation.hpp"
#include "support/naive/schedule.hpp"
#include "support/sweep.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace {

using gru4rec::Hyperparameters;
using gru4rec::Index;
using gru4rec::ItemIndex;
using gru4rec::TensorView;
using gru4rec::detail::DropoutStep;
using gru4rec::detail::Network;
using gru4rec::detail::NetworkTape;
using gru4rec::detail::PaddedMatrix;

constexpr std::size_t catalogue = 11;

Hyperparameters parameters(const std::vector<std::pair<std::string, std::string>>& settings) {
    Hyperparameters result;
    for (const auto& [name, value] : settings) {
        result.set(name, value);
    }
    return result;
}

struct Inputs {
    std::string constrained, embedding;
};
const std::vector<Inputs> all_inputs = {{"false", "0"}, {"false", "5"}, {"true", "0"}};
const std::vector<std::string> cells = {"reset_before", "reset_after"};

template <class Scalar>
Network<Scalar> initialised(const Hyperparameters& p, Index items, std::uint64_t seed = 5) {
    Network<Scalar> network(p, items);
    network.initialise(seed, p.sigma);
    return network;
}

template <class Scalar>
std::map<std::string, TensorView<Scalar>> by_name(const std::vector<TensorView<Scalar>>& views) {
    std::map<std::string, TensorView<Scalar>> result;
    for (const auto& view : views) {
        result.emplace(view.name, view);
    }
    return result;
}

template <class Scalar>
bool is_bias(const TensorView<Scalar>& view) {
    return view.is_vector || view.name == "By.weight";
}

/// The same weights for the twin.
template <class Scalar>
naive::Network twin_of(Network<Scalar>& network, const Hyperparameters& p) {
    naive::Network twin{naive::settings_from_text(p.entries()), static_cast<std::size_t>(network.n_items()), {}};
    twin.weights = twin.zeros();
    for (const auto& view : network.tensors()) {
        naive::Matrix& matrix = twin.weights.at(view.name);
        for (std::size_t i = 0; i < matrix.values.size(); ++i) {
            matrix.values[i] =
                static_cast<double>(view(static_cast<Index>(i) / view.cols, static_cast<Index>(i) % view.cols));
        }
    }
    return twin;
}

/// All weights and biases different from zero.
template <class Scalar>
void fill(Network<Scalar>& network, std::uint64_t seed) {
    naive::Engine engine(seed);
    for (const auto& view : network.tensors()) {
        for (Index r = 0; r < view.rows; ++r) {
            for (Index c = 0; c < view.cols; ++c) {
                view(r, c) = static_cast<Scalar>(1.8 * naive::uniform(engine) - 0.9);
            }
        }
    }
}

class ListedSessions {
  public:
    explicit ListedSessions(std::vector<std::vector<ItemIndex>> sessions) : sessions_(std::move(sessions)) {}
    void start_epoch(std::uint64_t) { next_ = 0; }
    [[nodiscard]] std::span<const ItemIndex> next_session() {
        return next_ < sessions_.size() ? std::span<const ItemIndex>(sessions_[next_++]) : std::span<const ItemIndex>();
    }
    [[nodiscard]] Index n_items() const { return static_cast<Index>(catalogue); }
    [[nodiscard]] Index n_pairs() const { return 0; }

  private:
    std::vector<std::vector<ItemIndex>> sessions_;
    std::size_t next_ = 0;
};

std::vector<std::vector<ItemIndex>> library_sessions(const std::vector<naive::Session>& sessions) {
    std::vector<std::vector<ItemIndex>> result;
    for (const naive::Session& session : sessions) {
        auto& copy = result.emplace_back();
        for (const std::size_t item : session) {
            copy.push_back(gru4rec::to_item(static_cast<Index>(item)));
        }
    }
    return result;
}

std::vector<naive::Session> random_sessions(std::uint64_t seed, std::size_t n) {
    naive::Engine engine(seed);
    std::vector<naive::Session> sessions(n);
    for (naive::Session& session : sessions) {
        session.resize(1 + naive::uniform_index(engine, 7));
        for (std::size_t& item : session) {
            item = naive::uniform_index(engine, catalogue);
        }
    }
    return sessions;
}

template <class Scalar>
std::vector<std::vector<Scalar>> states_of(NetworkTape<Scalar>& tape, Index lane) {
    std::vector<std::vector<Scalar>> result;
    for (auto& layer : tape.layers()) {
        auto& state = result.emplace_back();
        for (Index k = 0; k < layer.units(); ++k) {
            state.push_back(layer.out().column(k)[lane]);
        }
    }
    return result;
}

/// The states after every event of a session that is alone in the network.
template <class Scalar>
std::vector<std::vector<std::vector<Scalar>>> alone(const Network<Scalar>& network,
                                                    const std::vector<ItemIndex>& session,
                                                    const gru4rec::detail::InputHistory& history = {}) {
    NetworkTape<Scalar> tape(network, 1);
    std::vector<std::vector<std::vector<Scalar>>> result;
    for (std::size_t e = 0; e < session.size(); ++e) {
        const std::vector<Index> previous = {e == 0 ? Index{-1} : Index{0}};
        const Index length = history.length(static_cast<Index>(e) + 1);
        const std::vector<Index> ends = {length};
        std::vector<double> weights;
        for (Index age = length; age-- > 0;) {
            weights.push_back(history.weight(age, length));
        }
        const auto events = std::span(session).first(e + 1).last(static_cast<std::size_t>(length));
        tape.enter_step(previous);
        forward(network, gru4rec::detail::LaneInputs(events, weights, ends), DropoutStep{}, tape);
        result.push_back(states_of(tape, 0));
    }
    return result;
}

/// Every state of a batched run equals, to the bit, that of the session on its own.
template <class Scalar>
void check_resets(const Hyperparameters& p, Index batch_size, std::uint64_t seed) {
    Network<Scalar> network(p, static_cast<Index>(catalogue));
    fill(network, seed);
    const auto sessions = random_sessions(seed, 40);
    const auto schedule =
        naive::schedule(sessions, naive::file_order(sessions.size()), static_cast<std::size_t>(batch_size), 1);
    const auto items = library_sessions(sessions);
    ListedSessions source(items);
    gru4rec::SessionParallelBatcher batcher(source, batch_size, 1, p.input_history());
    NetworkTape<Scalar> tape(network, batch_size);
    for (int epoch = 0; epoch < 2; ++epoch) {
        batcher.start_epoch(0);  // the states of the epoch before are still there; fresh lanes must not see them
        for (const naive::Step& step : schedule) {
            const auto batch = batcher.next();
            REQUIRE(batch.n_lanes() == static_cast<Index>(step.lanes()));
            tape.enter_step(batch.previous_lane);
            forward(network, batch.inputs, DropoutStep{}, tape);
            for (std::size_t m = 0; m < step.lanes(); ++m) {
                const auto expected = alone(network, items[step.sessions[m]], p.input_history());
                CHECK(states_of(tape, static_cast<Index>(m)) == expected[step.positions[m]]);
            }
        }
        CHECK(batcher.next().n_lanes() == 0);
    }
}

using gru4rec::detail::InitialValues;

struct Moments {
    double mean = 0;
    double square = 0;   ///< mean of the squares
    double largest = 0;  ///< without sign
};

Moments moments(const std::vector<double>& values) {
    Moments result;
    for (const double w : values) {
        result.mean += w / static_cast<double>(values.size());
        result.square += w * w / static_cast<double>(values.size());
        result.largest = std::max(result.largest, std::abs(w));
    }
    return result;
}

/// Calls `check(values, s)` for every gate block of a tensor. Gates lie side by side, but in the files of reset_after's
/// weights, which are (3H, in), one over the other.
template <class Check>
void check_blocks(const TensorView<double>& view, Index units, const Check& check) {
    const bool gates_below =
        view.name.find("weight_") != std::string::npos && view.name != "GE.weight_ih" && !view.by_item;
    const bool is_gated = view.name != "Wy.weight" && view.name != "E.weight";
    const Index n_blocks = !is_gated ? 1 : (gates_below ? view.rows : view.cols) / units;
    const Index rows = gates_below ? view.rows / n_blocks : view.rows;
    const Index cols = gates_below ? view.cols : view.cols / n_blocks;
    for (Index block = 0; block < n_blocks; ++block) {
        std::vector<double> values;
        for (Index r = 0; r < rows; ++r) {
            for (Index c = 0; c < cols; ++c) {
                values.push_back(gates_below ? view(block * rows + r, c) : view(r, block * cols + c));
            }
        }
        check(values, std::sqrt(6.0 / static_cast<double>(rows + cols)));
    }
}

/// In every input mode and with both cells; biases are checked to be zero.
template <class Check>
void for_each_initialisation(InitialValues initial, const Check& check) {
    for (const std::string& cell : cells) {
        for (const Inputs& input : all_inputs) {
            const auto p = parameters({{"gru_variant", cell},
                                       {"constrained_embedding", input.constrained},
                                       {"embedding", input.embedding == "0" ? "0" : "40"},
                                       {"layers", "60/36"}});
            Network<double> network(p, 500);
            network.initialise(5, 0, initial);
            for (const auto& view : network.tensors()) {
                CAPTURE(view.name);
                CAPTURE(cell);
                CAPTURE(input.embedding);
                for (Index r = 0; is_bias(view) && r < view.rows; ++r) {
                    CHECK(view(r, 0) == 0);
                }
                if (!is_bias(view)) {
                    check_blocks(view, view.name.find("G.1") == std::string::npos ? 60 : 36, check);
                }
            }
        }
    }
}

}  // namespace

TEST_CASE("in a batch every session has, to the bit, the states of a run on its own") {
    std::uint64_t seed = 0;
    for (const std::string& cell : cells) {
        for (const Inputs& input : all_inputs) {
            for (const std::string layers : {"6", "5/3", "3/9/2"}) {
                for (const Index batch_size : {Index{1}, Index{7}, Index{19}}) {
                    if (!sweep::visits(++seed)) {
                        continue;
                    }
                    const auto p = parameters({{"gru_variant", cell},
                                               {"constrained_embedding", input.constrained},
                                               {"embedding", input.embedding},
                                               {"layers", layers},
                                               {"hidden_act", cell == "reset_before" ? "elu-1" : "tanh"}});
                    CAPTURE(cell);
                    CAPTURE(input.embedding);
                    CAPTURE(layers);
                    CAPTURE(batch_size);
                    CAPTURE(seed);
                    check_resets<double>(p, batch_size, seed);
                    check_resets<float>(p, batch_size, seed);
                    auto with_history = p;
                    with_history.input = gru4rec::InputContent::history;
                    with_history.history_max = 4;
                    with_history.deep_input = p.layers.size() > 1;
                    check_resets<float>(with_history, batch_size, seed);
                }
            }
        }
    }
}

TEST_CASE("the states are those of the naive twin, in every input mode, with both cells and several layers") {
    std::uint64_t seed = 50;
    for (int variant = 0; variant < 24; ++variant) {
        const std::string& cell = cells[static_cast<std::size_t>(variant) % 2];
        const bool history = variant / 2 % 2 == 1;
        const bool deep = variant / 4 % 2 == 1;
        const Inputs& input = all_inputs[static_cast<std::size_t>(variant) / 8];
        const auto p = parameters({{"gru_variant", cell},
                                   {"constrained_embedding", input.constrained},
                                   {"embedding", input.embedding},
                                   {"layers", "5/17/3"},
                                   {"input", history ? "history" : "last"},
                                   {"input_decay", "0.6"},
                                   {"history_max", "3"},
                                   {"deep_input", deep ? "1" : "0"}});
        Network<double> network(p, static_cast<Index>(catalogue));
        fill(network, ++seed);
        const naive::Network twin = twin_of(network, p);
        const naive::Session session = {3, 3, 0, 10, 7, 2};
        const auto states = alone(network, library_sessions({session})[0], p.input_history());
        std::vector<naive::Matrix> expected = {naive::Matrix(1, 5), naive::Matrix(1, 17), naive::Matrix(1, 3)};
        for (std::size_t e = 0; e < session.size(); ++e) {
            const naive::Session so_far(session.begin(), session.begin() + static_cast<std::ptrdiff_t>(e) + 1);
            expected =
                naive::forward(twin, expected, naive::encoded(twin, std::vector<naive::Session>{so_far})).states();
            for (std::size_t l = 0; l < 3; ++l) {
                for (std::size_t k = 0; k < expected[l].cols; ++k) {
                    CHECK(std::abs(states[e][l][k] - expected[l](0, k)) < 1e-13);
                }
            }
        }
    }
}

TEST_CASE("lanes that close up take their states along, one over the other") {
    const auto p = parameters({{"layers", "3/2"}});
    Network<double> network(p, static_cast<Index>(catalogue));
    fill(network, 1);
    NetworkTape<double> tape(network, 5);
    const std::vector<ItemIndex> first = library_sessions({{1, 2, 3, 4, 5}})[0];
    const std::vector<Index> fresh(5, -1);
    tape.enter_step(fresh);
    forward(network, std::span<const ItemIndex>(first), DropoutStep{}, tape);
    const auto of_2 = states_of(tape, 2);
    const auto of_4 = states_of(tape, 4);
    const std::vector<Index> previous = {2, -1, 4};
    tape.enter_step(previous);
    for (std::size_t l = 0; l < 2; ++l) {
        auto& layer = tape.layers()[l];
        for (Index k = 0; k < layer.units(); ++k) {
            CHECK(layer.state().column(k)[0] == of_2[l][static_cast<std::size_t>(k)]);
            CHECK(layer.state().column(k)[1] == 0);
            CHECK(layer.state().column(k)[2] == of_4[l][static_cast<std::size_t>(k)]);
        }
    }
}

TEST_CASE("dropout drops the stated share, scales what is left, and is carried on in the state") {
    const auto p = parameters({{"layers", "40/30"}, {"constrained_embedding", "false"}, {"embedding", "50"}});
    Network<double> network(p, static_cast<Index>(catalogue));
    fill(network, 2);
    constexpr Index lanes = 64;
    NetworkTape<double> tape(network, lanes);
    NetworkTape<double> plain(network, lanes);
    std::vector<ItemIndex> inputs(static_cast<std::size_t>(lanes), gru4rec::to_item(3));
    const std::vector<Index> fresh(static_cast<std::size_t>(lanes), -1);
    tape.enter_step(fresh);
    plain.enter_step(fresh);
    forward(network, std::span<const ItemIndex>(inputs), DropoutStep{0, 0.3, 1, 2, 3}, tape);
    forward(network, std::span<const ItemIndex>(inputs), DropoutStep{}, plain);
    int dropped = 0;
    for (Index k = 0; k < 40; ++k) {
        for (Index m = 0; m < lanes; ++m) {
            const double value = tape.layers()[0].out().column(k)[m];
            const double whole = plain.layers()[0].out().column(k)[m];
            dropped += value == 0 ? 1 : 0;
            CHECK((value == 0 || std::abs(value - whole / 0.7) < 1e-12));
        }
    }
    CHECK(std::abs(dropped / (40.0 * lanes) - 0.3) < 0.03);
    std::vector<Index> same;
    for (Index m = 0; m < lanes; ++m) {
        same.push_back(m);
    }
    const auto left = states_of(tape, 7);
    tape.enter_step(same);
    for (Index k = 0; k < 40; ++k) {
        CHECK(tape.layers()[0].state().column(k)[7] == left[0][static_cast<std::size_t>(k)]);
    }
}

TEST_CASE_TEMPLATE("a lane goes forward and back with the same bits however many lanes there are beside it", Scalar,
                   float, double) {
    constexpr Index line = gru4rec::detail::scalars_per_line<Scalar>;
    constexpr Index all = 3 * line - 3;
    for (const Hyperparameters& p :
         {parameters({{"constrained_embedding", "false"}, {"layers", "9/20"}, {"deep_input", "true"}}),
          parameters({{"layers", "17/5"}, {"deep_input", "true"}, {"gru_variant", "reset_after"}}),
          parameters({{"constrained_embedding", "false"}, {"embedding", "30"}, {"layers", "33/7/12"}})}) {
        Network<Scalar> network(p, static_cast<Index>(catalogue));
        fill(network, 2);
        std::vector<ItemIndex> items;
        std::vector<double> weights;
        std::vector<Index> ends, previous_lane;
        for (Index m = 0; m < all; ++m) {
            for (Index i = 0; i <= m % 3; ++i) {
                items.push_back(gru4rec::to_item((m + 5 * i) % static_cast<Index>(catalogue)));
                weights.push_back(1.0 / static_cast<double>(1 + i));
            }
            ends.push_back(static_cast<Index>(items.size()));
            previous_lane.push_back(m % 4 == 0 ? -1 : m % 4 == 1 ? m : m - 1);
        }
        const DropoutStep dropout{network.input_mode() == gru4rec::detail::InputMode::one_hot ? 0.0 : 0.4, 0.3, 1, 2,
                                  3};
        /// The second of two steps of the first lanes, forward and back.
        const auto run = [&](Index n_lanes) {
            const auto n = static_cast<std::size_t>(n_lanes);
            const auto n_items = static_cast<std::size_t>(ends[n - 1]);
            const gru4rec::detail::LaneInputs inputs{std::span<const ItemIndex>(items).first(n_items),
                                                     std::span<const double>(weights).first(n_items),
                                                     std::span<const Index>(ends).first(n)};
            NetworkTape<Scalar> last(network, n_lanes);
            last.enter_step(std::vector<Index>(n, -1));
            forward(network, inputs, DropoutStep{}, last);
            NetworkTape<Scalar> tape(network, n_lanes);
            tape.enter_step(last, std::span(previous_lane).first(n));
            forward(network, inputs, dropout, tape);
            for (Index k = 0; k < network.output_width(); ++k) {
                for (Index m = 0; m < n_lanes; ++m) {
                    tape.top().d_out().column(k)[m] = static_cast<Scalar>(m - k) / 7;
                }
            }
            backward(network, n_lanes, dropout, tape);
            return tape;
        };
        NetworkTape<Scalar> whole = run(all);
        const bool before = p.gru_variant == gru4rec::GruVariant::reset_before;
        for (const Index n_lanes : {Index{1}, line - 2, line, line + 1, all - 1}) {
            CAPTURE(n_lanes);
            NetworkTape<Scalar> part = run(n_lanes);
            for (Index m = 0; m < n_lanes; ++m) {
                CHECK(states_of(part, m) == states_of(whole, m));
                bool same = true;
                const auto compare = [&](const Scalar* a, const Scalar* b, Index n) {
                    same = same && std::equal(a, a + n, b);
                };
                for (Index t = 0; t < network.n_input_tables(); ++t) {
                    compare(whole.x_rows(t)(m), part.x_rows(t)(m), network.input_row_width(t));
                    compare(whole.d_x_rows(t)(m), part.d_x_rows(t)(m), network.input_row_width(t));
                }
                for (std::size_t l = 0; l < whole.layers().size(); ++l) {
                    auto& layer = whole.layers()[l];
                    auto& other = part.layers()[l];
                    for (Index k = 0; k < 3 * layer.units(); ++k) {
                        compare(layer.d_pre().column(k) + m, other.d_pre().column(k) + m, 1);
                        compare(layer.d_hidden().column(k) + m, other.d_hidden().column(k) + m, before ? 0 : 1);
                    }
                }
                CHECK(same);
            }
        }
    }
}

TEST_CASE("dropout of the embedding leaves the hidden layers whole, and masks differ by step, layer and epoch") {
    const auto p = parameters({{"layers", "24/24"}});
    Network<double> network(p, static_cast<Index>(catalogue));
    fill(network, 2);
    const std::vector<ItemIndex> inputs(5, gru4rec::to_item(3));
    const std::vector<Index> fresh(5, -1);
    std::set<std::vector<double>> masks;
    for (const DropoutStep dropout : {DropoutStep{0.5, 0.5, 1, 0, 0}, DropoutStep{0.5, 0.5, 1, 0, 1},
                                      DropoutStep{0.5, 0.5, 1, 1, 0}, DropoutStep{0.5, 0.5, 2, 0, 0}}) {
        NetworkTape<double> tape(network, 5);
        tape.enter_step(fresh);
        forward(network, std::span<const ItemIndex>(inputs), dropout, tape);
        for (const auto& matrix : {tape.mask(), tape.layers()[0].mask(), tape.layers()[1].mask()}) {
            std::vector<double> mask;
            for (Index k = 0; k < 24; ++k) {
                mask.insert(mask.end(), matrix.column(k), matrix.column(k) + 5);
            }
            masks.insert(mask);
        }
    }
    CHECK(masks.size() == 12);
    NetworkTape<double> tape(network, 5);
    tape.enter_step(fresh);
    forward(network, std::span<const ItemIndex>(inputs), DropoutStep{0.5, 0, 1, 0, 0}, tape);
    int zeros_in_x = 0;
    for (Index k = 0; k < 24; ++k) {
        for (Index m = 0; m < 5; ++m) {
            zeros_in_x += tape.x().column(k)[m] == 0 ? 1 : 0;
            CHECK(tape.x_rows()(m)[k] == tape.x().column(k)[m]);
            CHECK(tape.layers()[0].out().column(k)[m] != 0);
        }
    }
    CHECK(zeros_in_x > 30);
    CHECK(zeros_in_x < 90);
}

TEST_CASE("initial weights are uniform within sqrt(6 / (rows + cols)) of their own gate block, biases zero") {
    for_each_initialisation(InitialValues::uniform, [](const std::vector<double>& values, double s) {
        const Moments found = moments(values);
        const double n = static_cast<double>(values.size());
        CHECK(found.largest <= s);
        CHECK(found.largest > 0.99 * s);
        CHECK(std::abs(found.mean) < 5 * s / std::sqrt(3 * n));
        // Variance s^2 / 3; that of w^2 is 4 s^4 / 45.
        CHECK(std::abs(found.square - s * s / 3) < 5 * s * s * std::sqrt(4.0 / 45 / n));
    });
}

TEST_CASE("init_as_normal draws N(0, s^2) with the same s, block by block, biases zero") {
    for_each_initialisation(InitialValues::normal, [](const std::vector<double>& values, double s) {
        const Moments found = moments(values);
        const double n = static_cast<double>(values.size());
        CHECK(std::abs(found.mean) < 5 * s / std::sqrt(n));
        // The variance of w^2 is 2 s^4.
        CHECK(std::abs(found.square - s * s) < 5 * s * s * std::sqrt(2 / n));
        for (const double width : {0.5, 1.0, 2.0}) {
            const double p = std::erf(width / std::sqrt(2.0));
            const auto within =
                std::count_if(values.begin(), values.end(), [&](double w) { return std::abs(w) < width * s; });
            CHECK(std::abs(static_cast<double>(within) / n - p) < 5 * std::sqrt(p * (1 - p) / n));
        }
    });
}

TEST_CASE("sigma overrides the scale of every block, and the numbers are a function of seed and shape alone") {
    auto p =
        parameters({{"layers", "20/10"}, {"constrained_embedding", "false"}, {"embedding", "30"}, {"sigma", "0.01"}});
    auto network = initialised<double>(p, 100);
    for (const auto& view : network.tensors()) {
        double largest = 0;
        for (Index r = 0; r < view.rows; ++r) {
            for (Index c = 0; c < view.cols; ++c) {
                largest = std::max(largest, std::abs(view(r, c)));
            }
        }
        CHECK((is_bias(view) ? largest == 0 : largest <= 0.01));
        CHECK((is_bias(view) || largest > 0.0095));
    }
    const auto numbers = [&](std::uint64_t seed) {
        auto again = initialised<float>(p, 100, seed);
        std::vector<float> result;
        for (const auto& view : again.tensors()) {
            for (Index r = 0; r < view.rows; ++r) {
                for (Index c = 0; c < view.cols; ++c) {
                    result.push_back(view(r, c));
                }
            }
        }
        return result;
    };
    CHECK(numbers(5) == numbers(5));
    CHECK(numbers(5) != numbers(6));
    auto as_double = by_name(network.tensors());
    auto in_float = initialised<float>(p, 100);
    for (const auto& view : in_float.tensors()) {
        CHECK(view(view.rows - 1, 0) == static_cast<float>(as_double.at(view.name)(view.rows - 1, 0)));
    }
}

TEST_CASE("sigma is the deviation of normal initial weights") {
    auto network = Network<double>(parameters({{"layers", "30"}}), 400);
    network.initialise(5, 0.02, InitialValues::normal);
    std::vector<double> values;
    const auto table = by_name(network.tensors()).at("Wy.weight");
    for (Index r = 0; r < table.rows; ++r) {
        for (Index c = 0; c < table.cols; ++c) {
            values.push_back(table(r, c));
        }
    }
    const double n = static_cast<double>(values.size());
    CHECK(std::abs(moments(values).square / (0.02 * 0.02) - 1) < 5 * std::sqrt(2 / n));
}

TEST_CASE("no two tensors start from the same numbers") {
    const auto p =
        parameters({{"layers", "20/20"}, {"constrained_embedding", "false"}, {"embedding", "20"}, {"sigma", "1"}});
    auto network = initialised<double>(p, 20);
    std::set<double> firsts;
    std::size_t n_weights = 0;
    for (const auto& view : network.tensors()) {
        if (!is_bias(view)) {
            ++n_weights;
            firsts.insert(view(0, 0));
        }
    }
    CHECK(n_weights == 8);
    CHECK(firsts.size() == n_weights);
}

TEST_CASE("what deeper layers get of the input starts at the scale of its own block") {
    const double of_table = std::sqrt(6.0 / (100 + 20));
    const double of_joined = std::sqrt(6.0 / (20 + 30 + 20));
    const std::vector<std::pair<std::string, std::string>> deep = {
        {"layers", "20/20"}, {"deep_input", "1"}, {"constrained_embedding", "0"}};
    for (const auto& [embedding, name, s] :
         {std::tuple{"0", "GE.1.weight", of_table}, std::tuple{"30", "G.1.Wx", of_joined}}) {
        auto settings = deep;
        settings.emplace_back("embedding", embedding);
        auto network = initialised<double>(parameters(settings), 100);
        const auto view = by_name(network.tensors()).at(name);
        double largest = 0;
        for (Index r = 0; r < view.rows; ++r) {
            for (Index c = 0; c < view.cols; ++c) {
                largest = std::max(largest, std::abs(view(r, c)));
            }
        }
        CHECK(largest <= s);
        CHECK(largest > 0.99 * s);
    }
}

TEST_CASE("tensors carry the names and shapes of the model file") {
    const auto shapes = [](const std::vector<std::pair<std::string, std::string>>& settings) {
        Network<float> network(parameters(settings), 9);
        std::vector<std::string> result;
        for (const auto& view : std::as_const(network).tensors()) {
            result.push_back(view.name + " " + std::to_string(view.rows) +
                             (view.is_vector ? "" : "x" + std::to_string(view.cols)) +
                             (view.by_item ? " by item" : ""));
        }
        return result;
    };
    using Names = std::vector<std::string>;
    CHECK(shapes({{"layers", "4/3"}}) == Names{"G.0.Wx 3x12", "G.0.Bh 12", "G.0.Wrz 4x8", "G.0.Wh 4x4", "G.1.Wx 4x9",
                                               "G.1.Bh 9", "G.1.Wrz 3x6", "G.1.Wh 3x3", "Wy.weight 9x3 by item",
                                               "By.weight 9x1 by item"});
    CHECK(
        shapes({{"layers", "4"}, {"gru_variant", "reset_after"}, {"constrained_embedding", "0"}, {"embedding", "5"}}) ==
        Names{"E.weight 9x5 by item", "G.0.weight_ih 12x5", "G.0.weight_hh 12x4", "G.0.bias_ih 12", "G.0.bias_hh 12",
              "Wy.weight 9x4 by item", "By.weight 9x1 by item"});
    CHECK(shapes({{"layers", "4/2"}, {"gru_variant", "reset_after"}, {"constrained_embedding", "0"}}) ==
          Names{"GE.weight_ih 9x12 by item", "GE.weight_hh 12x4", "GE.bias_ih 12", "GE.bias_hh 12", "G.1.weight_ih 6x4",
                "G.1.weight_hh 6x2", "G.1.bias_ih 6", "G.1.bias_hh 6", "Wy.weight 9x2 by item",
                "By.weight 9x1 by item"});
    CHECK(shapes({{"layers", "4"}, {"constrained_embedding", "0"}}) ==
          Names{"GE.Wx0.weight 9x12 by item", "GE.Bh0 12", "GE.Wrz0 4x8", "GE.Wh0 4x4", "Wy.weight 9x4 by item",
                "By.weight 9x1 by item"});
    CHECK(shapes({{"layers", "4/3"}, {"deep_input", "1"}}) ==
          Names{"G.0.Wx 3x12", "G.0.Bh 12", "G.0.Wrz 4x8", "G.0.Wh 4x4", "G.1.Wx 7x9", "G.1.Bh 9", "G.1.Wrz 3x6",
                "G.1.Wh 3x3", "Wy.weight 9x3 by item", "By.weight 9x1 by item"});
    CHECK(shapes({{"layers", "2/2/1"}, {"deep_input", "1"}, {"constrained_embedding", "0"}}) ==
          Names{"GE.Wx0.weight 9x6 by item", "GE.1.weight 9x6 by item", "GE.2.weight 9x3 by item", "GE.Bh0 6",
                "GE.Wrz0 2x4", "GE.Wh0 2x2", "G.1.Wx 2x6", "G.1.Bh 6", "G.1.Wrz 2x4", "G.1.Wh 2x2", "G.2.Wx 2x3",
                "G.2.Bh 3", "G.2.Wrz 1x2", "G.2.Wh 1x1", "Wy.weight 9x1 by item", "By.weight 9x1 by item"});
}
