#ifndef GRU4REC_CLI_CONTAINERS_HPP
#define GRU4REC_CLI_CONTAINERS_HPP

#include "gru4rec/data/text_stream.hpp"

#include <memory>
#include <optional>
#include <string>

namespace cli {

/// What is in a file, a pipe or standard input: one text or, in an archive, several.
///
/// gzip, bzip2, xz, zstd, zip and tar are known by their first bytes, whatever the name. They may be nested as usual:
/// a packed tar, packed files in an archive. Texts are unpacked as they are read, whatever their size: a few MB of
/// memory are enough, and the window that a packer was told to use, such as 64 MB for `xz -9`.
///
///     Container container("clicks.zip");
///     while (auto text = container.next()) { ... }
class Container {
  public:
    /// @param path  "-": standard input
    /// @throws gru4rec::IoError; gru4rec::FormatError for a container that is broken or that cannot be read here
    explicit Container(const std::string& path);

    /// @throws as above
    explicit Container(gru4rec::TextStream stream);

    Container(Container&&) noexcept;
    Container& operator=(Container&&) noexcept;
    ~Container();

    /// What the texts are packed in, such as "gzip", "zip" or "tar in xz"; empty: in nothing.
    [[nodiscard]] const std::string& format() const noexcept;

    /// Whether it is an ordinary file that is not packed: to map it into memory is faster than to read its stream.
    [[nodiscard]] bool is_plain_file() const noexcept;

    /// The next text, in the order of the archive. Folders, links and what macOS adds to archives (`__MACOSX`,
    /// `.DS_Store`, `._*`) are left out. The text before can then no longer be read.
    ///
    /// @returns nullopt after the last one
    /// @throws gru4rec::IoError; gru4rec::FormatError for a broken or encrypted archive, and for one without a file
    [[nodiscard]] std::optional<gru4rec::TextStream> next();

  private:
    struct Content;

    std::unique_ptr<Content> content_;
};

}  // namespace cli

#endif
