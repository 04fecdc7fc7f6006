#include "gru4rec/blocks/in_batch_loss.hpp"

#include "support/eigen_matrices.hpp"
#include "support/items_of.hpp"
#include "support/naive/losses.hpp"
#include "support/sweep.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

using gru4rec::Activation;
using gru4rec::ActivationKind;
using gru4rec::CandidateList;
using gru4rec::CandidateOptions;
using gru4rec::Duplicates;
using gru4rec::in_batch_loss;
using gru4rec::Index;
using gru4rec::ItemIndex;
using gru4rec::Matrix;
using gru4rec::RowMatrix;
using gru4rec::ScoreBlock;
using gru4rec::StepNegatives;

const std::vector<std::int64_t> supports = {5, 1, 3, 2, 7, 4, 9, 2, 6, 1};

template <class Scalar>
using AnyLoss = std::function<Scalar(const ScoreBlock<Scalar>&)>;

/// Every loss of the library beside the twin's name for it.
template <class Scalar>
std::vector<std::pair<AnyLoss<Scalar>, naive::LossSettings>> losses() {
    const Activation elu = {ActivationKind::elu, 0.5};
    const naive::Activation naive_elu = {naive::Activation::Kind::elu, 0.5};
    return {{gru4rec::CrossEntropy<Scalar>{}, {.loss = naive::Loss::cross_entropy}},
            {gru4rec::CrossEntropy<Scalar>{Scalar(0.125)}, {.loss = naive::Loss::cross_entropy, .smoothing = 0.125}},
            {gru4rec::Bpr<Scalar>{}, {.loss = naive::Loss::bpr}},
            {gru4rec::Top1<Scalar>{{ActivationKind::tanh}},
             {.loss = naive::Loss::top1, .final_act = {naive::Activation::Kind::tanh}}},
            {gru4rec::BprMax<Scalar>{elu, Scalar(0.5)},
             {.loss = naive::Loss::bpr_max, .final_act = naive_elu, .bpreg = 0.5}},
            {gru4rec::Top1Max<Scalar>{elu}, {.loss = naive::Loss::top1_max, .final_act = naive_elu}}};
}

/// A user's loss: the target's score should be 1, all others 0. Written with the block's views.
template <class Scalar>
struct Squares {
    Scalar operator()(const ScoreBlock<Scalar>& block) const {
        Matrix<Scalar> error = block.scores_map();
        for (Index m = 0; m < block.n_lanes; ++m) {
            error(m, block.target_column[m]) -= 1;
        }
        block.d_scores_map() = 2 * error;
        return error.squaredNorm();
    }
};

/// A step: what the lanes want, what was drawn in which order, hidden states, and a table of all items.
struct Scene {
    std::vector<ItemIndex> targets;
    std::vector<ItemIndex> negatives;
    Eigen::MatrixXd h;
    RowMatrix<double> table;  ///< (V, H + 1)

    /// Targets, then negatives, nothing merged.
    [[nodiscard]] std::vector<ItemIndex> candidates() const {
        std::vector<ItemIndex> all = targets;
        all.insert(all.end(), negatives.begin(), negatives.end());
        return all;
    }
};

Scene make_scene(Index lanes, Index n_negatives, Index units, naive::Engine& engine) {
    const auto draw = [&] {
        return gru4rec::to_item(static_cast<Index>(naive::uniform_index(engine, supports.size())));
    };
    Scene scene;
    for (Index m = 0; m < lanes; ++m) {
        scene.targets.push_back(draw());
    }
    for (Index j = 0; j < n_negatives; ++j) {
        scene.negatives.push_back(draw());
    }
    scene.h = random_matrix(lanes, units, engine);
    scene.table = random_matrix(static_cast<Index>(supports.size()), units + 1, engine);
    return scene;
}

struct Wanted {
    double loss = 0;
    Eigen::MatrixXd d_h;
    Eigen::MatrixXd d_table;  ///< (V, H + 1)
};

