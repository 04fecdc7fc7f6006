#ifndef GRU4REC_TESTS_SUPPORT_FILE_SIZE_LIMIT_HPP
#define GRU4REC_TESTS_SUPPORT_FILE_SIZE_LIMIT_HPP

// Systems without these limits include this file too, if tests share a translation unit.
#if __has_include(<sys/resource.h>)
#include <csignal>
#include <stdexcept>

#include <sys/resource.h>

/// While it lives, this process cannot write files of more bytes: as on a disk that fills up.
class FileSizeLimit {
  public:
    explicit FileSizeLimit(rlim_t bytes) {
        if (getrlimit(RLIMIT_FSIZE, &before_) != 0) {
            throw std::runtime_error("getrlimit failed");
        }
        rlimit limited = before_;
        limited.rlim_cur = bytes;
        if (setrlimit(RLIMIT_FSIZE, &limited) != 0) {
            throw std::runtime_error("setrlimit failed");
        }
        handler_ = std::signal(SIGXFSZ, SIG_IGN);
    }

    FileSizeLimit(const FileSizeLimit&) = delete;
    FileSizeLimit& operator=(const FileSizeLimit&) = delete;

    ~FileSizeLimit() {
        setrlimit(RLIMIT_FSIZE, &before_);
        std::signal(SIGXFSZ, handler_);
    }

  private:
    rlimit before_{};
    void (*handler_)(int) = nullptr;
};
#endif

#endif
