#include "cli/redis_sessions.hpp"

#include "gru4rec/io/session_bytes.hpp"
#include "support/contains.hpp"
#include "support/redis_server.hpp"
#include "support/small_models.hpp"

#include <doctest/doctest.h>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace {

using cli::RedisCommand;
using cli::RedisConnection;
using cli::RedisReply;
using cli::RedisSessions;
using cli::RedisSessionsOptions;
using cli::Unavailable;
using cli::Visit;
using cli::VisitKind;
using cli::VisitStatus;
using gru4rec::Index;
using gru4rec::ItemIndex;
using gru4rec::to_item;
using State = gru4rec::SessionState<float>;
using std::chrono::milliseconds;

[[nodiscard]] bool lacks_redis() {
    if (RedisServer::is_installed()) {
        return false;
    }
    MESSAGE("skipped: there is no redis-server (Debian: redis-server)");
    return true;
}

double seconds_of(const auto& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// What one process of several has: a model, a connection, sessions.
struct Client {
    explicit Client(const std::string& url, const RedisSessionsOptions& options = {}, cli::RedisTimes times = {},
                    double first_weight = -2)
        : model(small_models::make<float>({}, {"17", "shoe", "hat", "4", "-5"}, first_weight)),
          codec(model),
          recommender(model),
          sessions(RedisConnection(cli::redis_address(url), times), model, codec, recommender, options) {}

    Visit<float> visit(VisitKind kind, std::string_view id, std::span<const ItemIndex> items = {}) {
        last.emplace(model);
        Visit<float> made{.kind = kind, .id = id, .items = items, .session = &*last};
        sessions.serve({&made, 1});
        return made;
    }
    Visit<float> feed(std::string_view id, Index item = 1) {
        const ItemIndex items[] = {to_item(item)};
        return visit(VisitKind::feed, id, items);
    }
    /// Events of a session; -1: there is none.
    Index n_events(std::string_view id) {
        const Visit<float> made = visit(VisitKind::read, id);
        REQUIRE_MESSAGE((made.status == VisitStatus::done || made.status == VisitStatus::absent), made.reason);
        return made.status == VisitStatus::done ? last->n_events() : -1;
    }

    gru4rec::Model<float> model;
    gru4rec::SessionCodec<float> codec;
    gru4rec::Recommender<float> recommender;
    RedisSessions<float> sessions;
    std::optional<State> last;
};

RedisReply command(const std::string& url, const RedisCommand& what) {
    RedisConnection connection(cli::redis_address(url), {.command = milliseconds(2000)});
    return connection.exchange({&what, 1}).front();
}

/// A port of 127.0.0.2 whose connections stay unanswered: the queue of those that nobody accepts is full.
class SilentAddress {
  public:
    explicit SilentAddress(int port) : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(port));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
        const auto* const to = reinterpret_cast<const sockaddr*>(&address);
        REQUIRE(::bind(listener_, to, sizeof(address)) == 0);
        REQUIRE(::listen(listener_, 0) == 0);
        for (int& client : clients_) {
            client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
            static_cast<void>(::connect(client, to, sizeof(address)));
        }
    }
    SilentAddress(const SilentAddress&) = delete;
    SilentAddress& operator=(const SilentAddress&) = delete;
    ~SilentAddress() {
        ::close(listener_);
        for (const int client : clients_) {
            ::close(client);
        }
    }

  private:
    int listener_;
    std::array<int, 4> clients_{};
};

/// Answers with the start of a long text, and then with a byte every 10 ms.
class DrippingServer {
  public:
    DrippingServer() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof(address);
        REQUIRE(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), size) == 0);
        REQUIRE(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
        REQUIRE(::listen(listener_, 1) == 0);
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this] {
            const int client = ::accept(listener_, nullptr, nullptr);
            std::string text = "$100000\r\n";
            while (::send(client, text.data(), text.size(), MSG_NOSIGNAL) > 0) {
                text = "x";
                std::this_thread::sleep_for(milliseconds(10));
            }
            ::close(client);
        });
    }
    DrippingServer(const DrippingServer&) = delete;
    DrippingServer& operator=(const DrippingServer&) = delete;
    ~DrippingServer() {
        ::shutdown(listener_, SHUT_RDWR);  // wakes accept(), if nobody has come
        thread_.join();
        ::close(listener_);
    }
    [[nodiscard]] std::string url() const { return "redis://127.0.0.1:" + std::to_string(port_); }

  private:
    int listener_;
    int port_ = 0;
    std::thread thread_;
};

