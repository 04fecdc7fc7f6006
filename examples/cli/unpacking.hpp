#ifndef GRU4REC_CLI_UNPACKING_HPP
#define GRU4REC_CLI_UNPACKING_HPP

#include "gru4rec/data/text_stream.hpp"

#include <cstdio>
#include <memory>
#include <optional>

namespace cli {

/// Whether the program was built with libarchive and zlib. Without them, nothing below may be called.
[[nodiscard]] bool can_unpack() noexcept;

enum class Packing { none, gzip, bzip2, xz, zstd, zip, tar, other };

/// Where packed bytes come from.
struct PackedBytes {
    gru4rec::TextStream stream;
    std::shared_ptr<std::FILE> file = nullptr;  ///< of the stream, if positions in it can be set
};

/// Unpacks gzip, bzip2, xz or zstd; several packed texts, one after another, are one.
///
/// The text's read throws gru4rec::FormatError for broken data.
[[nodiscard]] gru4rec::TextStream unpack(gru4rec::TextStream packed, Packing packing);

/// The regular files of a zip or tar archive.
class Archive {
  public:
    /// @throws gru4rec::FormatError
    Archive(PackedBytes packed, Packing packing);

    /// The next file, named `archive/path`. The one before can then no longer be read.
    ///
    /// @returns nullopt after the last one
    /// @throws gru4rec::FormatError for an archive that is broken, encrypted or without files
    [[nodiscard]] std::optional<gru4rec::TextStream> next();

  private:
    struct State;

    std::shared_ptr<State> state_;
};

}  // namespace cli

#endif
