#ifndef GRU4REC_DATA_HPP
#define GRU4REC_DATA_HPP

// Sessions: from files, from arrays, synthetic ones; preprocessing of raw events.
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