/// Waits for something that other processes do; false if it does not come.
bool comes_true(const auto& condition) {
    for (int attempt = 0; attempt < 500; ++attempt) {
        if (condition()) {
            return true;
        }
        std::this_thread::sleep_for(milliseconds(10));
    }
    return false;
}

}  // namespace

TEST_CASE("sessions in Redis go on in another process, to the bit") {
    if (lacks_redis()) {
        return;
    }
    const RedisServer server;
    Client first(server.url());
    Client second(server.url());
    State by_hand(first.model);
    for (Index event = 0; event < 10; ++event) {
        Client& client = event % 2 == 0 ? first : second;
        CHECK(client.feed("visitor", event % 5).status == VisitStatus::done);
        first.recommender.advance(by_hand, to_item(event % 5));
        CHECK(client.last->n_events() == by_hand.n_events());
        CHECK(std::equal(by_hand.values().begin(), by_hand.values().end(), client.last->values().begin()));
    }
    CHECK(first.n_events("visitor") == 10);
    CHECK(first.n_events("visito") == -1);
    CHECK(first.sessions.figures().n_created == 1);
    CHECK(second.sessions.figures().n_created == 0);
    CHECK(first.sessions.problem().empty());
}

TEST_CASE("a batch on Redis does what the embedded store does with it") {
    if (lacks_redis()) {
        return;
    }
    const RedisServer server;
    Client client(server.url());
    gru4rec::SessionStore<float> store(client.model);
    cli::EmbeddedSessions<float> embedded(store, client.recommender);
    std::mt19937 random(4);
    const std::vector<ItemIndex> items = {to_item(0), to_item(3), to_item(1), to_item(4)};
    const std::string long_id(256, '\xff');
    const std::vector<std::string> ids = {"a", "b", std::string("a\0b", 3), long_id, long_id + "x", "", "c d\r\n"};
    for (int round = 0; round < 200; ++round) {
        const std::size_t n = random() % 12;
        std::vector<State> states(2 * n, State(client.model));
        std::vector<Visit<float>> here;
        for (std::size_t i = 0; i < n; ++i) {
            const auto kind = random() % 5;
            here.push_back({.kind = kind == 0   ? VisitKind::erase
                                    : kind == 1 ? VisitKind::read
                                                : VisitKind::feed,
                            .id = ids[random() % ids.size()],
                            .items = std::span(items).first(random() % 5),
                            .session = &states[i]});
        }
        std::vector<Visit<float>> there = here;
        for (std::size_t i = 0; i < n; ++i) {
            there[i].session = &states[n + i];
        }
        client.sessions.serve(there);
        embedded.serve(here);
        for (std::size_t i = 0; i < n; ++i) {
            CHECK(there[i].status == here[i].status);
            CHECK(contains(here[i].reason, there[i].reason));
            CHECK(there[i].reason.empty() == here[i].reason.empty());
            CHECK(states[i].n_events() == states[n + i].n_events());
            CHECK(std::equal(states[i].values().begin(), states[i].values().end(), states[n + i].values().begin()));
        }
    }
}