/// Candidate by candidate: scores, the twin's loss, and the products back.
Wanted expected(const Scene& scene, naive::LossSettings settings, const CandidateOptions& options) {
    settings.logq = options.logq;
    settings.mask_duplicates = options.duplicates == Duplicates::mask;
    std::vector<std::size_t> items;
    std::vector<double> q;
    Eigen::MatrixXd rows(static_cast<Index>(scene.candidates().size()), scene.table.cols());
    for (const ItemIndex item : scene.candidates()) {
        const double support = static_cast<double>(supports[static_cast<std::size_t>(item)]);
        q.push_back(std::pow(support, items.size() < scene.targets.size() ? 1.0 : options.sample_alpha));
        rows.row(static_cast<Index>(items.size())) = scene.table.row(to_index(item));
        items.push_back(static_cast<std::size_t>(item));
    }
    Eigen::MatrixXd h_one(scene.h.rows(), scene.h.cols() + 1);
    h_one << scene.h, Eigen::VectorXd::Ones(scene.h.rows());
    const naive::LossResult result = evaluate_loss(settings, to_naive(h_one * rows.transpose()), items, q);
    const Eigen::MatrixXd d_scores = from_naive(result.d_scores);
    Wanted wanted{result.sum, (d_scores * rows).leftCols(scene.h.cols()),
                  Eigen::MatrixXd::Zero(scene.table.rows(), scene.table.cols())};
    const Eigen::MatrixXd d_rows = d_scores.transpose() * h_one;
    for (std::size_t j = 0; j < items.size(); ++j) {
        wanted.d_table.row(static_cast<Index>(items[j])) += d_rows.row(static_cast<Index>(j));
    }
    return wanted;
}

template <class Scalar>
Eigen::MatrixXd dense(const gru4rec::SparseGradient<Scalar>& gradient, Index n_items) {
    Eigen::MatrixXd result = Eigen::MatrixXd::Zero(n_items, gradient.rows.cols());
    for (std::size_t i = 0; i < gradient.items.size(); ++i) {
        CHECK(result.row(to_index(gradient.items[i])).isZero(0));  // distinct
        result.row(to_index(gradient.items[i])) = gradient.rows.row(static_cast<Index>(i)).template cast<double>();
    }
    return result;
}

template <class Scalar>
constexpr double tolerance = std::is_same_v<Scalar, double> ? 1e-12 : 5e-5;

}  // namespace

TEST_CASE_TEMPLATE("loss and gradients of hidden states are those of the naive twin, candidate by candidate", Scalar,
                   double, float) {
    naive::Engine engine(1);
    std::uint64_t n_large = 0;
    for (const auto& [lanes, n_negatives, units] :
         {std::array<Index, 3>{1, 3, 1}, {5, 7, 6}, {19, 0, 3}, {37, 60, 17}}) {
        const Scene scene = make_scene(lanes, n_negatives, units, engine);
        const RowMatrix<Scalar> table = scene.table.template cast<Scalar>();
        for (const CandidateOptions& options : {CandidateOptions{},
                                                {.duplicates = Duplicates::mask},
                                                {.logq = 0.5, .sample_alpha = 0.25, .supports = supports}}) {
            CandidateList<Scalar> candidates(lanes, n_negatives, options);
            candidates.build(scene.targets, scene.negatives);
            for (const auto& [loss, twin] : losses<Scalar>()) {
                if (lanes == 37 && !sweep::visits(n_large++)) {
                    continue;
                }
                const Index n_lanes = lanes;  // clang 14 does not capture structured bindings
                const int kind = static_cast<int>(twin.loss);
                CAPTURE(n_lanes);
                CAPTURE(kind);
                const Wanted wanted = expected(scene, twin, options);
                const auto given = in_batch_loss(loss, scene.h.template cast<Scalar>(), table, candidates);
                CHECK(static_cast<double>(given.loss) == doctest::Approx(wanted.loss).epsilon(tolerance<Scalar>));
                CHECK(difference(given.d_h, wanted.d_h) < tolerance<Scalar>);
                CHECK(difference(dense(given.d_table, table.rows()), wanted.d_table) < tolerance<Scalar>);
            }
        }
    }
}

TEST_CASE("a table without a bias, and one whose last column is one") {
    naive::Engine engine(2);
    Scene scene = make_scene(4, 6, 5, engine);
    scene.table.col(5).setZero();
    CandidateList<double> candidates(4, 6);
    candidates.build(scene.targets, scene.negatives);
    const gru4rec::CrossEntropy<double> loss;
    const auto with_bias = in_batch_loss(loss, scene.h, scene.table, candidates);
    const auto without = in_batch_loss(loss, scene.h, scene.table.leftCols(5), candidates);
    CHECK(without.loss == with_bias.loss);
    CHECK(without.d_table.items == with_bias.d_table.items);
    CHECK(difference(without.d_table.rows, with_bias.d_table.rows.leftCols(5)) < 1e-15);
}

