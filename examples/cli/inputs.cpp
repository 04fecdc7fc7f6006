#include "inputs.hpp"

#include "gru4rec/core/error.hpp"
#include "gru4rec/data/files.hpp"

namespace cli {

gru4rec::Dataset read_training_set(const std::string& path, const gru4rec::ColumnNames& columns) {
    gru4rec::Dataset data = gru4rec::read_sessions(path, {.columns = columns});
    if (data.n_pairs() == 0) {
        throw gru4rec::FormatError(path + ": no session has two events, so there is nothing to learn");
    }
    return data;
}

gru4rec::Dataset read_test_set(const std::string& path, const gru4rec::ColumnNames& columns,
                               const gru4rec::ItemMap& items, gru4rec::KeepSessionIds keep_session_ids) {
    gru4rec::Dataset data =
        gru4rec::read_sessions(path, {.columns = columns, .keep_session_ids = keep_session_ids, .known_items = &items});
    if (data.n_pairs() == 0) {
        throw gru4rec::FormatError(path +
                                   ": no predictions: no session has two events of items of the training data (" +
                                   std::to_string(data.n_unknown_events()) + " events of unknown items left out)");
    }
    return data;
}

gru4rec::Dataset read_history(const std::string& path, const gru4rec::ColumnNames& columns,
                              const gru4rec::ItemMap& items) {
    return gru4rec::read_sessions(
        path, {.columns = columns, .keep_session_ids = gru4rec::KeepSessionIds::yes, .known_items = &items});
}

}  // namespace cli
