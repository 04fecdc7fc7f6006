#include "containers.hpp"

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/file.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "unpacking.hpp"

namespace cli {

namespace {

using gru4rec::TextStream;
using namespace std::string_view_literals;

enum class Kind { one_text, archive, unreadable };

struct Format {
    std::string_view first_bytes;
    Packing packing;
    Kind kind;
    std::string_view name;
    std::string_view command;  ///< that writes the texts in it to standard output
};

constexpr Format tar{{}, Packing::tar, Kind::archive, "tar", "tar -xOf"};

// Each begins with bytes that no text has, or with enough of others.
constexpr std::array formats = {
    Format{"\x1f\x8b"sv, Packing::gzip, Kind::one_text, "gzip", "gzip -dc"},
    Format{"\xfd"
           "7zXZ\0"sv,
           Packing::xz, Kind::one_text, "xz", "xz -dc"},
    Format{"\x28\xb5\x2f\xfd"sv, Packing::zstd, Kind::one_text, "zstd", "zstd -dc"},
    Format{"PK\3\4"sv, Packing::zip, Kind::archive, "zip", "unzip -p"},
    Format{"PK\5\6"sv, Packing::zip, Kind::archive, "zip", "unzip -p"},
    Format{"7z\xbc\xaf\x27\x1c"sv, Packing::other, Kind::unreadable, "7-Zip", "7z x -so"},
    Format{"Rar!\x1a\x07"sv, Packing::other, Kind::unreadable, "RAR", "unrar p -inul"},
    Format{"\x04\x22\x4d\x18"sv, Packing::other, Kind::unreadable, "lz4", "lz4 -dc"},
    Format{"LZIP\1"sv, Packing::other, Kind::unreadable, "lzip", "lzip -dc"},
    Format{"\x1f\x9d"sv, Packing::other, Kind::unreadable, "compress", "gzip -dc"},
};
constexpr Format bzip2{{}, Packing::bzip2, Kind::one_text, "bzip2", "bzip2 -dc"};

constexpr std::size_t tar_block = 512;

/// "BZh", the size of blocks, and the digits of pi, or, if the text is empty, those of its square root.
bool is_bzip2(std::string_view bytes) {
    return bytes.size() >= 10 && bytes.starts_with("BZh") && bytes[3] >= '1' && bytes[3] <= '9' &&
           (bytes.substr(4, 6) == "\x31\x41\x59\x26\x53\x59"sv || bytes.substr(4, 6) == "\x17\x72\x45\x38\x50\x90"sv);
}

/// A tar header holds the sum of its bytes, with its own eight as blanks, in octal digits.
bool is_tar(std::string_view bytes) {
    constexpr std::size_t sum_at = 148;
    if (bytes.size() < tar_block || bytes.substr(257, 5) != "ustar") {
        return false;
    }
    unsigned stored = 0;
    for (const char c : bytes.substr(sum_at, 8)) {
        if (c >= '0' && c <= '7') {
            stored = 8 * stored + static_cast<unsigned>(c - '0');
        }
    }
    unsigned sum = 8 * ' ';
    for (std::size_t i = 0; i < tar_block; ++i) {
        sum += i >= sum_at && i < sum_at + 8 ? 0U : static_cast<unsigned char>(bytes[i]);
    }
    return sum == stored;
}

/// @returns nullptr for a text
const Format* format_of(std::string_view bytes) {
    if (is_bzip2(bytes)) {
        return &bzip2;
    }
    if (is_tar(bytes)) {
        return &tar;
    }
    const auto found = std::find_if(formats.begin(), formats.end(),
                                    [&](const Format& format) { return bytes.starts_with(format.first_bytes); });
    return found == formats.end() ? nullptr : &*found;
}

[[noreturn]] void refuse(const std::string& name, const Format& format, std::string_view why) {
    std::error_code ignored;
    const std::string file = std::filesystem::exists(name, ignored) ? name : "FILE";
    gru4rec::detail::throw_format(name, "the format is " + std::string(format.name) + ", " + std::string(why) +
                                            "; unpack it on the way: " + std::string(format.command) + " " + file +
                                            " | gru4rec ... -");
}

void require_readable(const std::string& name, const Format& format) {
    if (format.kind == Kind::unreadable) {
        refuse(name, format, "which this program cannot read");
    }
    if (!can_unpack()) {
        refuse(name, format, "and this program was built without libarchive and zlib");
    }
}

struct Unpacked {
    TextStream stream;
    const Format* archive = nullptr;  ///< what is left to be taken apart
    std::string format;
};

/// Unpacks what holds one text, also if that is packed again.
Unpacked unpack_layers(TextStream stream) {
    constexpr int most_layers = 3;
    Unpacked result{.stream = std::move(stream), .archive = nullptr, .format = ""};
    for (int layer = 0;; ++layer) {
        const Format* const format = format_of(gru4rec::peek(result.stream, tar_block));
        if (format == nullptr) {
            return result;
        }
        require_readable(result.stream.name, *format);
        result.format = std::string(format->name) + (result.format.empty() ? "" : " in " + result.format);
        if (format->kind == Kind::archive) {
            result.archive = format;
            return result;
        }
        if (layer == most_layers) {
            refuse(result.stream.name, *format, "packed more than " + std::to_string(most_layers) + " times");
        }
        result.stream = unpack(std::move(result.stream), format->packing);
    }
}

std::shared_ptr<std::FILE> open_file(const std::string& path) {
    if (path == "-") {
        return {stdin, [](std::FILE* /*not ours to close*/) {}};
    }
    std::FILE* const file = std::fopen(path.c_str(), "rb");
    if (file == nullptr) {
        gru4rec::detail::throw_io(path, "cannot open the file: " + gru4rec::detail::system_message(errno));
    }
    return {file, [](std::FILE* opened) { std::fclose(opened); }};
}

TextStream stream_of(const std::string& name, std::shared_ptr<std::FILE> file) {
    auto read = [name, opened = std::move(file)](std::span<char> buffer) {
        const std::size_t count = std::fread(buffer.data(), 1, buffer.size(), opened.get());
        if (count == 0 && std::ferror(opened.get()) != 0) {
            gru4rec::detail::throw_io(name, "cannot read the file: " + gru4rec::detail::system_message(errno));
        }
        return count;
    };
    return {.name = name, .read = std::move(read)};
}

void require_file_or_pipe(const std::string& path) {
    std::error_code ignored;
    const auto status = std::filesystem::status(path, ignored);
    if (std::filesystem::is_directory(status)) {
        gru4rec::detail::throw_io(path, "is a folder; expected a file");
    }
    if (std::filesystem::is_character_file(status) && !path.starts_with("/dev/std")) {
        gru4rec::detail::throw_io(path, "is a device; expected a file or a pipe");
    }
}

}  // namespace

struct Container::Content {
    bool is_plain_file = false;
    std::string format;
    std::optional<TextStream> text;  ///< if it is the only one
    std::optional<Archive> archive;