TEST_CASE("the gradients are those of finite differences, for a user's loss as well") {
    naive::Engine engine(3);
    Scene scene = make_scene(5, 4, 3, engine);
    CandidateList<double> candidates(5, 4);
    candidates.build(scene.targets, scene.negatives);
    const auto check = [&](const auto& loss) {
        const auto f = [&] { return in_batch_loss(loss, scene.h, scene.table, candidates).loss; };
        const auto given = in_batch_loss(loss, scene.h, scene.table, candidates);
        CHECK(difference(given.d_h, numeric_gradient(scene.h, f)) < 1e-7);
        CHECK(difference(dense(given.d_table, scene.table.rows()), numeric_gradient(scene.table, f)) < 1e-7);
    };
    check(gru4rec::BprMax<double>{{ActivationKind::elu, 0.5}});
    check(Squares<double>{});
}

TEST_CASE_TEMPLATE("the loss of given scores: column m is the target of lane m unless columns say otherwise", Scalar,
                   double, float) {
    naive::Engine engine(4);
    const Eigen::MatrixXd scores = random_matrix(5, 11, engine);
    std::vector<std::size_t> items(11);
    std::vector<std::int32_t> targets = {7, 3, 10, 0, 4};
    Eigen::MatrixXd moved = scores;  // lane m's target in column targets[m]
    for (std::size_t j = 0; j < items.size(); ++j) {
        items[j] = j;
    }
    for (std::size_t m = 0; m < 5; ++m) {
        const auto row = static_cast<Index>(m);
        std::swap(moved(row, targets[m]), moved(row, row));
    }
    for (const auto& [loss, twin] : losses<Scalar>()) {
        const naive::LossResult wanted = evaluate_loss(twin, to_naive(scores), items);
        const auto given = in_batch_loss(loss, scores.cast<Scalar>());
        CHECK(static_cast<double>(given.loss) == doctest::Approx(wanted.sum).epsilon(tolerance<Scalar>));
        CHECK(difference(given.d_scores, from_naive(wanted.d_scores)) < tolerance<Scalar>);
        const auto other = in_batch_loss(loss, moved.cast<Scalar>(), {.targets = targets});
        CHECK(static_cast<double>(other.loss) == doctest::Approx(wanted.sum).epsilon(tolerance<Scalar>));
        CHECK(static_cast<double>(other.d_scores(1, 3)) ==
              doctest::Approx(wanted.d_scores(1, 1)).epsilon(tolerance<Scalar>));
    }
}

TEST_CASE("a column with weight 3 is three equal candidates") {
    naive::Engine engine(5);
    const Eigen::MatrixXd scores = random_matrix(3, 4, engine);
    Eigen::MatrixXd repeated(3, 6);
    repeated << scores, scores.col(3), scores.col(3);
    const std::vector<double> weights = {1, 1, 1, 3};
    const gru4rec::Top1Max<double> loss;
    const auto merged = in_batch_loss(loss, scores, {.weights = weights});
    const auto plain = in_batch_loss(loss, repeated);
    CHECK(merged.loss == doctest::Approx(plain.loss).epsilon(1e-13));
    CHECK(difference(merged.d_scores.col(3), plain.d_scores.rightCols(3).rowwise().sum()) < 1e-14);
}

TEST_CASE("candidates: distinct items in ascending order, then drawn targets again, in columns with counts") {
    CandidateList<double> candidates(4, 6);
    candidates.build(items_of({3, 1, 3, 7}), items_of({9, 1, 0, 9}));
    CHECK(candidates.n_lanes() == 4);
    const auto items = candidates.items();
    CHECK(std::vector<ItemIndex>(items.begin(), items.end()) == items_of({0, 1, 3, 7, 9, 1}));
    CHECK(candidates.n_distinct() == 5);
    CHECK(candidates.first_column(5) == 1);
    CHECK(candidates.first_column(4) == 4);
    const auto weights = candidates.weights();
    CHECK(std::vector<double>(weights.begin(), weights.end()) == std::vector<double>{1, 1, 2, 1, 2, 1});
    const auto targets = candidates.target_columns();
    CHECK(std::vector<std::int32_t>(targets.begin(), targets.end()) == std::vector<std::int32_t>{2, 1, 2, 3});
    const auto drawn = candidates.drawn_columns();
    CHECK(std::vector<std::int32_t>(drawn.begin(), drawn.end()) == std::vector<std::int32_t>{-1, 5, -1, -1});
    CHECK(candidates.log_q().empty());

    StepNegatives negatives(supports, 0.5, 6, 42);
    candidates.build(items_of({2, 5}), negatives.of_step(0, 3));
    CHECK(candidates.n_lanes() == 2);
    double total = 0;
    for (const double weight : candidates.weights()) {
        total += weight;
    }
    CHECK(total == 8);
    candidates.build(items_of({2, 5}));
    CHECK(candidates.n_columns() == 2);
}

