#include "gru4rec/core/error.hpp"
#include "gru4rec/model/session_state.hpp"
#include "gru4rec/serve/recommender.hpp"
#include "gru4rec/serve/similar_items.hpp"

#include <nanobind/ndarray.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bindings.hpp"
#include "interpreter_lock.hpp"
#include "model.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace gru4rec_python {

namespace {

using State = gru4rec::SessionState<float>;
using gru4rec::ItemIndex;
using Recommendation = gru4rec::Recommendation<float>;

/// @param number  index of `ids` in an argument that is a list of lists, for the message
/// @throws TypeError for anything that is not iterable, and for a str or bytes, which would be read letter by letter
void require_ids(nb::handle ids, const char* argument, std::optional<std::size_t> number) {
    PyTypeObject* const type = Py_TYPE(ids.ptr());
    const bool is_iterable = type->tp_iter != nullptr || PySequence_Check(ids.ptr()) != 0;
    const bool is_text =
        PyUnicode_Check(ids.ptr()) != 0 || PyBytes_Check(ids.ptr()) != 0 || PyByteArray_Check(ids.ptr()) != 0;
    if (is_text || !is_iterable) {
        const std::string place = number ? "[" + std::to_string(*number) + "]" : "";
        throw nb::type_error(
            ("gru4rec: " + (argument + place) + " is of type " + type->tp_name + "; expected a list of item ids")
                .c_str());
    }
}

/// The argument n, the length of a list, as a number. @throws TypeError, ValueError naming the value
[[nodiscard]] gru4rec::Index length_of(nb::handle n) {
    int overflow = 0;
    if (PyIndex_Check(n.ptr()) != 0) {
        const long long value = PyLong_AsLongLongAndOverflow(n.ptr(), &overflow);
        if (overflow == 0 && (value != -1 || PyErr_Occurred() == nullptr)) {
            return value;
        }
    }
    PyErr_Clear();  // of an array, which may have been a number
    PyErr_Format(overflow == 0 ? PyExc_TypeError : PyExc_ValueError, "gru4rec: n = %R, expected %s", n.ptr(),
                 overflow == 0 ? "an integer" : "an integer within 64 bits");
    throw nb::python_error();
}

/// @throws TypeError for None instead of an item id
void require_id(nb::handle id) {
    if (id.is_none()) {
        throw nb::type_error("gru4rec: item = None, expected an item id");
    }
}

/// The known items among ids; parameters and errors are those of require_ids.
[[nodiscard]] std::vector<ItemIndex> known_items(const PythonModel& model, nb::handle ids, const char* argument,
                                                 std::optional<std::size_t> number = {}) {
    require_ids(ids, argument, number);
    std::vector<ItemIndex> items;
    for (const nb::handle id : nb::iter(ids)) {
        if (const auto item = model.find(id)) {
            items.push_back(*item);
        }
    }
    return items;
}

/// The known items of each list in a list of lists; errors are those of require_ids.
[[nodiscard]] std::vector<std::vector<ItemIndex>> known_items_of_each(const PythonModel& model, nb::handle lists,
                                                                      const char* argument) {
    std::vector<std::vector<ItemIndex>> items;
    for (const nb::handle list : nb::iter(lists)) {
        items.push_back(known_items(model, list, argument, items.size()));
    }
    return items;
}

/// Pairs of an id and its score.
[[nodiscard]] nb::list to_python(const PythonModel& model, std::span<const Recommendation> list) {
    nb::list result = nb::steal<nb::list>(PyList_New(static_cast<Py_ssize_t>(list.size())));
    if (!result.is_valid()) {
        throw nb::python_error();
    }
    // The scan of a large table pushes the ids out of the cache: load them all at once, not one after another.
    for (const Recommendation& each : list) {
        model.ids().prefetch(model.model().items(), gru4rec::to_index(each.item));
    }
    for (std::size_t i = 0; i < list.size(); ++i) {
        nb::object pair = nb::make_tuple(model.id(list[i].item), list[i].score);
        PyList_SET_ITEM(result.ptr(), static_cast<Py_ssize_t>(i), pair.release().ptr());
    }
    return result;
}

/// What a list may hold, from the arguments of Python.
struct Restrictions {
    std::vector<ItemIndex> exclude;
    std::optional<std::vector<ItemIndex>> only;

    Restrictions(const PythonModel& model, nb::handle exclude_ids, nb::handle only_ids)
        : exclude(exclude_ids.is_none() ? std::vector<ItemIndex>() : known_items(model, exclude_ids, "exclude")) {
        if (!only_ids.is_none()) {
            only = known_items(model, only_ids, "only");
        }
    }

