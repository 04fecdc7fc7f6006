#ifndef GRU4REC_EVAL_RANKS_FILE_HPP
#define GRU4REC_EVAL_RANKS_FILE_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/file.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/data/dataset.hpp"
#include "gru4rec/data/item_map.hpp"
#include "gru4rec/eval/metrics.hpp"

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace gru4rec {
inline namespace GRU4REC_ABI {

/// Checks that write_ranks can write all session ids of the data.
///
/// @throws FormatError for a session id with a TAB or a line break
inline void check_ranks_file(const std::filesystem::path& path, const Dataset& test) {
    for (Index s = 0; s < test.n_sessions(); ++s) {
        const std::string_view session = test.session_id(to_session(s));
        if (session.find_first_of("\t\r\n") != std::string_view::npos) {
            detail::throw_format(path.string(),
                                 "the session id " + detail::quote(session) +
                                     " contains a TAB or a line break, which a TAB-separated file cannot hold");
        }
    }
}

/// Writes the rank of every target to a TAB-separated file with the columns SessionId, Position, ItemId, Rank, one line
/// per prediction. The file appears complete or not at all. Ranks under Ties::median may end in .5; the rank is `inf`
/// if the target's score is NaN.
///
/// @param ranks  Evaluation::ranks
/// @param test   the data that they were measured on, read with KeepSessionIds::yes
/// @throws IoError; FormatError as check_ranks_file does
inline void write_ranks(const std::filesystem::path& path, std::span<const EventRank> ranks, const Dataset& test,
                        Ties ties) {
    check_ranks_file(path, test);
    detail::AtomicFile file(path);
    file.write("SessionId\tPosition\tItemId\tRank\n");
    std::string line;
    for (const EventRank& event : ranks) {
        line.assign(test.session_id(event.session)).append("\t");
        line.append(detail::format_number(event.position)).append("\t");
        line.append(test.items().id(event.item)).append("\t");
        line.append(detail::format_number(event.rank.rank(ties))).append("\n");
        file.write(line);
    }
    file.commit();
}

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
