#include "gru4rec/eval/evaluate.hpp"
#include "gru4rec/io/checkpoint.hpp"
#include "gru4rec/io/load_optimizer.hpp"
#include "gru4rec/io/model_file.hpp"
#include "gru4rec/model/model.hpp"
#include "gru4rec/serve/recommender.hpp"
#include "gru4rec/train/trainer.hpp"

#include "support/small_models.hpp"
#include "support/temporary_folder.hpp"
#include "support/training_runs.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

using gru4rec::Dataset;
using gru4rec::Index;
using gru4rec::ItemMap;
using gru4rec::Model;
using small_models::Settings;

ItemMap items_of(const std::vector<std::string>& ids) {
    ItemMap items;
    for (const std::string& id : ids) {
        items.insert(id);
    }
    return items;
}

std::vector<std::int64_t> supports_of(const Model<float>& model) {
    return {model.supports().begin(), model.supports().end()};
}

const std::vector<Settings> all_modes = {
    {},
    {{"constrained_embedding", "0"}, {"layers", "3/2"}, {"deep_input", "1"}},
    {{"constrained_embedding", "0"}, {"embedding", "4"}, {"gru_variant", "reset_after"}},
};

}  // namespace

TEST_CASE("a larger catalogue appends rows, adds supports and keeps every other bit") {
    for (const Settings& settings : all_modes) {
        const auto old = small_models::make<float>(settings, {"a", "b", "c"});
        const auto longer = old.extended(items_of({"x", "b", "y"}), std::vector<std::int64_t>{5, 6, 7}, 9);
        CHECK(longer.items() == items_of({"a", "b", "c", "x", "y"}));
        CHECK(supports_of(longer) == std::vector<std::int64_t>{1, 17, 21, 5, 7});
        CHECK(longer.hyperparameters() == old.hyperparameters());
        const auto from = old.tensors();
        const auto to = longer.tensors();
        REQUIRE(from.size() == to.size());
        for (std::size_t t = 0; t < from.size(); ++t) {
            CAPTURE(from[t].name);
            CHECK(to[t].rows == from[t].rows + (from[t].by_item ? 2 : 0));
            CHECK(to[t].cols == from[t].cols);
            for (Index r = 0; r < from[t].rows; ++r) {
                for (Index c = 0; c < from[t].cols; ++c) {
                    CHECK(to[t](r, c) == from[t](r, c));
                }
            }
        }
    }
}

TEST_CASE("supports that are negative or overflow when added are refused") {
    const auto old = small_models::make<float>({}, {"a", "b", "c"});
    const auto most = (std::numeric_limits<std::int64_t>::max)();
    CHECK(old.extended(items_of({"a"}), std::vector<std::int64_t>{most - 1}).supports()[0] == most);
    CHECK_THROWS_WITH_AS((void)old.extended(items_of({"a"}), std::vector<std::int64_t>{most}),
                         doctest::Contains("support of item \"a\""), gru4rec::ConfigError);
    CHECK_THROWS_AS((void)old.extended(items_of({"x"}), std::vector<std::int64_t>{-1}), gru4rec::ConfigError);
}

TEST_CASE("a trainer keeps the hyper-parameters that it was made with") {
    auto model = small_models::make<float>({}, {"a", "b", "c"});
    const int before = model.hyperparameters().batch_size;
    const gru4rec::Trainer<float> trainer(model);
    auto p = model.hyperparameters();
    p.batch_size = 4 * before;
    model.set_hyperparameters(p);
    CHECK(trainer.hyperparameters().batch_size == before);
    CHECK(model.hyperparameters().batch_size == 4 * before);
}

TEST_CASE("a saturated count of updates stays finite under adam") {
    TrainingRun<float> run(small_models::Settings{{"adapt", "adam"}});
    run.trainer.step().visit_parameters([](const auto&, gru4rec::detail::OptimizedParameter<float>& learned) {
        learned.visit_memory([]<class Memory>(const std::string&, Memory& memory) {
            if constexpr (std::is_same_v<Memory, gru4rec::detail::AlignedBuffer<std::uint32_t>>) {
                std::fill(memory.begin(), memory.end(), (std::numeric_limits<std::uint32_t>::max)());
            }
        });
    });
    CHECK_NOTHROW(run.fit());  // checks every weight
}

