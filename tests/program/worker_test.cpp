#include "cli/serve/worker.hpp"

#include <doctest/doctest.h>

#include <boost/asio/post.hpp>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <future>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "gru4rec/core/error.hpp"

#include "cli/serve/compiled_files.hpp"
#include "cli/serve/requests.hpp"
#include "cli/serve/served_model.hpp"
#include "support/contains.hpp"
#include "support/sanitizers.hpp"

// A thread of the server with a model that computes nothing: what becomes of requests when memory is short, or a model
// slow.

// This program's operator new fails when it is told to, and counts, in a thread that asks for it.
namespace {

constexpr int never = -1;
thread_local int allocations_before_failure = never;
thread_local int failures_in_a_row = 0;
thread_local int n_failures = 0;
thread_local long n_allocations = 0;

void* allocated(std::size_t size) {
    ++n_allocations;
    if (allocations_before_failure == 0) {
        ++n_failures;
        if (--failures_in_a_row <= 0) {
            allocations_before_failure = never;
        }
        throw std::bad_alloc();
    }
    if (allocations_before_failure > 0) {
        --allocations_before_failure;
    }
    void* const memory = std::malloc(size == 0 ? 1 : size);
    if (memory == nullptr) {
        throw std::bad_alloc();
    }
    return memory;
}

}  // namespace