TEST_CASE("no lanes have no loss") {
    CandidateList<float> candidates(4, 6);
    candidates.build(items_of({}), items_of({1, 2}));
    const auto result =
        in_batch_loss(gru4rec::Bpr<float>{}, Eigen::MatrixXf(0, 3), RowMatrix<float>::Zero(5, 3), candidates);
    CHECK(result.loss == 0);
    CHECK(result.d_h.rows() == 0);
    CHECK(result.d_table.rows.isZero(0));
    CHECK(in_batch_loss(gru4rec::Bpr<float>{}, Eigen::MatrixXf(0, 0)).loss == 0);
}

TEST_CASE("what does not fit is refused by name") {
    const Eigen::MatrixXd h = Eigen::MatrixXd::Zero(2, 3);
    const RowMatrix<double> table = RowMatrix<double>::Zero(5, 3);
    const gru4rec::Bpr<double> loss;
    CandidateList<double> candidates(2, 2);
    candidates.build(items_of({1, 4}));
    const auto run = [&](const auto& states, const auto& items) {
        return complaint([&] { static_cast<void>(in_batch_loss(loss, states, items, candidates)); });
    };
    CHECK(run(h, table) == "");
    CHECK(run(Eigen::MatrixXd::Zero(3, 3), table) == "gru4rec: h is (3, 3), must be (M, H) = (2, 3)");
    CHECK(run(h, RowMatrix<double>::Zero(5, 5)) == "gru4rec: table is (5, 5), must be (V, H) or (V, H + 1) = (5, 3)");
    CHECK(run(h, table.topRows(4)) == "gru4rec: item = 4, must satisfy 0 <= item < 4, the rows of the table");
    CHECK(complaint([&] {
              candidates.build(items_of({1, 2, 3}));
          }) == "gru4rec: 3 targets and 0 negatives; the CandidateList was made for 2 and 2");
    CHECK(complaint([&] { candidates.build(items_of({1}), items_of({-2})); }) ==
          "gru4rec: item = -2, must satisfy item >= 0");
    const std::vector<ItemIndex> descending = items_of({3, 2});
    const std::vector<std::int32_t> counts = {1, 1};
    CHECK(complaint([&] {
              candidates.build(items_of({1}), {descending, counts});
          }).find("ascending") != std::string::npos);
    CHECK(complaint([] { CandidateList<double> list(2, 2, {.logq = 1}); }) ==
          "gru4rec: logq > 0 needs CandidateOptions::supports, the events of each item");
    CHECK(complaint([] { CandidateList<double> list(-1, 2); }) ==
          "gru4rec: max_lanes = -1, must satisfy max_lanes >= 0");
    constexpr Index largest = (std::numeric_limits<Index>::max)();
    CHECK(complaint([] { CandidateList<double> list(2, largest); }) ==
          "gru4rec: max_negatives = " + std::to_string(largest) + ", must satisfy max_negatives < 1073741824");
    for (const double wrong : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
        CHECK(complaint([&] {
                  CandidateList<double> list(2, 2, {.logq = wrong, .supports = supports});
              }).find("gru4rec: logq = ") == 0);
        CHECK(complaint([&] {
                  CandidateList<double> list(2, 2, {.logq = 1, .sample_alpha = wrong, .supports = supports});
              }).find("gru4rec: sample_alpha = ") == 0);
    }
    const std::vector<ItemIndex> ascending = items_of({2, 3});
    const std::vector<std::int32_t> never = {1, 0};
    CHECK(complaint([&] {
              candidates.build(items_of({1}), {ascending, never});
          }).find("a count >= 1 each") != std::string::npos);
    CandidateList<double> known(2, 2, {.logq = 1, .supports = supports});
    CHECK(complaint([&] { known.build(items_of({10})); }) ==
          "gru4rec: item = 10, must satisfy 0 <= item < 10, the supports given");

    const std::vector<std::int32_t> far = {0, 5};
    CHECK(complaint([&] { static_cast<void>(in_batch_loss(loss, h, {.targets = far})); }) ==
          "gru4rec: ScoreColumns::targets = 5, must satisfy 0 <= column < 3");
    const std::vector<std::int32_t> many = {0, 1, 2};
    CHECK(complaint([&] { static_cast<void>(in_batch_loss(loss, h, {.targets = many})); }) ==
          "gru4rec: ScoreColumns::targets has 3 values, must have 2");
    CHECK(complaint([&] { static_cast<void>(in_batch_loss(loss, Eigen::MatrixXd::Zero(3, 2))); }) ==
          "gru4rec: ScoreColumns::targets = 2, must satisfy 0 <= column < 2");
}