    [[nodiscard]] gru4rec::RecommendOptions options(gru4rec::Index n) const {
        gru4rec::RecommendOptions options{.n = n, .exclude = exclude};
        if (only) {
            options.only = std::span<const ItemIndex>(*only);
        }
        return options;
    }
};

/// Only scans of more weights than this release the interpreter: shorter ones take less time than getting it back.
constexpr gru4rec::Index long_scan = 1 << 20;

[[nodiscard]] bool is_long_scan(const PythonModel& model) noexcept {
    return model.model().n_items() * model.model().hyperparameters().layers.back() > long_scan;
}

[[nodiscard]] nb::list rank(PythonModel& model, const State& state, gru4rec::Index n, nb::handle exclude,
                            nb::handle only) {
    const Restrictions restrictions(model, exclude, only);
    const PythonModel::Lease recommender(model);
    if (!is_long_scan(model)) {
        return to_python(model, recommender->recommend(state, restrictions.options(n)));
    }
    const State copy = state;  // another thread may feed the session meanwhile
    std::span<const Recommendation> list;
    {
        const InterpreterUnlocked released;
        list = recommender->recommend(copy, restrictions.options(n));
    }
    return to_python(model, list);
}

/// The model in a constructor's argument. @param how  to make such an object, for the message @throws TypeError
[[nodiscard]] PythonModel* model_of(nb::handle model, const char* how) {
    if (!nb::isinstance<PythonModel>(model)) {
        throw nb::type_error((std::string("gru4rec: expected the compiled model, found ") +
                              Py_TYPE(model.ptr())->tp_name + "; write " + how)
                                 .c_str());
    }
    return &nb::cast<PythonModel&>(model);
}

/// The session of one visitor.
class LiveSession {
  public:
    explicit LiveSession(nb::object model)
        : owner_(std::move(model)), model_(model_of(owner_, "model.session()")), state_(model_->model()) {}

    /// @returns whether the model knows the item; unknown ones are skipped
    bool click(nb::handle id) {
        require_id(id);
        const auto item = model_->find(id);
        if (item) {
            PythonModel::Lease(*model_)->advance(state_, *item);
        }
        return item.has_value();
    }

    [[nodiscard]] nb::list top(nb::handle n, nb::handle exclude, nb::handle only) const {
        return rank(*model_, state_, length_of(n), exclude, only);
    }

    /// The hidden states of the layers, copied.
    [[nodiscard]] nb::list states() const {
        using Array = nb::ndarray<nb::numpy, float, nb::ndim<1>>;
        nb::list result;
        for (std::size_t l = 0; l < model_->model().hyperparameters().layers.size(); ++l) {
            const auto hidden = state_.hidden(static_cast<gru4rec::Index>(l));
            auto values = std::make_unique<float[]>(static_cast<std::size_t>(hidden.size()));
            std::copy_n(hidden.data(), hidden.size(), values.get());
            float* const data = values.get();
            const nb::capsule owner(values.release(), [](void* p) noexcept { delete[] static_cast<float*>(p); });
            result.append(Array(data, {static_cast<std::size_t>(hidden.size())}, owner));
        }
        return result;
    }

    void reset() noexcept { state_.reset(); }
    [[nodiscard]] gru4rec::Index n_events() const noexcept { return state_.n_events(); }

  private:
    nb::object owner_;
    PythonModel* model_;
    State state_;
};

[[nodiscard]] nb::list recommend(PythonModel& model, nb::handle session, nb::handle n, nb::handle exclude,
                                 nb::handle only) {
    State state(model.model());
    {
        const PythonModel::Lease recommender(model);
        for (const ItemIndex item : known_items(model, session, "session")) {
            recommender->advance(state, item);
        }
    }
    return rank(model, state, length_of(n), exclude, only);
}

/// Feeds all sessions together: first their first events, then their second ones, and so on.
void feed_all(Recommender& recommender, const std::vector<std::vector<ItemIndex>>& sessions,
              std::vector<State>& states) {
    std::vector<State*> going;
    std::vector<ItemIndex> items;
    for (std::size_t position = 0;; ++position) {
        going.clear();
        items.clear();
        for (std::size_t s = 0; s < sessions.size(); ++s) {
            if (position < sessions[s].size()) {
                going.push_back(&states[s]);
                items.push_back(sessions[s][position]);
            }
        }
        if (going.empty()) {
            return;
        }
        recommender.advance_many(going, items);
    }
}

[[nodiscard]] nb::list recommend_many(PythonModel& model, nb::handle sessions, nb::handle n, nb::handle exclude,
                                      int threads) {
    const gru4rec::Index length = length_of(n);
    const std::vector<std::vector<ItemIndex>> items = known_items_of_each(model, sessions, "sessions");
    std::vector<std::vector<ItemIndex>> excluded;
    if (!exclude.is_none()) {
        excluded = known_items_of_each(model, exclude, "exclude");
        if (excluded.size() != items.size()) {
            gru4rec::detail::throw_invalid("exclude has " + std::to_string(excluded.size()) + " lists for " +
                                           std::to_string(items.size()) + " sessions; expected one for each");
        }
    }
    const PythonModel::Lease recommender(model);
    std::span<const Recommender::List> lists;
    {
        const InterpreterUnlocked released;
        gru4rec::with_threads(threads, [&] {
            std::vector<State> states(items.size(), State(model.model()));
            feed_all(*recommender, items, states);
            std::vector<gru4rec::RecommendRequest<float>> requests;
            for (std::size_t s = 0; s < states.size(); ++s) {
                gru4rec::RecommendOptions options{.n = length};
                if (!excluded.empty()) {
                    options.exclude = excluded[s];
                }
                requests.push_back({&states[s], options});
            }
            lists = recommender->recommend_many(std::span<const gru4rec::RecommendRequest<float>>(requests));
        });
    }
    nb::list result;
    for (const Recommender::List& list : lists) {
        result.append(to_python(model, list));
    }
    return result;
}

/// Finds similar items. The constructor reads the whole table of items.
class Similar {
  public:
    explicit Similar(nb::object model)
        : owner_(std::move(model)),
          model_(model_of(owner_, "model.similar(item)")),
          similar_(std::as_const(model_->model())) {}