[[gnu::noinline]] void* operator new(std::size_t size) { return allocated(size); }
[[gnu::noinline]] void* operator new[](std::size_t size) { return allocated(size); }
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    try {
        return allocated(size);
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}
[[gnu::noinline]] void* operator new[](std::size_t size, const std::nothrow_t& nothrow) noexcept {
    return operator new(size, nothrow);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

namespace {

namespace asio = boost::asio;
using namespace cli::server;
using tcp = asio::ip::tcp;

/// Lists what was asked for, best first; the item "4" breaks it.
class ModestRanker final : public Ranker {
  public:
    void run(std::span<Job* const> jobs, const Catalogue& catalogue, const gru4rec::ItemFilter*) override {
        for (Job* const job : jobs) {
            job->list = "[";
            for (const gru4rec::ItemIndex item : job->events) {
                if (gru4rec::to_index(item) == 4) {
                    throw std::runtime_error("the item 4");
                }
                job->list += job->list.size() > 1 ? ",{" : "{";
                catalogue.append_fields(job->list, item);
                job->list += '}';
            }
            job->list += ']';
        }
    }
    [[nodiscard]] std::string problem() override { return {}; }
    [[nodiscard]] cli::SessionFigures shared_figures() const override { return {}; }
};

class ModestModel final : public ServedModel {
  public:
    explicit ModestModel(const std::string& hash) : ServedModel(hash, "float") {
        for (int i = 0; i < 200'000; ++i) {
            items_.insert(std::to_string(i));
        }
    }
    [[nodiscard]] const gru4rec::ItemMap& items() const noexcept override { return items_; }
    [[nodiscard]] std::unique_ptr<Ranker> make_ranker() override { return std::make_unique<ModestRanker>(); }
    void expire_sessions() override {}
    [[nodiscard]] cli::SessionFigures figures() const override { return {}; }

  private:
    gru4rec::ItemMap items_;
};

std::function<void()> while_loading;
int n_loaded = 0;

/// A worker and all that it works with.
struct Workshop {
    Workshop() {
        shared.counters.push_back(&worker.counters());
        thread = std::thread([this] { worker.run(); });
    }
    Workshop(const Workshop&) = delete;
    Workshop& operator=(const Workshop&) = delete;
    ~Workshop() {
        std::promise<void> ended;
        std::thread watch([ended = ended.get_future()] {
            if (ended.wait_for(std::chrono::seconds(30)) != std::future_status::ready) {
                std::fputs("the worker does not stop\n", stderr);
                std::abort();
            }
        });
        worker.stop();
        thread.join();
        background.searches.join();
        background.filters.join();
        ended.set_value();
        watch.join();
        CHECK(shared.state.connections == 0);
    }

    /// Runs something in the worker's thread, or in one of the background, and waits for it.
    template <class Executor, class Work>
    static void in_thread(Executor& executor, Work work) {
        std::promise<void> done;
        asio::post(executor, [&] {
            work();
            done.set_value();
        });
        done.get_future().wait();
    }

    /// What the server answers until it closes the connection; nullopt: it does not within 5 seconds.
    std::optional<std::string> ask(const std::string& text) {
        const int client = connection();
        ::send(client, text.data(), text.size(), MSG_NOSIGNAL);  // fails if the connection has been closed already
        std::string answer;
        std::array<char, 65536> part;
        ssize_t n = 0;
        while ((n = ::recv(client, part.data(), part.size(), 0)) > 0) {
            answer.append(part.data(), static_cast<std::size_t>(n));
        }
        const bool has_ended = n == 0 || errno != EAGAIN;
        ::close(client);
        return has_ended ? std::optional(answer) : std::nullopt;
    }

    /// The client's end of a connection of the worker.
    int connection() {
        std::array<int, 2> ends{};
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
        timeval longest{};
        longest.tv_sec = 5;
        ::setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &longest, sizeof(longest));
        tcp::socket socket(worker.context());
        socket.assign(tcp::v4(), ends[1]);
        ++shared.state.connections;
        worker.take(std::move(socket));
        in_thread(worker.context(), [] {});
        return ends[0];
    }

    cli::ServeOptions options = [] {
        cli::ServeOptions chosen;
        chosen.model = "/nonexistent";
        chosen.insecure = true;
        return chosen;
    }();
    Access access;
    Page page{{}};
    RequestLog log{"/dev/null"};
    ModelHolder holder{options};
    Shared shared{options, access, page, holder, {}, {}};
    Background background;
    Worker worker{shared, log, background};
    std::thread thread;
};

[[nodiscard]] std::string post(const std::string& path, const std::string& body, const std::string& method = "POST") {
    return method + " " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n" +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

[[nodiscard]] std::string get(const std::string& path) {
    return "GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
}

[[nodiscard]] std::string list_of_ids(int n, const std::string& prefix = "") {
    std::string list;
    for (int i = 0; i < n; ++i) {
        list += (list.empty() ? "\"" : ",\"") + prefix + std::to_string(i % 3) + "\"";
    }
    return "[" + list + "]";
}

/// Several requests of each kind, so that every part of the server takes part.
[[nodiscard]] std::vector<std::string> requests() {
    const std::string session = R"({"session": ["1", "2"], "exclude": ["no item of this model at all"]})";
    std::string batch = session;
    for (int i = 0; i < 20; ++i) {
        batch += ',';
        batch += session;
    }
    const std::string keeps = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    return {post("/v1/recommend", session),
            post("/v1/sessions/somebody/events", R"({"item": "1", "n": 3})"),
            post("/v1/recommend/batch", R"({"requests": [)" + batch + "]}"),
            post("/v1/recommend", R"({"session": ["4"]})"),
            post("/v1/recommend", "{"),
            get("/v1/items/1/similar?exclude=2&n=4"),
            get("/v1/items?search=17"),
            get("/metrics"),
            "nonsense\r\n\r\n",
            keeps + keeps + post("/v1/recommend", session) + keeps,
            post("/v1/filter", R"({"exclude": ["7", "an item that the model does not have"]})", "PUT")};
}

/// Lets an allocation of a thread fail, and those after it: the `after`-th from now. @returns failures before that
template <class Executor>
int set_failure(Executor& executor, int after, int in_a_row) {
    int before = 0;
    Workshop::in_thread(executor, [&] {
        before = std::exchange(n_failures, 0);
        failures_in_a_row = in_a_row;
        allocations_before_failure = after;
    });
    return before;
}

/// The messages of thousands of failures go nowhere.
class QuietMessages {
  public:
    QuietMessages() : before_(::dup(STDERR_FILENO)) {
        const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
        ::dup2(nowhere, STDERR_FILENO);
        ::close(nowhere);
    }
    QuietMessages(const QuietMessages&) = delete;
    QuietMessages& operator=(const QuietMessages&) = delete;
    ~QuietMessages() {
        ::dup2(before_, STDERR_FILENO);
        ::close(before_);
    }

  private:
    int before_;
};

/// What `work` tells on standard error.
template <class Work>
[[nodiscard]] std::string messages_of(const Work& work) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), &std::fclose);
    REQUIRE(file != nullptr);
    const int before = ::dup(STDERR_FILENO);
    ::dup2(::fileno(file.get()), STDERR_FILENO);
    work();
    ::dup2(before, STDERR_FILENO);
    ::close(before);
    std::array<char, 4096> text{};
    const ssize_t n = ::pread(::fileno(file.get()), text.data(), text.size(), 0);
    return {text.data(), static_cast<std::size_t>(n)};
}

