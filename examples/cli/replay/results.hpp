#ifndef GRU4REC_CLI_REPLAY_RESULTS_HPP
#define GRU4REC_CLI_REPLAY_RESULTS_HPP

#include "gru4rec/core/types.hpp"

#include <cstdint>
#include <map>
#include <string>

#include "../commands.hpp"
#include "../report.hpp"
#include "connection.hpp"
#include "hits.hpp"
#include "latencies.hpp"

namespace cli::playback {

/// What a replay measured.
struct Results {
    explicit Results(gru4rec::Index n) : hits(n) {}

    struct Errors {
        std::int64_t count = 0;
        std::string first;  ///< message of the first one
    };

    Hits hits;
    Latencies from_due;                          ///< from when requests were due to their answers
    Latencies from_sent;                         ///< from when they were sent
    std::map<std::string, Errors> errors;        ///< by status and code, or by what went wrong
    std::map<std::string, std::int64_t> models;  ///< answers by the hash of the model that made them
    ConnectionCounts connections;
    double seconds = 0;                ///< from the start to the last answer
    std::int64_t n_lost_sessions = 0;  ///< times that a live session had not the events that it had been fed
    std::int64_t n_unknown = 0;        ///< items of MODEL that the server's model lacks
    std::int64_t n_held = 0;           ///< requests that were due while their session waited for an answer
    std::int64_t n_deleted = 0;        ///< sessions, at the end
    std::int64_t n_gone = 0;           ///< those that had ended by themselves
    std::int64_t n_left = 0;           ///< those that could not be deleted
    bool gave_up = false;              ///< because nobody answered

    [[nodiscard]] std::int64_t n_errors() const noexcept;
    [[nodiscard]] double per_second() const noexcept {
        return seconds > 0 ? static_cast<double>(from_due.count()) / seconds : 0;
    }
    void add_error(const std::string& kind, const std::string& message);
    /// Counts an answer of a model.
    void add_model(const std::string& hash);
};

/// What was replayed.
struct ReplayedSet {
    std::string file;
    gru4rec::Index n_sessions = 0;
    gru4rec::Index n_steps = 0;
    gru4rec::Index n_unknown = 0;  ///< events of items that MODEL lacks
    std::string model;             ///< hash of MODEL
};

void print_results(const Results& results, const ReplayedSet& set, const ReplayOptions& options);

/// Writes the results as JSON (docs/server.md), as a whole or not at all. @throws gru4rec::IoError
void write_results(const Results& results, const ReplayedSet& set, const ReplayOptions& options);

}  // namespace cli::playback

#endif
