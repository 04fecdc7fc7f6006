#ifndef GRU4REC_DATA_HPP
#define GRU4REC_DATA_HPP

// Datasets of sessions: read_sessions, of files or a TextStream; make_dataset, of arrays; SyntheticShop makes sessions
// up; preprocess makes training and test data of raw events. summarize and guess_columns say what files hold;
// sessions_of_lines and sessions_of_table turn text with a session per line into a TextStream.
#include "gru4rec/data/dataset.hpp"
#include "gru4rec/data/files.hpp"
#include "gru4rec/data/guess_columns.hpp"
#include "gru4rec/data/preprocess.hpp"
#include "gru4rec/data/session_lines.hpp"
#include "gru4rec/data/synthetic.hpp"
#include "gru4rec/data/table_summary.hpp"
#include "gru4rec/data/text_stream.hpp"
#include "gru4rec/version.hpp"

#endif