TEST_CASE("parameters by item are those that grow with the number of items") {
    for (const Settings& settings : all_modes) {
        const auto rows = [&](const std::vector<std::string>& items) {
            auto model = small_models::make<float>(settings, items);
            gru4rec::Trainer<float> trainer(model);
            std::vector<std::pair<bool, Index>> result;
            trainer.step().visit_parameters(
                [&](const gru4rec::detail::ParameterInfo& info, gru4rec::detail::OptimizedParameter<float>& learned) {
                    result.emplace_back(info.by_item, learned.parameter().rows());
                });
            return result;
        };
        const auto of_three = rows({"a", "b", "c"});
        const auto of_five = rows({"a", "b", "c", "d", "e"});
        REQUIRE(of_three.size() == of_five.size());
        for (std::size_t i = 0; i < of_three.size(); ++i) {
            CAPTURE(i);
            CHECK(of_five[i].first == (of_five[i].second == of_three[i].second + 2));
            CHECK(of_five[i].first == of_three[i].first);
        }
    }
}

TEST_CASE("a trainer without momentum ignores saved velocities") {
    TrainingRun<float> run(Settings{{"batch_size", "3"}, {"n_epochs", "1"}, {"n_sample", "3"}, {"momentum", "0.5"}});
    run.fit();
    const TemporaryFolder folder;
    run.checkpoint->save(folder / "c");
    auto p = run.model.hyperparameters();
    p.momentum = 0;
    run.model.set_hyperparameters(p);
    gru4rec::Trainer<float> trainer(run.model);
    CHECK_NOTHROW(load_optimizer(trainer, folder / "c"));
}

TEST_CASE("rows of new items are initialised as in a new model") {
    for (const Settings& settings : all_modes) {
        const auto old = small_models::make<float>(settings, {"a", "b", "c"});
        const ItemMap more = items_of({"a", "b", "c", "d", "e"});
        const std::vector<std::int64_t> supports(5, 1);
        const auto longer = old.extended(more, supports, 9);
        const Model<float> fresh(old.hyperparameters(), more, supports, 9);
        CHECK(small_models::same(longer, old.extended(more, supports, 9)));
        CHECK_FALSE(small_models::same(longer, old.extended(more, supports, 10)));
        for (std::size_t t = 0; t < fresh.tensors().size(); ++t) {
            const auto drawn = fresh.tensors()[t];
            for (Index r = 3; drawn.by_item && r < 5; ++r) {
                for (Index c = 0; c < drawn.cols; ++c) {
                    CHECK(longer.tensors()[t](r, c) == drawn(r, c));
                }
            }
        }
    }
}

TEST_CASE("a catalogue without new items changes only the supports") {
    auto old = small_models::make<float>({}, {"a", "b", "c"});
    const auto same = old.extended(items_of({"c"}), std::vector<std::int64_t>{4});
    CHECK(same.n_items() == 3);
    CHECK(supports_of(same) == std::vector<std::int64_t>{1, 11, 25});
    CHECK_THROWS_AS((void)old.extended(items_of({"c"}), std::vector<std::int64_t>{4, 5}), gru4rec::ConfigError);
}

TEST_CASE("a model file grows by the rows of the new items") {
    const TemporaryFolder folder;
    const auto old = small_models::make<float>({}, {"a", "b", "c"});
    save_model(old, folder / "old");
    save_model(old.extended(items_of({"x", "y"}), std::vector<std::int64_t>{5, 7}), folder / "new");
    const gru4rec::detail::SafetensorsFile before(folder / "old");
    const gru4rec::detail::SafetensorsFile after(folder / "new");
    CHECK(after.data_size() - before.data_size() == 2 * (3 + 1) * sizeof(float));
    CHECK(after.metadata().at("items") == "a\tb\tc\tx\ty");
    CHECK(after.metadata().at("supports") == "1\t11\t21\t5\t7");
    CHECK(after.metadata().at("hyperparameters") == before.metadata().at("hyperparameters"));
}

