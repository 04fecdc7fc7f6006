#include "redis_connection.hpp"

#include "gru4rec/core/error.hpp"

#include <exception>
#include <utility>

#if defined(GRU4REC_HAS_HIREDIS)
#include <hiredis/hiredis.h>

#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#endif

namespace cli {

#if defined(GRU4REC_HAS_HIREDIS)

namespace {

using Clock = std::chrono::steady_clock;

struct FreeContext {
    void operator()(redisContext* context) const noexcept { redisFree(context); }
};
using Context = std::unique_ptr<redisContext, FreeContext>;

struct FreeReply {
    void operator()(redisReply* reply) const noexcept { freeReplyObject(reply); }
};

[[nodiscard]] timeval time_of(std::chrono::milliseconds time) {
    timeval result{};
    result.tv_sec = static_cast<decltype(result.tv_sec)>(time.count() / 1000);
    result.tv_usec = static_cast<decltype(result.tv_usec)>(time.count() % 1000 * 1000);
    return result;
}

[[nodiscard]] RedisReply converted(const redisReply& reply) {
    switch (reply.type) {
        case REDIS_REPLY_NIL: return {};
        case REDIS_REPLY_STRING:
        case REDIS_REPLY_STATUS: return {RedisReply::Kind::text, std::string(reply.str, reply.len), 0};
        case REDIS_REPLY_INTEGER: return {RedisReply::Kind::number, {}, reply.integer};
        case REDIS_REPLY_ERROR: return {RedisReply::Kind::error, std::string(reply.str, reply.len), 0};
        default: return {RedisReply::Kind::error, "an answer of an unknown kind", 0};
    }
}

}  // namespace

struct RedisConnection::Parts {
    enum class Failure { closed, other };

    /// Notes a failure and reports it. A closed connection may be opened again at once, and anything else is worth
    /// another try after a while.
    [[noreturn]] void fail(Failure failure, const std::string& problem) {
        context.reset();
        ++n_failures;
        closed = failure == Failure::closed;
        if (!closed) {
            next_try = Clock::now() + times.retry;
        }
        host->refresh();  // it may have moved
        reason = "Redis at " + address.text() + ": " + problem;
        throw Unavailable(reason);
    }

    [[noreturn]] void fail_as_context_says(const redisContext& failed) {
        // A timeout of the socket is EAGAIN, whose text would help nobody.
        bool timed_out = failed.err == REDIS_ERR_IO && (errno == EAGAIN || errno == EWOULDBLOCK);
#if defined(REDIS_ERR_TIMEOUT)  // hiredis 1.0
        timed_out = timed_out || failed.err == REDIS_ERR_TIMEOUT;
#endif
        const bool was_closed = failed.err == REDIS_ERR_EOF || (failed.err == REDIS_ERR_IO && !timed_out);
        const std::string problem = timed_out ? "no answer within " + std::to_string(times.command.count()) + " ms"
                                              : std::string(failed.errstr);
        fail(was_closed ? Failure::closed : Failure::other, problem);
    }

    void connect() {
        if (context) {
            return;
        }
        if (Clock::now() < next_try) {
            throw Unavailable(reason);
        }
        Context made = connected();
        if (redisSetTimeout(made.get(), time_of(times.command)) != REDIS_OK) {
            fail(Failure::other, made->errstr);
        }
        context = std::move(made);
        introduce();
    }

    /// The first address that answers. All of them are numeric, so no name is looked up here.
    [[nodiscard]] Context connected() {
        const auto end = Clock::now() + times.connect;
        const std::vector<std::string> places = host->addresses();
        std::string problem = "its name is not found (" + host->problem() + ")";
        for (std::size_t i = 0; i < places.size(); ++i) {
            const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
            if (i > 0 && left.count() <= 0) {
                break;
            }
            // An address that is silent leaves time for those after it.
            const auto time = (std::max)(left / static_cast<int>(places.size() - i), std::chrono::milliseconds(1));
            Context made(redisConnectWithTimeout(places[i].c_str(), address.port, time_of(time)));
            if (made && made->err == 0) {
                return made;
            }
            problem = made ? made->errstr : "out of memory";
        }
        fail(Failure::other, problem);
    }

