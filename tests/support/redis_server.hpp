#ifndef GRU4REC_TESTS_SUPPORT_REDIS_SERVER_HPP
#define GRU4REC_TESTS_SUPPORT_REDIS_SERVER_HPP

#include "support/temporary_folder.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

/// A socket of IPv4 on the loopback interface.
class LoopbackSocket {
  public:
    LoopbackSocket() : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}
    LoopbackSocket(const LoopbackSocket&) = delete;
    LoopbackSocket& operator=(const LoopbackSocket&) = delete;
    ~LoopbackSocket() { ::close(descriptor_); }

    [[nodiscard]] bool connect(int port) const {
        const sockaddr_in address = address_of(port);
        return ::connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
    }

    /// Listens on a port that was free, and never accepts: a server that hangs. @returns the port
    int listen() const {
        sockaddr_in address = address_of(0);
        socklen_t size = sizeof(address);
        if (::bind(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
            ::listen(descriptor_, 16) != 0 ||
            ::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
            throw std::runtime_error("no free port on the loopback interface");
        }
        return ntohs(address.sin_port);
    }

    /// Waits for a client, after listen(). @returns its descriptor
    [[nodiscard]] int accept() const { return ::accept4(descriptor_, nullptr, nullptr, SOCK_CLOEXEC); }

  private:
    [[nodiscard]] static sockaddr_in address_of(int port) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(port));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return address;
    }

    int descriptor_;
};

/// A redis-server on a free port of the loopback interface, without files, ended with this object.
class RedisServer {
  public:
    [[nodiscard]] static bool is_installed() { return std::system("command -v redis-server >/dev/null 2>&1") == 0; }

    explicit RedisServer(std::vector<std::string> more_arguments = {})
        : port_(LoopbackSocket().listen()), more_arguments_(std::move(more_arguments)) {
        start();
    }
    RedisServer(const RedisServer&) = delete;
    RedisServer& operator=(const RedisServer&) = delete;
    ~RedisServer() { stop(); }

    [[nodiscard]] int port() const noexcept { return port_; }
    [[nodiscard]] std::string url() const { return "redis://127.0.0.1:" + std::to_string(port_); }

    void start() {
        std::vector<std::string> arguments = {"redis-server", "--port",    std::to_string(port_), "--bind", "127.0.0.1",
                                              "--save",       "",          "--appendonly",        "no",     "--dir",
                                              folder_.path(), "--logfile", folder_ / "log"};
        arguments.insert(arguments.end(), more_arguments_.begin(), more_arguments_.end());
        std::vector<char*> pointers;
        for (std::string& argument : arguments) {
            pointers.push_back(argument.data());
        }
        pointers.push_back(nullptr);
        process_ = ::fork();
        if (process_ == 0) {
            ::execvp(pointers[0], pointers.data());
            ::_exit(127);
        }
        wait_until_it_answers();
    }

    /// Ends it at once, as a failure of its machine would.
    void stop() {
        if (process_ > 0) {
            ::kill(process_, SIGKILL);
            ::waitpid(process_, nullptr, 0);
            process_ = -1;
        }
    }

    /// @{
    /// Stops answering, without closing its connections, and goes on.
    void freeze() const { ::kill(process_, SIGSTOP); }
    void thaw() const { ::kill(process_, SIGCONT); }
    /// @}

  private:
    void wait_until_it_answers() {
        for (int attempt = 0; attempt < 500; ++attempt) {
            if (LoopbackSocket().connect(port_)) {
                return;
            }
            int status = 0;
            if (::waitpid(process_, &status, WNOHANG) == process_) {
                process_ = -1;
                break;
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
        stop();
        throw std::runtime_error("redis-server does not start on port " + std::to_string(port_));
    }

    TemporaryFolder folder_;
    int port_;
    std::vector<std::string> more_arguments_;
    pid_t process_ = -1;
};

#endif