TEST_CASE("hyper-parameters of training can be replaced, but not those of the network") {
    auto model = small_models::make<float>({{"layers", "3/2"}});
    const auto set = [&](const std::string& name, const std::string& value) {
        auto p = model.hyperparameters();
        p.set(name, value);
        model.set_hyperparameters(p);
    };
    for (const auto& [name, value] : Settings{{"learning_rate", "0.5"},
                                              {"n_epochs", "1"},
                                              {"adapt", "adam"},
                                              {"loss", "bpr-max"},
                                              {"input", "history"},
                                              {"batch_size", "7"}}) {
        set(name, value);
    }
    CHECK(model.hyperparameters().effective_learning_rate() == 0.5);
    CHECK(model.hyperparameters().batch_size == 7);
    const auto before = model;
    for (const auto& [name, value] : Settings{{"layers", "3/3"},
                                              {"layers", "3"},
                                              {"hidden_act", "relu"},
                                              {"gru_variant", "reset_after"},
                                              {"constrained_embedding", "0"},
                                              {"deep_input", "1"},
                                              {"momentum", "2"}}) {
        const auto& shown = name;  // clang 14 does not capture structured bindings
        CAPTURE(shown);
        CHECK_THROWS_AS(set(name, value), gru4rec::ConfigError);
        CHECK(small_models::same(model, before));
    }
    auto embedded = small_models::make<float>({{"constrained_embedding", "0"}, {"embedding", "4"}});
    auto p = embedded.hyperparameters();
    p.embedding = 5;
    CHECK_THROWS_WITH_AS(embedded.set_hyperparameters(p), doctest::Contains("embedding = 5, the model was made with 4"),
                         gru4rec::ConfigError);
}

TEST_CASE("a data set can be reindexed for a larger catalogue") {
    const Dataset data =
        gru4rec::make_dataset(std::vector<int>{1, 1, 2, 2}, std::vector<std::string>{"b", "x", "x", "c"},
                              std::vector<int>{1, 2, 3, 4}, {.keep_session_ids = gru4rec::KeepSessionIds::yes});
    const ItemMap items = items_of({"a", "b", "c", "x"});
    const Dataset counted = data.with_items(items);
    CHECK(counted.items() == items);
    CHECK(std::vector(counted.supports().begin(), counted.supports().end()) == std::vector<std::int64_t>{0, 1, 1, 2});
    CHECK(counted.n_pairs() == 2);
    CHECK(counted.session_id(gru4rec::to_session(1)) == "2");
    for (Index s = 0; s < 2; ++s) {
        for (std::size_t e = 0; e < 2; ++e) {
            CHECK(items.id(counted.session(gru4rec::to_session(s))[e]) ==
                  data.items().id(data.session(gru4rec::to_session(s))[e]));
        }
    }
    CHECK_THROWS_WITH_AS((void)data.with_items(items_of({"a", "b", "c"})), doctest::Contains("\"x\""),
                         gru4rec::ConfigError);
}

TEST_CASE("new items are recommended after further training, and untouched old items keep their rows") {
    const auto sessions = [](const std::vector<std::string>& walk, std::size_t n) {
        std::vector<int> ids, times;
        std::vector<std::string> items;
        for (std::size_t s = 0; s < n; ++s) {
            for (std::size_t e = s % 3 == 0 ? 1 : 0; e < walk.size(); ++e) {  // lanes are out of step: negatives
                ids.push_back(static_cast<int>(s));
                items.push_back(walk[e]);
                times.push_back(static_cast<int>(times.size()));
            }
        }
        return gru4rec::make_dataset(ids, items, times);
    };
    const Dataset old_data = sessions({"a", "b", "c", "d"}, 60);
    auto p = small_models::parameters({{"layers", "8"}, {"n_sample", "0"}, {"batch_size", "4"}, {"n_epochs", "6"}});
    Model<float> old(p, old_data.items(), {old_data.supports().begin(), old_data.supports().end()});
    gru4rec::Trainer<float>(old).fit(old_data);

    const Dataset new_data = sessions({"a", "x", "b", "y"}, 60);
    auto model = old.extended(new_data.items(), new_data.supports());
    gru4rec::Trainer<float>(model).fit(new_data.with_items(model.items()));
    gru4rec::SessionState<float> session(model);
    gru4rec::Recommender<float> recommender(model);
    recommender.advance(session, *model.items().find("a"));
    CHECK(model.items().id(recommender.recommend(session, 1).front().item) == "x");
    const Index d = gru4rec::to_index(*model.items().find("d"));
    for (std::size_t t = 0; t < old.tensors().size(); ++t) {
        for (Index c = 0; old.tensors()[t].by_item && c < old.tensors()[t].cols; ++c) {
            CHECK(model.tensors()[t](d, c) == old.tensors()[t](d, c));
        }
    }
}