    /// Password and database.
    void introduce() {
        std::vector<RedisCommand> commands;
        if (!address.password.empty()) {
            commands.push_back(address.user.empty() ? RedisCommand{"AUTH", address.password}
                                                    : RedisCommand{"AUTH", address.user, address.password});
        }
        if (address.database != 0) {
            commands.push_back({"SELECT", std::to_string(address.database)});
        }
        std::vector<RedisReply> replies;
        try {
            replies = send(commands);
        } catch (const Unavailable&) {  // a server that accepts and closes shall not be asked all the time
            next_try = Clock::now() + times.retry;
            throw;
        }
        for (std::size_t i = 0; i < replies.size(); ++i) {
            if (replies[i].kind == RedisReply::Kind::error) {
                fail(Failure::other, commands[i].front() + " was refused: " + replies[i].text);
            }
        }
    }

    [[nodiscard]] std::vector<RedisReply> send(std::span<const RedisCommand> commands) {
        std::vector<const char*> texts;
        std::vector<std::size_t> sizes;
        for (const RedisCommand& command : commands) {
            texts.clear();
            sizes.clear();
            for (const std::string& argument : command) {
                texts.push_back(argument.data());
                sizes.push_back(argument.size());
            }
            if (redisAppendCommandArgv(context.get(), static_cast<int>(command.size()), texts.data(), sizes.data()) !=
                REDIS_OK) {
                fail_as_context_says(*context);
            }
        }
        const auto end = Clock::now() + 10 * times.command;
        for (int is_written = 0; is_written == 0;) {
            require(redisBufferWrite(context.get(), &is_written));
            require_before(end);
        }
        std::vector<RedisReply> replies;
        while (replies.size() < commands.size()) {
            void* reply = nullptr;
            require(redisGetReplyFromReader(context.get(), &reply));
            if (reply == nullptr) {
                require_before(end);
                require(redisBufferRead(context.get()));
                continue;
            }
            const std::unique_ptr<redisReply, FreeReply> owned(static_cast<redisReply*>(reply));
            replies.push_back(converted(*owned));
        }
        return replies;
    }

    void require(int result) {
        if (result != REDIS_OK) {
            fail_as_context_says(*context);
        }
    }

    /// The limit of a read is not enough: bytes may come one by one.
    void require_before(Clock::time_point end) {
        if (Clock::now() > end) {
            fail(Failure::other, "no whole answer within " + std::to_string((10 * times.command).count()) + " ms");
        }
    }

    RedisAddress address;
    RedisTimes times;
    std::shared_ptr<RedisHost> host;
    Context context = {};
    Clock::time_point next_try = {};
    std::string reason = {};
    bool closed = false;  ///< the last failure was that Redis had closed the connection
    long long n_failures = 0;
};

RedisConnection::RedisConnection(RedisAddress address, RedisTimes times, std::shared_ptr<RedisHost> host)
    : parts_(new Parts{.address = std::move(address), .times = times, .host = std::move(host)}) {
    if (!parts_->host) {
        parts_->host = std::make_shared<RedisHost>(parts_->address.host);
    }
    // hiredis writes to sockets as to files.
    if (const auto before = std::signal(SIGPIPE, SIG_IGN); before != SIG_DFL && before != SIG_ERR) {
        std::signal(SIGPIPE, before);
    }
}

std::vector<RedisReply> RedisConnection::exchange(std::span<const RedisCommand> commands) {
    parts_->connect();
    return parts_->send(commands);
}

std::vector<RedisReply> RedisConnection::exchange_again_if_closed(std::span<const RedisCommand> commands) {
    const bool was_open = parts_->context != nullptr;
    try {
        return exchange(commands);
    } catch (const Unavailable&) {
        if (!was_open || !parts_->closed) {
            throw;
        }
    }
    return exchange(commands);
}

long long RedisConnection::n_failures() const noexcept { return parts_->n_failures; }

const RedisAddress& RedisConnection::address() const noexcept { return parts_->address; }

#else

struct RedisConnection::Parts {};

RedisConnection::RedisConnection(RedisAddress, RedisTimes, std::shared_ptr<RedisHost>) {
    throw gru4rec::ConfigError(
        "--redis: this program was built without hiredis and cannot keep sessions in Redis; install hiredis (Debian: "
        "libhiredis-dev) and build again, or keep the sessions in the server itself");
}

// There is no object to call these for.
std::vector<RedisReply> RedisConnection::exchange(std::span<const RedisCommand>) { return {}; }
std::vector<RedisReply> RedisConnection::exchange_again_if_closed(std::span<const RedisCommand>) { return {}; }
long long RedisConnection::n_failures() const noexcept { return 0; }
const RedisAddress& RedisConnection::address() const noexcept { std::terminate(); }

#endif

RedisConnection::RedisConnection(RedisConnection&&) noexcept = default;
RedisConnection& RedisConnection::operator=(RedisConnection&&) noexcept = default;
RedisConnection::~RedisConnection() = default;

}  // namespace cli