void check_form(const std::string& answer) {
    CAPTURE(answer);
    CHECK((answer.empty() || answer.starts_with("HTTP/1.1 ")));
}

}  // namespace

// In place of what the program has.
std::shared_ptr<ServedModel> cli::server::load_served_model(const ServeOptions&, const std::string&) {
    if (while_loading) {
        while_loading();
    }
    return std::make_shared<ModestModel>("model " + std::to_string(++n_loaded));
}

std::span<const CompiledFile> cli::server::compiled_files() noexcept { return {}; }

TEST_CASE("a ranking that fails is answered with an error, and the next request is served") {
    Workshop workshop;
    const QuietMessages quiet;
    const auto failed = workshop.ask(post("/v1/recommend", R"({"session": ["4"]})"));
    REQUIRE(failed.has_value());
    CHECK(contains(*failed, "HTTP/1.1 500 "));
    CHECK(contains(*failed, "\"internal\""));
    CHECK(contains(workshop.ask(post("/v1/recommend", R"({"session": ["1"]})")).value(), R"("items":[{"id":"1"}])"));
}

// ThreadSanitizer's operator new takes the place of this file's: there no allocation fails.
TEST_CASE("whichever allocation fails in the thread of a request, it ends in an answer or a closed connection" *
          doctest::skip(sanitizers::thread)) {
    Workshop workshop;
    const QuietMessages quiet;
    for (const std::string& request : requests()) {
        CAPTURE(request);
        for (const int in_a_row : {1, 3}) {
            int k = 0;
            for (bool has_failed = true; has_failed && k < 2000; ++k) {
                CAPTURE(k);
                set_failure(workshop.worker.context(), k, in_a_row);
                const auto answer = workshop.ask(request);
                has_failed = set_failure(workshop.worker.context(), never, 0) > 0;
                REQUIRE_MESSAGE(answer.has_value(), "no answer, and the connection is open");
                check_form(*answer);
            }
            CHECK(k > 3);
            CHECK(k < 2000);
        }
        const auto usual = workshop.ask(request);
        REQUIRE(usual.has_value());
        CHECK(usual->starts_with("HTTP/1.1 "));
    }
}

TEST_CASE("whichever allocation fails in the background, the request ends in an answer" *
          doctest::skip(sanitizers::thread)) {
    Workshop workshop;
    const QuietMessages quiet;
    const auto check = [&](asio::thread_pool& threads, const std::string& request) {
        int k = 0;
        for (bool has_failed = true; has_failed && k < 2000; ++k) {
            CAPTURE(k);
            set_failure(threads, k, 1);
            const auto answer = workshop.ask(request);
            has_failed = set_failure(threads, never, 0) > 0;
            REQUIRE_MESSAGE(answer.has_value(), "no answer, and the connection is open");
            CHECK(answer->starts_with("HTTP/1.1 "));
        }
        CHECK(k > 3);
        CHECK(k < 2000);
        CHECK(contains(workshop.ask(request).value(), "HTTP/1.1 200 "));
    };
    check(workshop.background.filters, post("/v1/filter", R"({"exclude": ["7", "8"]})", "PUT"));
    check(workshop.background.searches, get("/v1/items?search=17"));
}

