#ifndef GRU4REC_IO_CHECKPOINT_FORMAT_HPP
#define GRU4REC_IO_CHECKPOINT_FORMAT_HPP

#include "gru4rec/core/text.hpp"
#include "gru4rec/data/item_map.hpp"
#include "gru4rec/io/model_file.hpp"
#include "gru4rec/io/safetensors.hpp"
#include "gru4rec/io/safetensors_header.hpp"
#include "gru4rec/io/weights.hpp"
#include "gru4rec/version.hpp"

#include <string>
#include <string_view>

// What makes a file a checkpoint (docs/file_format.md#checkpoints), and how its numbers are read.
namespace gru4rec::inline GRU4REC_ABI {

inline constexpr std::string_view checkpoint_format_version = "1";

namespace detail {

inline void require_checkpoint(const SafetensorsFile& file) {
    const std::string* format = find_entry(file, "format");
    if (format == nullptr || *format != checkpoint_format) {
        throw_format(
            file, "format",
            "expected \"gru4rec-checkpoint\" in the metadata, found " + (format ? quote(*format) : "none") +
                (is_model_file(file) ? "; training goes on from a model with load_model, train --continue" : ""));
    }
    if (const std::string& version = require_entry(file, "format_version"); version != checkpoint_format_version) {
        throw_format(file, "format_version",
                     "expected 1, found " + quote(version) + "; go on with the version of gru4rec that wrote it");
    }
    (void)require_entry(file, "content_hash");
}

/// An entry of the metadata that is a JSON object of numbers, read without trust.
class NumberEntries {
  public:
    NumberEntries(const SafetensorsFile& file, std::string_view entry) : file_(file), entry_(entry) {
        FlatObject(file.name() + ": " + entry_, values_).parse(require_entry(file, entry));
    }

    template <class Number>
    [[nodiscard]] Number read(std::string_view name, Number low, Number high) const {
        const auto found = values_.find(name);
        const std::string_view text = found == values_.end() ? std::string_view() : found->second;
        const auto value = parse_number<Number>(text);
        if (!value || !(*value >= low && *value <= high)) {
            throw_format(file_, entry_ + ": " + std::string(name),
                         "expected a number from " + format_number(low) + " to " + format_number(high) + ", found " +
                             quote(text) + "; the file is damaged");
        }
        return *value;
    }

  private:
    const SafetensorsFile& file_;
    std::string entry_;
    Metadata values_;
};

}  // namespace detail
}  // namespace gru4rec::inline GRU4REC_ABI

#endif
