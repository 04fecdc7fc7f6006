#ifndef GRU4REC_CLI_SERVE_FILTER_KEEPER_HPP
#define GRU4REC_CLI_SERVE_FILTER_KEEPER_HPP

#include "gru4rec/core/types.hpp"
#include "gru4rec/data/item_map.hpp"
#include "gru4rec/serve/item_filter.hpp"

#include <memory>
#include <string>
#include <vector>

#include "requests.hpp"

namespace cli::server {

/// A filter of one model's items.
struct BuiltFilter {
    std::shared_ptr<const gru4rec::ItemFilter> filter;  ///< null: every item may be recommended
    gru4rec::Index n_allowed = 0;
    gru4rec::Index n_unknown = 0;      ///< ids that the model lacks
    std::vector<std::string> unknown;  ///< the first hundred of them
};

[[nodiscard]] BuiltFilter build_filter(const FilterText& text, const gru4rec::ItemMap& items);

/// Keeps a filter in filter.json of a folder, so that it outlives the server.
class FilterFile {
  public:
    /// @param folder  empty: nothing is kept
    explicit FilterFile(const std::string& folder);

    /// What was kept; the filter that leaves nothing out if there is none.
    ///
    /// @throws gru4rec::IoError; gru4rec::FormatError for a file that is not a filter
    [[nodiscard]] FilterText read() const;

    /// Replaces the file in one step. @throws gru4rec::IoError; the file is then as it was
    void write(const FilterText& filter) const;

  private:
    std::string path_;
};

}  // namespace cli::server

#endif
