#include "served_model.hpp"

#include "gru4rec/io/session_bytes.hpp"
#include "gru4rec/model/model.hpp"
#include "gru4rec/model/session_state.hpp"
#include "gru4rec/serve/quantized_table.hpp"
#include "gru4rec/serve/recommender.hpp"
#include "gru4rec/serve/session_store.hpp"
#include "gru4rec/serve/similar_items.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "../engine.hpp"
#include "../messages.hpp"
#include "../redis_sessions.hpp"
#include "json_text.hpp"

namespace cli::server {

namespace {

template <class Scalar>
struct Parts {
    gru4rec::Model<Scalar> model;
    std::optional<gru4rec::QuantizedTable<Scalar>> table;
    std::optional<gru4rec::SimilarItems<Scalar>> similar;  // what the threads' own are copied from
    const ServeOptions& options;
    gru4rec::SessionCodec<Scalar> codec;
    std::optional<gru4rec::SessionStore<Scalar>> store;  // none if sessions are in Redis
    RedisAddress redis;
    std::shared_ptr<RedisHost> redis_host;  // null unless they are

    Parts(gru4rec::Model<Scalar>&& loaded, gru4rec::SessionCodec<Scalar>&& made, const ServeOptions& chosen)
        : model(std::move(loaded)), options(chosen), codec(std::move(made)) {
        if (options.exact) {
            similar.emplace(model);
        } else {
            similar.emplace(table.emplace(model));
        }
        if (options.redis.empty()) {
            const ServeLimits& limits = options.limits;
            store.emplace(model, gru4rec::SessionStoreOptions{
                                     .max_sessions = limits.sessions,
                                     .max_bytes = limits.session_memory << 20U,
                                     .max_idle_seconds = static_cast<double>(limits.session_idle.value)});
        } else {
            redis = redis_address(options.redis, options.redis_password_file);
            redis_host = std::make_shared<RedisHost>(redis.host);
        }
    }
    Parts(const Parts&) = delete;
    Parts& operator=(const Parts&) = delete;
    ~Parts() = default;

    [[nodiscard]] gru4rec::Recommender<Scalar> recommender() const {
        return table ? gru4rec::Recommender<Scalar>(*table) : gru4rec::Recommender<Scalar>(model);
    }

    /// The sessions of a thread, which has this recommender.
    [[nodiscard]] std::unique_ptr<LiveSessions<Scalar>> live_sessions(gru4rec::Recommender<Scalar>& recommender) {
        if (store) {
            return std::make_unique<EmbeddedSessions<Scalar>>(*store, recommender);
        }
        return std::make_unique<RedisSessions<Scalar>>(
            RedisConnection(redis, {}, redis_host), model, codec, recommender,
            RedisSessionsOptions{.max_idle = std::chrono::seconds(options.limits.session_idle.value)});
    }
};

template <class Scalar>
class TypedRanker final : public Ranker {
  public:
    explicit TypedRanker(Parts<Scalar>& parts)
        : parts_(parts),
          recommender_(parts.recommender()),
          similar_(*parts.similar),
          live_(parts.live_sessions(recommender_)) {}

    void run(std::span<Job* const> jobs, const Catalogue& catalogue, const gru4rec::ItemFilter* filter) override {
        while (states_.size() < jobs.size()) {
            states_.emplace_back(parts_.model);
        }
        visit(jobs);
        replay(jobs);
        requests_.clear();
        ranked_.clear();
        similar_requests_.clear();
        compared_.clear();
        for (std::size_t i = 0; i < jobs.size(); ++i) {
            Job& job = *jobs[i];
            job.n_events = states_[i].n_events();
            job.list = "[]";
            if (!job.has_list()) {
                continue;
            }
            if (job.kind == Job::Kind::similar) {
                similar_requests_.push_back({job.events.front(), options_of(job, filter)});
                compared_.push_back(&job);
            } else {
                requests_.push_back({&states_[i], options_of(job, filter)});
                ranked_.push_back(&job);
            }
        }
        write(recommender_.recommend_many(std::span<const Request>(requests_)), catalogue, ranked_);
        write(similar_.find_many(similar_requests_), catalogue, compared_);
    }