TEST_CASE("a filter and a search do not wait for a model that is being loaded, which then has the filter") {
    Workshop workshop;
    std::promise<void> loading, go_on;
    while_loading = [&] {
        loading.set_value();
        go_on.get_future().wait();
    };
    asio::post(workshop.background.models, [&] { workshop.holder.reload(); });
    loading.get_future().wait();
    const std::string before = workshop.holder.serving()->model->hash();
    CHECK(contains(workshop.ask(post("/v1/filter", R"({"exclude": ["7"]})", "PUT")).value(), R"("allowed":199999)"));
    CHECK(contains(workshop.ask(get("/v1/items?search=199")).value(), R"("id":"199")"));
    CHECK(workshop.holder.serving()->model->hash() == before);
    go_on.set_value();
    workshop.background.models.join();
    while_loading = nullptr;
    const auto serving = workshop.holder.serving();
    CHECK(serving->model->hash() != before);
    CHECK(serving->filter.n_allowed == 199'999);
    CHECK(*workshop.holder.filter_text() == "{\"exclude\":[\"7\"]}\n");
}

TEST_CASE("a reload that was asked for says why it fails, and what tries it again says only what is new") {
    Workshop workshop;
    ModelHolder& holder = workshop.holder;
    std::string problem = "the disk";
    while_loading = [&] { throw gru4rec::IoError(problem); };
    const auto poll = [&] {
        for (int second = 0; second < 20; ++second) {
            holder.poll();
        }
    };
    CHECK(contains(messages_of([&] { holder.reload(); }), "tried again: the disk\n"));
    CHECK(messages_of(poll).empty());
    CHECK(holder.reloads().failed == 4);
    CHECK(contains(messages_of([&] { holder.reload(); }), "tried again: the disk\n"));
    problem = "the permissions";
    CHECK(contains(messages_of(poll), "tried again: the permissions\n"));
    CHECK(holder.reloads().problem == "the permissions");
    while_loading = nullptr;
    CHECK(contains(messages_of([&] { holder.reload(); }), "a new model was loaded"));
    CHECK(messages_of(poll).empty());
    CHECK(holder.reloads().problem.empty());
}

TEST_CASE("searches of clients that have gone are not made, and more than a hundred do not wait") {
    Workshop workshop;
    std::promise<void> go_on;
    asio::post(workshop.background.searches, [&] { go_on.get_future().wait(); });
    const std::string search = get("/v1/items?search=199");
    const auto begin_search = [&] {
        const int client = workshop.connection();
        REQUIRE(::send(client, search.data(), search.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(search.size()));
        return client;
    };
    const int patient = begin_search();
    std::vector<int> others;
    while (workshop.background.n_waiting < Background::most_waiting) {
        others.push_back(begin_search());
        Workshop::in_thread(workshop.worker.context(), [] {});
        REQUIRE(others.size() < 1000);
    }
    CHECK(contains(workshop.ask(search).value(), "too_many_searches"));
    for (const int client : others) {
        ::close(client);
    }
    go_on.set_value();
    std::array<char, 4096> answer{};
    CHECK(::recv(patient, answer.data(), answer.size(), 0) > 0);
    CHECK(std::string_view(answer.data()).starts_with("HTTP/1.1 200 "));
    ::close(patient);
    CHECK(contains(workshop.ask(search).value(), R"("id":"199")"));  // is made after those that were given up
    CHECK(workshop.background.n_waiting == 0);
    const std::string metrics = workshop.ask(get("/metrics")).value();
    CHECK(contains(metrics, R"(gru4rec_requests_total{route="/v1/items",method="GET",status="200"} 2)"));
}

TEST_CASE("a connection that comes after the stop has begun is answered if it asks for something") {
    auto workshop = std::make_unique<Workshop>();
    // Keeps the thread going after the stop.
    const int slow = workshop->connection();
    const std::string request = post("/v1/recommend", R"({"session": ["1"]})");
    REQUIRE(::send(slow, request.data(), 20, MSG_NOSIGNAL) == 20);
    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
    REQUIRE(::send(ends[0], request.data(), request.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(request.size()));
    workshop->worker.stop();
    tcp::socket late(workshop->worker.context());
    late.assign(tcp::v4(), ends[1]);
    ++workshop->shared.state.connections;
    workshop->worker.take(std::move(late));
    std::array<char, 65536> answer{};
    CHECK(::recv(ends[0], answer.data(), answer.size(), 0) > 0);
    CHECK(std::string_view(answer.data()).starts_with("HTTP/1.1 200 "));
    ::close(ends[0]);
    ::close(slow);
    workshop.reset();
}

TEST_CASE("ids are read without a text for each that says where it is") {
    const ModestModel model("hash");
    const cli::ServeLimits limits;
    const RequestRules rules{model.items(), limits};
    const auto allocations_for = [&](int n) {
        Exchange exchange;
        exchange.request.body = R"({"requests": [{"session": []}, {"session": )" + list_of_ids(n) + "}]}";
        exchange.target = Target::parse("/v1/recommend/batch");
        exchange.route = &find_route(exchange.target, Method::post);
        const long before = n_allocations;
        read_batch(rules, exchange);
        return n_allocations - before;
    };
    // The parser's own text of each id, and lists that double.
    CHECK(allocations_for(9000) - allocations_for(1000) < 8000 * 5 / 4);
}