TEST_CASE("the optimiser state of an earlier run is matched by item, and new items start fresh") {
    const Settings settings = {
        {"batch_size", "3"}, {"n_epochs", "1"}, {"n_sample", "3"}, {"adapt", "adam"}, {"constrained_embedding", "0"},
        {"embedding", "2"}};
    TrainingRun<float> run(settings);
    run.fit();
    const TemporaryFolder folder;
    run.checkpoint->save(folder / "c");
    const auto model_items = run.model.items();
    ItemMap other_order;
    other_order.insert("new");
    for (Index i = model_items.size(); i-- > 0;) {
        other_order.insert(model_items.id(gru4rec::to_item(i)));
    }
    auto longer =
        run.model.extended(other_order, std::vector<std::int64_t>(static_cast<std::size_t>(other_order.size()), 1));
    auto p = longer.hyperparameters();
    p.momentum = 0.5;
    longer.set_hyperparameters(p);
    gru4rec::Trainer<float> trainer(longer);
    load_optimizer(trainer, folder / "c");
    std::vector<float> old_memory, new_memory;
    std::vector<std::uint32_t> old_counts, new_counts;
    const auto collect = [&](gru4rec::Trainer<float>& of, auto& memory, auto& counts, bool is_longer) {
        of.step().visit_parameters(
            [&](const gru4rec::detail::ParameterInfo& parameter, gru4rec::detail::OptimizedParameter<float>& learned) {
                const Index extra = is_longer && parameter.by_item ? 1 : 0;
                const Index rows = learned.parameter().rows() - extra;
                for (int i = 0; i < 2; ++i) {
                    for (Index r = 0; r < rows + extra; ++r) {
                        for (Index c = 0; c < learned.parameter().cols(); ++c) {
                            if (r < rows) {
                                memory.push_back(learned.state()[static_cast<std::size_t>(i)].row(r)[c]);
                            } else {
                                CHECK(learned.state()[static_cast<std::size_t>(i)].row(r)[c] == 0);
                            }
                        }
                    }
                }
                for (Index r = 0; r < rows; ++r) {
                    counts.push_back(learned.count_update(r));
                }
            });
    };
    collect(run.trainer, old_memory, old_counts, false);
    collect(trainer, new_memory, new_counts, true);
    CHECK(old_memory == new_memory);
    CHECK(old_counts == new_counts);
    CHECK(*std::max_element(new_counts.begin(), new_counts.end()) > 5);
    CHECK(trainer.position() == gru4rec::TrainingPosition{});
}

TEST_CASE("the optimiser state follows the items if a model has them in another order") {
    TrainingRun<float> run(
        Settings{{"adapt", "adam"}, {"n_epochs", "1"}, {"constrained_embedding", "0"}, {"embedding", "2"}});
    run.fit();
    const TemporaryFolder folder;
    run.checkpoint->save(folder / "c");
    const Index n_items = run.model.n_items();
    ItemMap reversed;
    for (Index i = n_items; i-- > 0;) {
        reversed.insert(run.model.items().id(gru4rec::to_item(i)));
    }
    Model<float> other(run.model.hyperparameters(), reversed,
                       std::vector<std::int64_t>(static_cast<std::size_t>(n_items), 1));
    for (std::size_t t = 0; t < other.tensors().size(); ++t) {
        const auto from = run.model.tensors()[t];
        const auto to = other.tensors()[t];
        for (Index r = 0; r < to.rows; ++r) {
            for (Index c = 0; c < to.cols; ++c) {
                to(r, c) = from(to.by_item ? n_items - 1 - r : r, c);
            }
        }
    }
    gru4rec::Trainer<float> trainer(other);
    load_optimizer(trainer, folder / "c");
    const auto memory = [](gru4rec::Trainer<float>& of, bool backwards) {
        std::vector<float> values;
        of.step().visit_parameters(
            [&](const gru4rec::detail::ParameterInfo& parameter, gru4rec::detail::OptimizedParameter<float>& learned) {
                const Index rows = learned.parameter().rows();
                for (Index r = 0; r < rows; ++r) {
                    const Index row = backwards && parameter.by_item ? rows - 1 - r : r;
                    const float* const state = learned.state()[0].row(row);
                    values.insert(values.end(), state, state + learned.parameter().cols());
                    values.push_back(static_cast<float>(learned.count_update(row)));
                }
            });
        return values;
    };
    CHECK(memory(trainer, true) == memory(run.trainer, false));
}
