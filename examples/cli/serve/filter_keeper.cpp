#include "filter_keeper.hpp"

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/file.hpp"

#include <cstddef>
#include <filesystem>
#include <system_error>

#include "../file_text.hpp"

namespace cli::server {

BuiltFilter build_filter(const FilterText& text, const gru4rec::ItemMap& items) {
    constexpr std::size_t most_named = 100;
    BuiltFilter built;
    std::vector<gru4rec::ItemIndex> known;
    known.reserve(text.ids.size());
    for (const std::string& id : text.ids) {
        if (const auto item = items.find(id)) {
            known.push_back(*item);
        } else {
            ++built.n_unknown;
            if (built.unknown.size() < most_named) {
                built.unknown.push_back(id);
            }
        }
    }
    if (text.kind == FilterText::Kind::exclude && known.empty()) {
        built.n_allowed = items.size();
        return built;
    }
    built.filter = std::make_shared<const gru4rec::ItemFilter>(text.kind == FilterText::Kind::only
                                                                   ? gru4rec::ItemFilter::only(items.size(), known)
                                                                   : gru4rec::ItemFilter::exclude(items.size(), known));
    built.n_allowed = built.filter->n_allowed();
    return built;
}

FilterFile::FilterFile(const std::string& folder) {
    if (folder.empty()) {
        return;
    }
    std::error_code error;
    const std::filesystem::file_status status = std::filesystem::status(folder, error);
    if (!std::filesystem::is_directory(status)) {
        throw gru4rec::IoError("--state: " +
                               (std::filesystem::exists(status) ? "'" + folder + "' is not a folder"
                                : status.type() == std::filesystem::file_type::not_found
                                    ? "there is no folder '" + folder + "'; make it first: mkdir " + folder
                                    : "'" + folder + "': " + error.message()));
    }
    path_ = (std::filesystem::path(folder) / "filter.json").string();
}

FilterText FilterFile::read() const {
    std::error_code error;
    const std::filesystem::file_type type =
        path_.empty() ? std::filesystem::file_type::not_found : std::filesystem::status(path_, error).type();
    if (type == std::filesystem::file_type::not_found) {
        return {};
    }
    if (type == std::filesystem::file_type::none) {
        throw gru4rec::IoError(path_ + ": cannot read the file: " + error.message());
    }
    try {
        return read_filter(file_text(path_));
    } catch (const HttpFailure& failure) {
        throw gru4rec::FormatError(
            path_ + ": " + failure.what() +
            "; it is the filter that PUT /v1/filter left; mend it, or remove it to start without");
    }
}

void FilterFile::write(const FilterText& filter) const {
    if (!path_.empty()) {
        gru4rec::detail::write_file(path_, write_filter(filter));
    }
}

}  // namespace cli::server