TEST_CASE("clients that feed the same sessions at the same time lose no event") {
    if (lacks_redis()) {
        return;
    }
    const RedisServer server;
    constexpr int n_clients = 3;
    constexpr int n_rounds = 150;
    const RedisSessionsOptions options{.conflicts = milliseconds(20000)};
    const cli::RedisTimes times{.connect = milliseconds(5000), .command = milliseconds(5000)};
    std::atomic<int> n_done = 0;
    std::atomic<std::int64_t> n_conflicts = 0;
    std::vector<std::thread> threads;
    for (int thread = 0; thread < n_clients; ++thread) {
        threads.emplace_back([&] {
            Client client(server.url(), options, times);
            const std::vector<ItemIndex> items = {to_item(1)};
            std::vector<State> states(2, State(client.model));
            for (int round = 0; round < n_rounds; ++round) {
                std::vector<Visit<float>> visits = {
                    {.kind = VisitKind::feed, .id = "x", .items = items, .session = &states[0]},
                    {.kind = VisitKind::feed, .id = "y", .items = items, .session = &states[1]}};
                client.sessions.serve(visits);
                n_done += visits[0].status == VisitStatus::done && visits[1].status == VisitStatus::done ? 1 : 0;
            }
            n_conflicts += client.sessions.figures().n_conflicts;
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(n_done == n_clients * n_rounds);
    CHECK(n_conflicts > 0);  // or nothing was tested
    Client client(server.url());
    CHECK(client.n_events("x") == n_clients * n_rounds);
    CHECK(client.n_events("y") == n_clients * n_rounds);
}

TEST_CASE("a session that others change all the time is given up after the time for conflicts") {
    if (lacks_redis()) {
        return;
    }
    const RedisServer server;
    std::atomic<bool> enough = false;
    std::vector<std::thread> others;
    for (int thread = 0; thread < 3; ++thread) {
        others.emplace_back([&] {
            Client other(server.url(), {.conflicts = milliseconds(0)});
            while (!enough) {
                static_cast<void>(other.feed("x"));
            }
        });
    }
    const bool given_up = comes_true([&] {
        Client impatient(server.url(), {.conflicts = milliseconds(0)});
        const Visit<float> visit = impatient.feed("x");
        return visit.status == VisitStatus::unavailable &&
               contains(visit.reason, "other requests keep changing the session; gave up after");
    });
    enough = true;
    for (std::thread& other : others) {
        other.join();
    }
    CHECK(given_up);
}

TEST_CASE("a conflict is tried again after a pause, not as fast as Redis answers") {
    // Whatever is asked of it: there is no session, and another process has made one meanwhile.
    const LoopbackSocket listener;
    const int port = listener.listen();
    std::thread redis([&] {
        const int client = listener.accept();
        std::array<char, 65536> request;
        for (int n = 0; ::recv(client, request.data(), request.size(), 0) > 0; ++n) {
            const std::string_view answer = n % 2 == 0 ? "$0\r\n\r\n" : ":0\r\n";
            ::send(client, answer.data(), answer.size(), MSG_NOSIGNAL);
        }
        ::close(client);
    });
    {
        Client client("redis://127.0.0.1:" + std::to_string(port), {.conflicts = milliseconds(300)},
                      {.connect = milliseconds(2000), .command = milliseconds(2000)});
        const Visit<float> visit = client.feed("x");
        CHECK(visit.status == VisitStatus::unavailable);
        CHECK(contains(visit.reason, "other requests keep changing the session; gave up after"));
        CHECK(client.sessions.figures().n_conflicts > 1);
        CHECK(client.sessions.figures().n_conflicts < 300 * 2);  // a pause is half a millisecond or more
    }
    redis.join();
}

TEST_CASE("a name is looked up aside, however long that takes, and what was found last is used") {
    if (lacks_redis()) {
        return;
    }
    RedisServer server;
    struct Names {
        std::mutex slow;
        std::atomic<int> n_looked_up = 0;
        std::atomic<bool> have_changed = false;
    };
    const auto names = std::make_shared<Names>();  // a look-up may end after this test
    const auto host = std::make_shared<cli::RedisHost>("shop", [names](const std::string& name) {
        CHECK(name == "shop");
        ++names->n_looked_up;
        const std::lock_guard<std::mutex> lock(names->slow);
        return std::vector<std::string>{names->have_changed ? "127.0.0.1" : "127.0.0.2"};
    });
    CHECK(names->n_looked_up == 1);
    cli::RedisAddress address = cli::redis_address(server.url());
    address.host = "shop";
    RedisConnection connection(address, {.retry = milliseconds(1)}, host);
    const RedisCommand ping = {"PING"};
    {
        const std::lock_guard<std::mutex> lock(names->slow);
        names->have_changed = true;
        for (int attempt = 0; attempt < 20; ++attempt) {  // at the address that nobody listens at
            CHECK(seconds_of([&] { CHECK_THROWS_AS((void)connection.exchange({&ping, 1}), Unavailable); }) < 1);
            std::this_thread::sleep_for(milliseconds(2));
        }
        CHECK(comes_true([&] { return names->n_looked_up == 2; }));  // once, as it goes on
    }
    CHECK(comes_true([&] {
        try {
            return connection.exchange({&ping, 1}).front().text == "PONG";
        } catch (const Unavailable&) {
            return false;
        }
    }));
}

TEST_CASE("a name that is not found makes sessions unavailable and is said with the reason") {
    if (lacks_redis()) {
        return;
    }
    const auto none = std::make_shared<cli::RedisHost>(
        "shop", [](const std::string&) -> std::vector<std::string> { throw std::runtime_error("no such name"); });
    CHECK(none->addresses().empty());
    cli::RedisAddress address;
    address.host = "shop";
    RedisConnection connection(address, {}, none);
    const RedisCommand ping = {"PING"};
    try {
        (void)connection.exchange({&ping, 1});
        FAIL("it was answered");
    } catch (const Unavailable& error) {
        CHECK(contains(error.what(), "Redis at shop:6379: its name is not found (no such name)"));
    }
    const RedisServer server;
    RedisConnection by_name(cli::redis_address("redis://localhost:" + std::to_string(server.port())),
                            {.connect = milliseconds(2000), .command = milliseconds(2000)});
    CHECK(by_name.exchange({&ping, 1}).front().text == "PONG");
    CHECK(cli::RedisHost("::1").addresses() == std::vector<std::string>{"::1"});
    CHECK(cli::RedisHost("10.0.0.7").addresses() == std::vector<std::string>{"10.0.0.7"});
}

TEST_CASE("an address of Redis that refuses or is silent leaves time for the next one") {
    if (lacks_redis()) {
        return;
    }
    const RedisServer server;
    const auto host = std::make_shared<cli::RedisHost>("shop", [](const std::string&) {
        return std::vector<std::string>{"127.0.0.2", "127.0.0.1"};
    });
    const RedisCommand ping = {"PING"};
    const cli::RedisTimes times{.connect = milliseconds(1000), .command = milliseconds(2000)};
    const auto answer = [&] {
        RedisConnection connection(cli::redis_address(server.url()), times, host);
        return connection.exchange({&ping, 1}).front().text;
    };
    CHECK(answer() == "PONG");  // nobody listens at the first address
    const SilentAddress silent(server.port());
    CHECK(seconds_of([&] { CHECK(answer() == "PONG"); }) > 0.4);
}

TEST_CASE("a session expires in Redis unless it is used, and to be read is to be used") {
    if (lacks_redis()) {
        return;
    }
    const RedisServer server;
    Client client(server.url(), {.max_idle = milliseconds(60000)});
    client.feed("fed");
    client.feed("read");
    const auto left = [&](const std::string& id) {
        return command(server.url(), {"PTTL", client.sessions.key_of(id)}).number;
    };
    for (const std::string id : {"fed", "read"}) {
        CHECK(left(id) > 50000);
        CHECK(left(id) <= 60000);
        REQUIRE(command(server.url(), {"PEXPIRE", client.sessions.key_of(id), "5000"}).number == 1);
        REQUIRE(left(id) <= 5000);
    }
    client.feed("fed");
    CHECK(left("fed") > 50000);
    CHECK(client.n_events("read") == 1);
    CHECK(left("read") > 50000);

    Client brief(server.url(), {.max_idle = milliseconds(30), .prefix = "brief:"});
    brief.feed("a");
    std::this_thread::sleep_for(milliseconds(60));
    CHECK(brief.n_events("a") == -1);

    Client lasting(server.url(), {.max_idle = milliseconds(0), .prefix = "lasting:"});
    lasting.feed("a");
    CHECK(lasting.n_events("a") == 1);
    CHECK(command(server.url(), {"PTTL", lasting.sessions.key_of("a")}).number == -1);
}

TEST_CASE("a key has the model's hash in it, so that another model starts new sessions") {
    if (lacks_redis()) {
        return;
    }
    const RedisServer server;
    Client client(server.url(), {.prefix = "shop:"});
    Client other(server.url(), {.prefix = "shop:"}, {}, 5);
    client.feed("a");
    CHECK(other.n_events("a") == -1);
    CHECK(client.sessions.key_of("a") == "shop:" + client.codec.model_hash() + ":a");
    CHECK(command(server.url(), {"EXISTS", "shop:" + client.codec.model_hash() + ":a"}).number == 1);
}

TEST_CASE("a key that does not hold a session is refused for that visit alone, and can be erased") {
    if (lacks_redis()) {
        return;
    }
    const RedisServer server;
    Client client(server.url());
    client.feed("good");
    const auto put = [&](const std::string& id, const std::string& bytes) {
        command(server.url(), {"SET", client.sessions.key_of(id), bytes});
    };
    const std::string good = command(server.url(), {"GET", client.sessions.key_of("good")}).text;
    put("junk", "junk");
    put("cut", good.substr(0, good.size() - 1));
    put("changed", [&] {
        std::string bytes = good;
        bytes[bytes.size() - 10] ^= 1;
        return bytes;
    }());
    put("long", good + std::string(1 << 20, 'x'));
    command(server.url(), {"LPUSH", client.sessions.key_of("list"), "x"});
    const std::vector<std::pair<std::string, std::string>> refusals = {
        {"junk", "session bytes: magic: "},
        {"cut", "session bytes: length: "},
        {"changed", "session bytes: checksum: "},
        {"long", "session bytes: length: "},
        {"list", "holds something other than a session"}};
    for (const auto& [id, reason] : refusals) {
        for (const VisitKind kind : {VisitKind::feed, VisitKind::read}) {
            const Visit<float> visit = client.visit(kind, id);
            CHECK(visit.status == VisitStatus::refused);
            CHECK_MESSAGE(contains(visit.reason, reason), visit.reason);
        }
    }
    std::vector<State> states(2, State(client.model));
    std::vector<Visit<float>> visits = {{.kind = VisitKind::feed, .id = "junk", .session = &states[0]},
                                        {.kind = VisitKind::read, .id = "good", .session = &states[1]}};
    client.sessions.serve(visits);
    CHECK(visits[0].status == VisitStatus::refused);
    CHECK(visits[1].status == VisitStatus::done);
    for (const auto& [id, reason] : refusals) {
        CHECK(client.visit(VisitKind::erase, id).status == VisitStatus::done);
        CHECK(client.feed(id).status == VisitStatus::done);
        CHECK(client.last->n_events() == 1);
    }
}

TEST_CASE("a Redis that is gone is said to be at once, and one that is back is used by itself") {
    if (lacks_redis()) {
        return;
    }
    RedisServer server;
    Client client(server.url(), {}, {.retry = milliseconds(200)});
    CHECK(client.feed("a").status == VisitStatus::done);
    server.stop();
    for (int attempt = 0; attempt < 20; ++attempt) {
        Visit<float> visit;
        CHECK(seconds_of([&] { visit = client.feed("a"); }) < 1);
        CHECK(visit.status == VisitStatus::unavailable);
        CHECK_MESSAGE(contains(visit.reason, "Redis at 127.0.0.1:" + std::to_string(server.port()) + ": "),
                      visit.reason);
    }
    CHECK_FALSE(client.sessions.problem().empty());
    const auto n_failures = client.sessions.figures().n_failures;
    CHECK(n_failures >= 1);
    CHECK(n_failures < 15);  // most were not tried
    server.start();
    CHECK(comes_true([&] { return client.feed("b").status == VisitStatus::done; }));
    CHECK(client.sessions.problem().empty());
    CHECK(client.n_events("b") == 1);
}

TEST_CASE("a connection that Redis has closed is opened again without an error") {
    if (lacks_redis()) {
        return;
    }
    RedisServer server;
    Client client(server.url());
    CHECK(client.feed("a").status == VisitStatus::done);
    command(server.url(), {"CLIENT", "KILL", "TYPE", "normal"});
    CHECK(client.feed("a").status == VisitStatus::done);
    CHECK(client.last->n_events() == 2);
    server.stop();
    server.start();
    CHECK(client.feed("a").status == VisitStatus::done);
    CHECK(client.last->n_events() == 1);
}

TEST_CASE("a Redis whose answer comes a byte at a time is given up after ten times the wait for bytes") {
    const DrippingServer server;
    RedisConnection connection(cli::redis_address(server.url()), {.command = milliseconds(50)});
    const RedisCommand ping = {"PING"};
    std::string reason;
    CHECK(seconds_of([&] {
              try {
                  static_cast<void>(connection.exchange({&ping, 1}));
              } catch (const cli::Unavailable& unavailable) {
                  reason = unavailable.what();
              }
          }) > 0.4);
    CHECK_MESSAGE(contains(reason, "no whole answer within 500 ms"), reason);
}

TEST_CASE("a Redis that hangs is waited for once, not by every request") {
    if (lacks_redis()) {
        return;
    }
    RedisServer server;
    Client client(server.url(), {}, {.command = milliseconds(200), .retry = milliseconds(60000)});
    CHECK(client.feed("a").status == VisitStatus::done);
    server.freeze();
    const Visit<float> first = client.feed("a");
    CHECK(first.status == VisitStatus::unavailable);
    CHECK_MESSAGE(contains(first.reason, "no answer within 200 ms"), first.reason);
    CHECK(seconds_of([&] {
              for (int attempt = 0; attempt < 50; ++attempt) {
                  CHECK(client.feed("a").status == VisitStatus::unavailable);
              }
          }) < 5);
    CHECK(client.sessions.figures().n_failures == 1);
    server.thaw();
}

TEST_CASE("a port where nobody listens, or nobody answers, is reported in time, and with its address") {
    int port = 0;
    {
        const LoopbackSocket socket;
        port = socket.listen();
        Client client("redis://127.0.0.1:" + std::to_string(port));
        Visit<float> visit;
        CHECK(seconds_of([&] { visit = client.feed("a"); }) < 2);
        CHECK(visit.status == VisitStatus::unavailable);
        CHECK(contains(visit.reason, "no answer within 100 ms"));
    }
    Client client("redis://127.0.0.1:" + std::to_string(port));
    const Visit<float> visit = client.feed("a");
    CHECK(visit.status == VisitStatus::unavailable);
    CHECK_MESSAGE(contains(visit.reason, "Redis at 127.0.0.1:" + std::to_string(port) + ": Connection refused"),
                  visit.reason);
}

TEST_CASE("password and database are those of the address, and no message shows the password") {
    if (lacks_redis()) {
        return;
    }
    const RedisServer server({"--requirepass", "s3cret"});
    const std::string rest = "@127.0.0.1:" + std::to_string(server.port());
    Client right("redis://:s3cret" + rest + "/3");
    CHECK(right.feed("a").status == VisitStatus::done);
    CHECK(command("redis://default:s3cret" + rest + "/3", {"DBSIZE"}).number == 1);
    CHECK(command("redis://:s3cret" + rest, {"DBSIZE"}).number == 0);
    for (const std::string& login :
         {"redis://:s3cret2" + rest, "redis://nobody:s3cret" + rest, server.url(), "redis://:s3cret" + rest + "/99"}) {
        Client wrong(login);
        const Visit<float> visit = wrong.feed("a");
        CHECK(visit.status == VisitStatus::unavailable);
        CAPTURE(visit.reason);
        CHECK_FALSE(contains(visit.reason, "s3cret"));
        CHECK_FALSE(contains(wrong.sessions.problem(), "s3cret"));
        CHECK_FALSE(wrong.sessions.problem().empty());
    }
    Client wrong("redis://:other" + rest);
    CHECK(contains(wrong.feed("a").reason, "AUTH was refused: WRONGPASS"));
}

TEST_CASE("a Redis that is full refuses new events with its reason, and sessions can still be read") {
    if (lacks_redis()) {
        return;
    }
    const RedisServer server;
    Client client(server.url());
    client.feed("a");
    command(server.url(), {"CONFIG", "SET", "maxmemory", "1"});
    const Visit<float> visit = client.feed("a");
    CHECK(visit.status == VisitStatus::unavailable);
    CHECK_MESSAGE(contains(visit.reason, "OOM"), visit.reason);
    CHECK(client.n_events("a") == 1);
    command(server.url(), {"CONFIG", "SET", "maxmemory", "0"});
    CHECK(client.feed("a").status == VisitStatus::done);
}
