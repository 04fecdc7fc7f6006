#include "redis_host.hpp"

#include <algorithm>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>

#if defined(GRU4REC_HAS_HIREDIS)
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#endif

namespace cli {

namespace {

#if defined(GRU4REC_HAS_HIREDIS)

[[nodiscard]] bool is_numeric(const std::string& name) {
    std::array<unsigned char, sizeof(in6_addr)> ignored{};
    return ::inet_pton(AF_INET, name.c_str(), ignored.data()) == 1 ||
           ::inet_pton(AF_INET6, name.c_str(), ignored.data()) == 1;
}

struct FreeAddresses {
    void operator()(addrinfo* list) const noexcept { ::freeaddrinfo(list); }
};

/// The addresses of the system's resolver, those of IPv4 first. A connection to each of a long list would take long.
[[nodiscard]] std::vector<std::string> look_up(const std::string& name) {
    constexpr std::size_t most = 4;
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    if (const int error = ::getaddrinfo(name.c_str(), nullptr, &hints, &list); error != 0) {
        throw std::runtime_error(::gai_strerror(error));
    }
    const std::unique_ptr<addrinfo, FreeAddresses> owned(list);
    std::vector<std::string> addresses;
    for (const int family : {AF_INET, AF_INET6}) {
        for (const addrinfo* entry = list; entry != nullptr && addresses.size() < most; entry = entry->ai_next) {
            std::array<char, NI_MAXHOST> text{};
            if (entry->ai_family == family && ::getnameinfo(entry->ai_addr, entry->ai_addrlen, text.data(), text.size(),
                                                            nullptr, 0, NI_NUMERICHOST) == 0) {
                addresses.emplace_back(text.data());
            }
        }
    }
    return addresses;
}

#else

[[nodiscard]] bool is_numeric(const std::string&) { return true; }  // nothing connects to it
[[nodiscard]] std::vector<std::string> look_up(const std::string& name) { return {name}; }

#endif

}  // namespace

struct RedisHost::State {
    std::string name;
    Resolver resolver;
    bool is_fixed = false;

    std::mutex mutex = {};  // of what follows
    std::vector<std::string> addresses = {};
    std::string problem = {};
    bool is_looking_up = false;

    void look_up() noexcept {
        try {
            std::vector<std::string> found = resolver(name);
            const std::lock_guard<std::mutex> lock(mutex);
            addresses = std::move(found);
            problem = addresses.empty() ? "it has no address" : "";
        } catch (const std::exception& error) {  // what was found before may still be right
            const std::lock_guard<std::mutex> lock(mutex);
            // No longer than what is reserved: this must not throw.
            problem.assign(error.what(), (std::min)(std::char_traits<char>::length(error.what()), problem.capacity()));
        }
        const std::lock_guard<std::mutex> lock(mutex);
        is_looking_up = false;
    }
};

RedisHost::RedisHost(const std::string& name, Resolver resolver) : state_(std::make_shared<State>()) {
    state_->name = name;
    state_->is_fixed = !resolver && is_numeric(name);
    state_->resolver = resolver ? std::move(resolver) : &cli::look_up;
    if (state_->is_fixed) {
        state_->addresses = {name};
        return;
    }
    constexpr std::size_t longest_problem = 200;
    state_->problem.reserve(longest_problem);
    state_->look_up();
}

std::vector<std::string> RedisHost::addresses() const {
    const std::lock_guard<std::mutex> lock(state_->mutex);
    return state_->addresses;
}

std::string RedisHost::problem() const {
    const std::lock_guard<std::mutex> lock(state_->mutex);
    return state_->problem;
}

void RedisHost::refresh() {
    {
        const std::lock_guard<std::mutex> lock(state_->mutex);
        if (state_->is_fixed || std::exchange(state_->is_looking_up, true)) {
            return;
        }
    }
    try {
        std::thread([state = state_] { state->look_up(); }).detach();
    } catch (const std::exception&) {  // no thread to be had: the next failure tries it again
        const std::lock_guard<std::mutex> lock(state_->mutex);
        state_->is_looking_up = false;
    }
}

}  // namespace cli
