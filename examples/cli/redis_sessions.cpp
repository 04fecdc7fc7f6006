#include "redis_sessions.hpp"

#include "gru4rec/core/error.hpp"

#include <algorithm>
#include <map>
#include <thread>
#include <utility>

namespace cli {

namespace {

/// The last bytes of a stored session are a hash of those before: they tell whether it has changed.
constexpr std::size_t version_bytes = 8;

/// Stores a session, or erases it, if it is still the one that was loaded. KEYS: its key. ARGV: version of the loaded
/// one, empty if there was none; bytes, empty to erase; milliseconds until it expires, empty: never.
constexpr std::string_view store_if_same = R"(
local old = redis.call('GET', KEYS[1])
if (old and string.sub(old, -8) or '') ~= ARGV[1] then return 0 end
if ARGV[2] == '' then redis.call('DEL', KEYS[1])
elseif ARGV[3] == '' then redis.call('SET', KEYS[1], ARGV[2])
else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return 1)";

[[nodiscard]] bool is_valid(std::string_view id) noexcept {
    return !id.empty() && id.size() <= gru4rec::SessionStore<float>::max_id_bytes;
}

}  // namespace

template <class Scalar>
RedisSessions<Scalar>::RedisSessions(RedisConnection connection, const gru4rec::Model<Scalar>& model,
                                     const gru4rec::SessionCodec<Scalar>& codec,
                                     gru4rec::Recommender<Scalar>& recommender, RedisSessionsOptions options)
    : connection_(std::move(connection)),
      codec_(codec),
      recommender_(recommender),
      options_(std::move(options)),
      session_(model),
      random_(std::random_device()()) {}

template <class Scalar>
void RedisSessions<Scalar>::serve(std::span<Visit<Scalar>> visits) {
    std::vector<Group> groups = grouped(visits);
    const auto end = std::chrono::steady_clock::now() + options_.conflicts;
    const auto is_finished = [](const Group& group) { return group.is_finished; };
    try {
        while (!groups.empty()) {
            load(visits, groups);
            std::erase_if(groups, is_finished);
            store(visits, groups);
            std::erase_if(groups, is_finished);
            if (std::chrono::steady_clock::now() > end) {
                break;
            }
            if (!groups.empty()) {
                pause();
            }
        }
    } catch (const Unavailable& error) {
        for (Group& group : groups) {
            finish(visits, group, VisitStatus::unavailable, error.what());
        }
    }
    for (Group& group : groups) {
        finish(visits, group, VisitStatus::unavailable,
               "other requests keep changing the session; gave up after " + std::to_string(options_.conflicts.count()) +
                   " ms");
    }
}

template <class Scalar>
std::string RedisSessions<Scalar>::problem() {
    try {
        // A PING is also answered by a Redis that is full or a replica. No session has this key: it has one colon.
        const RedisCommand probe = {"SET", options_.prefix + "readyz", "", "PX", "1000"};
        const RedisReply reply = connection_.exchange_again_if_closed({&probe, 1}).front();
        const bool works = reply.kind == RedisReply::Kind::text;
        return works ? "" : "Redis at " + connection_.address().text() + ": " + reply.text;
    } catch (const Unavailable& error) {
        return error.what();
    }
}

template <class Scalar>
SessionFigures RedisSessions<Scalar>::figures() const {
    return {.n_created = n_created_, .n_conflicts = n_conflicts_, .n_failures = connection_.n_failures()};
}

template <class Scalar>
std::string RedisSessions<Scalar>::key_of(std::string_view id) const {
    return options_.prefix + codec_.model_hash() + ":" + std::string(id);
}

template <class Scalar>
std::vector<typename RedisSessions<Scalar>::Group> RedisSessions<Scalar>::grouped(Visits visits) const {
    std::vector<Group> groups;
    std::map<std::string_view, std::size_t> group_of;
    for (std::size_t i = 0; i < visits.size(); ++i) {
        Visit<Scalar>& visit = visits[i];
        visit.reason.clear();
        if (!is_valid(visit.id)) {
            visit.status = VisitStatus::refused;
            visit.reason =
                "session id: its length = " + std::to_string(visit.id.size()) +
                ", must satisfy 1 <= length <= " + std::to_string(gru4rec::SessionStore<Scalar>::max_id_bytes);
            continue;
        }
        const auto [place, is_first] = group_of.try_emplace(visit.id, groups.size());
        if (is_first) {
            groups.push_back({.visits = {}, .key = key_of(visit.id)});
        }
        groups[place->second].visits.push_back(i);
    }
    return groups;
}

/// Loads the sessions and serves their visits. What need not be stored is finished then.
template <class Scalar>
void RedisSessions<Scalar>::load(Visits visits, std::vector<Group>& groups) {
    std::vector<RedisCommand> commands;
    std::vector<std::size_t> command_of;
    for (const Group& group : groups) {
        command_of.push_back(commands.size());
        if (visits[group.visits.front()].kind == VisitKind::erase && group.visits.size() == 1) {
            commands.push_back({"DEL", group.key});  // whatever it holds
            continue;
        }
        // Not GET: what another program may have put there can be long.
        commands.push_back({"GETRANGE", group.key, "0", std::to_string(codec_.max_bytes())});
        if (options_.max_idle.count() > 0 && only_reads(visits, group)) {
            commands.push_back({"PEXPIRE", group.key, std::to_string(options_.max_idle.count())});
        }
    }
    const std::vector<RedisReply> replies = connection_.exchange_again_if_closed(commands);
    for (std::size_t g = 0; g < groups.size(); ++g) {
        const RedisReply& reply = replies[command_of[g]];
        if (reply.kind == RedisReply::Kind::error) {
            finish_by_error(visits, groups[g], reply.text);
        } else if (reply.kind == RedisReply::Kind::number && commands[command_of[g]].front() != "DEL") {
            finish_by_error(visits, groups[g], "a number where a session was asked for");
        } else if (reply.kind == RedisReply::Kind::number) {
            finish(visits, groups[g], reply.number > 0 ? VisitStatus::done : VisitStatus::absent, "");
        } else {
            apply(visits, groups[g], reply);
        }
    }
}

