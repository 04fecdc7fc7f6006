#include "gru4rec/io/checkpoint.hpp"
#include "gru4rec/io/load_optimizer.hpp"
#include "gru4rec/io/model_file.hpp"

#ifdef INCLUDE_NLOHMANN_JSON_HPP_
#error "programs that use gru4rec::compiled must not parse nlohmann/json.hpp"
#endif