    [[nodiscard]] nb::list find(nb::handle id, nb::handle n, nb::handle exclude, nb::handle only) {
        require_id(id);
        const auto item = model_->find(id);
        if (!item) {
            PyErr_SetObject(PyExc_KeyError, id.ptr());
            throw nb::python_error();
        }
        const Restrictions restrictions(*model_, exclude, only);
        const std::span<const Recommendation> found = similar_.find(*item, restrictions.options(length_of(n)));
        // Copied, since making Python objects may collect garbage, during which another thread may call find().
        return to_python(*model_, std::vector<Recommendation>(found.begin(), found.end()));
    }

  private:
    nb::object owner_;
    PythonModel* model_;
    gru4rec::SimilarItems<float> similar_;
};

}  // namespace

void bind_sessions(nb::module_& module) {
#define GRU4REC_LIST "list[tuple[typing.Any, float]]"
#define GRU4REC_IDS "collections.abc.Iterable[typing.Any]"
    nb::class_<LiveSession>(module, "Session",
                            "The session of one visitor: feed it clicks, ask it for the next items. Made by "
                            "GRU4Rec.session().")
        .def(nb::init<nb::object>(), "model"_a.none(), nb::sig("def __init__(self, model: Model) -> None"))
        .def("click", &LiveSession::click, "item"_a.none(), nb::sig("def click(self, item: object) -> bool"),
             "Feeds an event. Returns False, and does nothing, for an item that the model does not know.")
        .def("top", &LiveSession::top, "n"_a.none() = 20, "exclude"_a = nb::none(), "only"_a = nb::none(),
             nb::sig("def top(self, n: int = 20, exclude: " GRU4REC_IDS " | None = None, only: " GRU4REC_IDS
                     " | None = None) -> " GRU4REC_LIST),
             "The n items most likely to come next, with their scores, the best first.")
        .def("states", &LiveSession::states, nb::sig("def states(self) -> list[typing.Any]"),
             "The hidden states of the layers, each a NumPy array.")
        .def("reset", &LiveSession::reset, "Starts a new session.")
        .def("__len__", &LiveSession::n_events, "The number of clicks on items that the model knows.")
        .def(
            "__copy__", [](const LiveSession& self) { return self; }, "An independent copy.")
        .def(
            "__deepcopy__", [](const LiveSession& self, nb::handle) { return self; }, "memo"_a, "An independent copy.");
    nb::class_<Similar>(module, "SimilarItems", "Finds items similar to an item.")
        .def(nb::init<nb::object>(), "model"_a.none(), nb::sig("def __init__(self, model: Model) -> None"))
        .def("find", &Similar::find, "item"_a.none(), "n"_a.none(), "exclude"_a.none(), "only"_a.none(),
             nb::sig("def find(self, item: typing.Any, n: int, exclude: " GRU4REC_IDS " | None, only: " GRU4REC_IDS
                     " | None) -> " GRU4REC_LIST));
    module.def("recommend", &recommend, "model"_a, "session"_a.none(), "n"_a.none(), "exclude"_a.none(),
               "only"_a.none(),
               nb::sig("def recommend(model: Model, session: " GRU4REC_IDS ", n: int, exclude: " GRU4REC_IDS
                       " | None, only: " GRU4REC_IDS " | None) -> " GRU4REC_LIST));
    module.def("recommend_many", &recommend_many, "model"_a, "sessions"_a, "n"_a.none(), "exclude"_a.none(),
               "threads"_a,
               nb::sig("def recommend_many(model: Model, sessions: collections.abc.Iterable[" GRU4REC_IDS
                       "], n: int, exclude: collections.abc.Iterable[" GRU4REC_IDS
                       "] | None, threads: int) -> list[" GRU4REC_LIST "]"));
#undef GRU4REC_LIST
#undef GRU4REC_IDS
}

}  // namespace gru4rec_python