template <class Scalar>
void RedisSessions<Scalar>::store(Visits visits, std::vector<Group>& groups) {
    const std::string idle = options_.max_idle.count() > 0 ? std::to_string(options_.max_idle.count()) : "";
    std::vector<RedisCommand> commands;
    for (const Group& group : groups) {
        commands.push_back({"EVAL", std::string(store_if_same), "1", group.key, group.version, group.changed, idle});
    }
    if (commands.empty()) {
        return;
    }
    const std::vector<RedisReply> replies = connection_.exchange(commands);
    for (std::size_t g = 0; g < groups.size(); ++g) {
        settle(visits, groups[g], replies[g]);
    }
}

/// Serves the visits of a session that was loaded.
template <class Scalar>
void RedisSessions<Scalar>::apply(Visits visits, Group& group, const RedisReply& loaded) {
    const std::string& bytes = loaded.text;
    bool is_there = !bytes.empty();
    group.was_new = !is_there;
    group.has_changed = false;
    try {
        session_.reset();
        if (is_there) {
            codec_.read(std::as_bytes(std::span(bytes.data(), bytes.size())), session_);
        }
        group.version = bytes.substr(bytes.size() - (std::min)(bytes.size(), version_bytes));
        for (const std::size_t i : group.visits) {
            group.has_changed = group.has_changed || visits[i].kind == VisitKind::feed ||
                                (visits[i].kind == VisitKind::erase && is_there);
            is_there = apply_one(visits[i], is_there);
        }
        group.changed.clear();
        if (is_there && group.has_changed) {
            codec_.write(session_, bytes_);
            group.changed.assign(reinterpret_cast<const char*>(bytes_.data()), bytes_.size());
        }
        group.is_finished = !group.has_changed;
    } catch (const gru4rec::Error& error) {
        finish(visits, group, VisitStatus::refused, error.what());
    }
}

/// Serves a visit with session_, and returns whether there is a session after it.
template <class Scalar>
bool RedisSessions<Scalar>::apply_one(Visit<Scalar>& visit, bool is_there) {
    visit.status = is_there || visit.kind == VisitKind::feed ? VisitStatus::done : VisitStatus::absent;
    switch (visit.kind) {
        case VisitKind::feed:
            if (!is_there) {
                session_.reset();
            }
            for (const gru4rec::ItemIndex item : visit.items) {
                recommender_.advance(session_, item);
            }
            *visit.session = session_;
            return true;
        case VisitKind::read:
            if (is_there) {
                *visit.session = session_;
            }
            return is_there;
        case VisitKind::erase: break;
    }
    return false;
}

/// Takes the answer to store_if_same. A session that others have changed stays to be loaded again.
template <class Scalar>
void RedisSessions<Scalar>::settle(Visits visits, Group& group, const RedisReply& stored) {
    if (stored.kind == RedisReply::Kind::error) {
        finish_by_error(visits, group, stored.text);
    } else if (stored.number == 1) {
        n_created_ += group.was_new && !group.changed.empty() ? 1 : 0;
        group.is_finished = true;
    } else {
        ++n_conflicts_;
    }
}

/// Waits for a random time, so that requests whose changes collided do not collide again.
template <class Scalar>
void RedisSessions<Scalar>::pause() {
    std::this_thread::sleep_for(
        std::chrono::microseconds(std::uniform_int_distribution<std::int64_t>(500, 1500)(random_)));
}

template <class Scalar>
bool RedisSessions<Scalar>::only_reads(Visits visits, const Group& group) {
    return std::all_of(group.visits.begin(), group.visits.end(),
                       [&](std::size_t i) { return visits[i].kind == VisitKind::read; });
}

template <class Scalar>
void RedisSessions<Scalar>::finish(Visits visits, Group& group, VisitStatus status, std::string_view reason) {
    if (group.is_finished) {
        return;
    }
    for (const std::size_t i : group.visits) {
        visits[i].status = status;
        visits[i].reason = reason;
    }
    group.is_finished = true;
}

/// A key of another type is the fault of that session alone; other errors, such as a Redis that is full or still
/// loading, are those of all.
template <class Scalar>
void RedisSessions<Scalar>::finish_by_error(Visits visits, Group& group, const std::string& message) {
    const bool is_of_key = message.find("WRONGTYPE") != std::string::npos;
    finish(visits, group, is_of_key ? VisitStatus::refused : VisitStatus::unavailable,
           is_of_key ? "the session's key in Redis holds something other than a session (" + message + "); erase it"
                     : "Redis refused: " + message.substr(0, 200));
}

template class RedisSessions<float>;
template class RedisSessions<double>;

}  // namespace cli