    void set(Unpacked unpacked, std::shared_ptr<std::FILE> file) {
        format = std::move(unpacked.format);
        if (unpacked.archive == nullptr) {
            text = std::move(unpacked.stream);
            return;
        }
        archive.emplace(PackedBytes{std::move(unpacked.stream), std::move(file)}, unpacked.archive->packing);
    }
};

Container::Container(const std::string& path) : content_(std::make_unique<Content>()) {
    std::error_code ignored;
    require_file_or_pipe(path);
    const bool is_file = path != "-" && std::filesystem::is_regular_file(path, ignored);
    const std::string name = path == "-" ? "standard input" : path;
    std::shared_ptr<std::FILE> file = open_file(path);
    Unpacked unpacked = unpack_layers(stream_of(name, file));
    const bool as_it_is = is_file && (unpacked.format.empty() || unpacked.format == "zip");
    if (as_it_is) {  // what was peeked at is not needed: the reader of zip files sets its positions itself
        std::rewind(file.get());
        unpacked.stream = stream_of(name, file);
    }
    content_->set(std::move(unpacked), as_it_is ? std::move(file) : nullptr);
    content_->is_plain_file = is_file && content_->format.empty();
}

Container::Container(TextStream stream) : content_(std::make_unique<Content>()) {
    content_->set(unpack_layers(std::move(stream)), nullptr);
}

Container::Container(Container&&) noexcept = default;
Container& Container::operator=(Container&&) noexcept = default;
Container::~Container() = default;

const std::string& Container::format() const noexcept { return content_->format; }

bool Container::is_plain_file() const noexcept { return content_->is_plain_file; }

std::optional<TextStream> Container::next() {
    if (content_->archive) {
        auto packed = content_->archive->next();
        if (!packed) {
            return std::nullopt;
        }
        Unpacked entry = unpack_layers(std::move(*packed));
        if (entry.archive != nullptr) {
            refuse(entry.stream.name, *entry.archive, "an archive within an archive");
        }
        return std::move(entry.stream);
    }
    return std::exchange(content_->text, std::nullopt);
}

}  // namespace cli
