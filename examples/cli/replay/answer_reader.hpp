#ifndef GRU4REC_CLI_REPLAY_ANSWER_READER_HPP
#define GRU4REC_CLI_REPLAY_ANSWER_READER_HPP

#include "gru4rec/core/types.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace cli::playback {

/// The most events of a session that an answer may tell of; any server of ours has fewer.
inline constexpr gru4rec::Index most_events = 1'000'000'000;

/// What an answer with a list says.
struct ReadAnswer {
    /// Of the item that was looked for, from 1; 0: it is not listed, or its score is NaN.
    gru4rec::Index rank = 0;
    gru4rec::Index n_events = 0;
    gru4rec::Index n_unknown = 0;  ///< ids that the server's model lacks
    std::string model;             ///< hash of the server's model
};

/// Reads the JSON of an answer. Items that score as high as the one that is looked for count as better, as the
/// conservative rule of an evaluation has it.
///
/// @param target  id of the item that is looked for
/// @returns nullopt for a text that is not such an answer
[[nodiscard]] std::optional<ReadAnswer> read_answer(std::string_view body, std::string_view target);

/// The code and the message of {"error": {"code": ..., "message": ...}}; empty if the text is something else.
struct ReadError {
    std::string code;
    std::string message;
};
[[nodiscard]] ReadError read_error(std::string_view body);

/// What GET /readyz answers: {"status": ..., "model": ...}.
struct ReadyAnswer {
    std::string status;
    std::string model;  ///< hash of the server's model
};

/// @returns nullopt for a text that is not such an answer
[[nodiscard]] std::optional<ReadyAnswer> read_ready(std::string_view body);

/// Whether what GET /v1/filter answers, {"exclude": [...]} or {"only": [...]}, leaves items out. False for another
/// text.
[[nodiscard]] bool leaves_out(std::string_view body);

}  // namespace cli::playback

#endif
