#include "served_model.hpp"

#include "gru4rec/io/model_file.hpp"
#include "gru4rec/model/model.hpp"
#include "gru4rec/model/session_state.hpp"
#include "gru4rec/serve/quantized_table.hpp"
#include "gru4rec/serve/recommender.hpp"
#include "gru4rec/serve/similar_items.hpp"

#include <cstddef>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "../engine.hpp"
#include "json_text.hpp"
#include "session_store_stand_in.hpp"

namespace cli::server {

namespace {

template <class Scalar>
struct Parts {
    gru4rec::Model<Scalar> model;
    std::optional<gru4rec::QuantizedTable<Scalar>> table;
    std::optional<gru4rec::SimilarItems<Scalar>> similar;  // what the threads' own are copied from
    std::optional<SessionStore<Scalar>> sessions;

    Parts(gru4rec::Model<Scalar> loaded, const ServeOptions& options) : model(std::move(loaded)) {
        if (options.exact) {
            similar.emplace(model);
        } else {
            similar.emplace(table.emplace(model));
        }
        sessions.emplace(model, SessionStoreOptions{
                                    .max_sessions = options.limits.sessions,
                                    .max_bytes = options.limits.session_memory << 20,
                                    .max_idle_seconds = static_cast<double>(options.limits.session_idle.value),
                                });
    }
    Parts(const Parts&) = delete;
    Parts& operator=(const Parts&) = delete;
    ~Parts() = default;

    [[nodiscard]] gru4rec::Recommender<Scalar> recommender() const {
        return table ? gru4rec::Recommender<Scalar>(*table) : gru4rec::Recommender<Scalar>(model);
    }
};

template <class Scalar>
class TypedRanker final : public Ranker {
  public:
    explicit TypedRanker(Parts<Scalar>& parts)
        : parts_(parts), recommender_(parts.recommender()), similar_(*parts.similar) {}

    void run(std::span<Job* const> jobs, const Catalogue& catalogue, const gru4rec::ItemFilter* filter) override {
        while (states_.size() < jobs.size()) {
            states_.emplace_back(parts_.model);
        }
        requests_.clear();
        ranked_.clear();
        for (std::size_t i = 0; i < jobs.size(); ++i) {
            prepare(*jobs[i], states_[i]);
        }
        replay(jobs);
        for (std::size_t i = 0; i < jobs.size(); ++i) {
            Job& job = *jobs[i];
            job.n_events = states_[i].n_events();
            job.list = "[]";
            if (job.kind == Job::Kind::similar) {
                write(similar_.find(job.events.front(), options_of(job, filter)), catalogue, job.list);
            } else if (job.found && !job.failure && job.n > 0) {
                requests_.push_back({&states_[i], options_of(job, filter)});
                ranked_.push_back(&job);
            }
        }
        const auto lists = recommender_.recommend_many(std::span<const Request>(requests_));
        for (std::size_t i = 0; i < lists.size(); ++i) {
            write(lists[i], catalogue, ranked_[i]->list);
        }
    }

  private:
    using State = gru4rec::SessionState<Scalar>;
    using Request = gru4rec::RecommendRequest<Scalar>;
    using List = std::span<const gru4rec::Recommendation<Scalar>>;

    [[nodiscard]] static gru4rec::RecommendOptions options_of(const Job& job, const gru4rec::ItemFilter* filter) {
        gru4rec::RecommendOptions options{.n = job.n, .filter = filter, .exclude = job.exclude};
        if (job.only) {
            options.only = *job.only;
        }
        return options;
    }

    /// Brings a state to where its list can be made, unless a whole session is still to be fed.
    void prepare(Job& job, State& state) {
        try {
            if (job.kind == Job::Kind::feed) {
                parts_.sessions->update(job.id, [&](State& stored) {
                    for (const gru4rec::ItemIndex item : job.events) {
                        recommender_.advance(stored, item);
                    }
                    state = stored;
                });
            } else if (job.kind == Job::Kind::look) {
                job.found = parts_.sessions->find(job.id, state);
            } else {
                state.reset();
            }
        } catch (const std::exception&) {
            job.failure.emplace(500, "internal", "the session could not be changed; the server's log may say more");
        }
    }

    /// Feeds whole sessions: the first events of all of them, then the second ones, ...
    void replay(std::span<Job* const> jobs) {
        for (std::size_t event = 0; event == 0 || !fed_.empty(); ++event) {
            fed_.clear();
            events_.clear();
            for (std::size_t i = 0; i < jobs.size(); ++i) {
                const Job& job = *jobs[i];
                if (job.kind == Job::Kind::replay && event < job.events.size()) {
                    fed_.push_back(&states_[i]);
                    events_.push_back(job.events[event]);
                }
            }
            recommender_.advance_many(fed_, events_);
        }
    }

    static void write(List list, const Catalogue& catalogue, std::string& out) {
        out = '[';
        for (const auto& [item, score] : list) {
            out += out.size() > 1 ? ",{" : "{";
            catalogue.append_fields(out, item);
            out += ",\"score\":";
            append_number(out, score);
            out += '}';
        }
        out += ']';
    }

    Parts<Scalar>& parts_;
    gru4rec::Recommender<Scalar> recommender_;
    gru4rec::SimilarItems<Scalar> similar_;
    std::vector<State> states_;  // one for each job
    std::vector<State*> fed_;
    std::vector<gru4rec::ItemIndex> events_;
    std::vector<Request> requests_;
    std::vector<Job*> ranked_;  // those of requests_
};

template <class Scalar>
class TypedModel final : public ServedModel {
  public:
    TypedModel(gru4rec::Model<Scalar> model, const ServeOptions& options, std::string hash)
        : ServedModel(std::move(hash), std::is_same_v<Scalar, float> ? "float" : "double"),
          parts_(std::move(model), options) {}

    [[nodiscard]] const gru4rec::ItemMap& items() const noexcept override { return parts_.model.items(); }
    [[nodiscard]] std::unique_ptr<Ranker> make_ranker() override { return std::make_unique<TypedRanker<Scalar>>(parts_); }
    bool erase_session(std::string_view id) override { return parts_.sessions->erase(id); }
    void expire_sessions() override { parts_.sessions->expire(); }
    [[nodiscard]] SessionCounts session_counts() const override {
        const auto counts = parts_.sessions->counts();
        return {counts.size, counts.bytes, counts.created, counts.expired, counts.evicted};
    }

  private:
    Parts<Scalar> parts_;
};

template <class Scalar>
[[nodiscard]] std::shared_ptr<ServedModel> load_typed(const ServeOptions& options, std::string hash) {
    return std::make_shared<TypedModel<Scalar>>(load<Scalar>(options.model), options, std::move(hash));
}

}  // namespace

std::shared_ptr<ServedModel> load_served_model(const ServeOptions& options) {
    std::string hash = hash_of_file(options.model);
    return holds_doubles(options.model) ? load_typed<double>(options, std::move(hash))
                                        : load_typed<float>(options, std::move(hash));
}

std::string hash_of_file(const std::string& path) { return gru4rec::inspect_model(path).content_hash; }

}  // namespace cli::server