    [[nodiscard]] std::string problem() override { return live_->problem(); }

    [[nodiscard]] SessionFigures shared_figures() const override {
        return parts_.store ? SessionFigures{} : live_->figures();
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

    /// Brings the states of live sessions to where their lists can be made, and resets those of the others.
    void visit(std::span<Job* const> jobs) {
        visits_.clear();
        visitors_.clear();
        for (std::size_t i = 0; i < jobs.size(); ++i) {
            Job& job = *jobs[i];
            if (job.kind == Job::Kind::replay || job.kind == Job::Kind::similar) {
                states_[i].reset();
                continue;
            }
            visits_.push_back({.kind = job.kind == Job::Kind::feed   ? VisitKind::feed
                                       : job.kind == Job::Kind::look ? VisitKind::read
                                                                     : VisitKind::erase,
                               .id = job.id,
                               .items = job.events,
                               .session = &states_[i],
                               .reason = {}});
            visitors_.push_back(&job);
        }
        if (visits_.empty()) {
            return;
        }
        live_->serve(visits_);
        for (std::size_t i = 0; i < visits_.size(); ++i) {
            note(visits_[i], *visitors_[i]);
        }
    }

    static void note(const Visit<Scalar>& visit, Job& job) {
        job.found = visit.status != VisitStatus::absent;
        if (visit.status == VisitStatus::unavailable) {
            job.failure.emplace(503, "sessions_unavailable",
                                "live sessions cannot be served now: " + std::string(without_prefix(visit.reason)));
        } else if (visit.status == VisitStatus::refused) {
            job.failure.emplace(422, "session_refused", std::string(without_prefix(visit.reason)));
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

    static void write(std::span<const List> lists, const Catalogue& catalogue, std::span<Job* const> jobs) {
        for (std::size_t i = 0; i < lists.size(); ++i) {
            write(lists[i], catalogue, jobs[i]->list);
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
    std::unique_ptr<LiveSessions<Scalar>> live_;
    std::vector<State> states_;  // one for each job
    std::vector<Visit<Scalar>> visits_;
    std::vector<Job*> visitors_;  // those of visits_
    std::vector<State*> fed_;
    std::vector<gru4rec::ItemIndex> events_;
    std::vector<Request> requests_;
    std::vector<Job*> ranked_;  // those of requests_
    std::vector<gru4rec::SimilarRequest> similar_requests_;
    std::vector<Job*> compared_;  // those of similar_requests_
};

template <class Scalar>
class TypedModel final : public ServedModel {
  public:
    TypedModel(gru4rec::Model<Scalar>&& model, gru4rec::SessionCodec<Scalar>&& codec, const ServeOptions& options)
        : ServedModel(codec.model_hash(), std::is_same_v<Scalar, float> ? "float" : "double"),
          parts_(std::move(model), std::move(codec), options) {}

    [[nodiscard]] const gru4rec::ItemMap& items() const noexcept override { return parts_.model.items(); }
    [[nodiscard]] std::unique_ptr<Ranker> make_ranker() override {
        return std::make_unique<TypedRanker<Scalar>>(parts_);
    }
    void expire_sessions() override {
        if (parts_.store) {
            parts_.store->expire();
        }
    }
    [[nodiscard]] SessionFigures figures() const override {
        return parts_.store ? figures_of(parts_.store->counts()) : SessionFigures{};
    }

  private:
    Parts<Scalar> parts_;
};

template <class Scalar>
[[nodiscard]] std::shared_ptr<ServedModel> load_typed(const ServeOptions& options, const std::string& known) {
    gru4rec::Model<Scalar> model = load<Scalar>(options.model);
    tell_if_not_checked(options.model);
    gru4rec::SessionCodec<Scalar> codec(model);
    if (codec.model_hash() == known) {
        return nullptr;
    }
    return std::make_shared<TypedModel<Scalar>>(std::move(model), std::move(codec), options);
}

}  // namespace

std::shared_ptr<ServedModel> load_served_model(const ServeOptions& options, const std::string& known) {
    return holds_doubles(options.model) ? load_typed<double>(options, known) : load_typed<float>(options, known);
}

}  // namespace cli::server
