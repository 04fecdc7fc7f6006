#include "unpacking.hpp"

#if GRU4REC_HAS_LIBARCHIVE

#include "gru4rec/core/error.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <exception>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace cli {

namespace {

using gru4rec::TextStream;

constexpr std::size_t block_size = std::size_t{1} << 16U;

[[noreturn]] void throw_broken(const std::string& name, std::string_view format, std::string_view problem) {
    gru4rec::detail::throw_format(
        name, "broken " + std::string(format) + " file: " + std::string(problem) + "; fetch it again or pack it again");
}

/// gzip through zlib: libarchive 3.6 does not compare the checksum.
class Gunzip {
  public:
    explicit Gunzip(TextStream packed) : packed_(std::move(packed)), block_(block_size) {
        constexpr int gzip_only = 16;
        if (inflateInit2(&inflater_, MAX_WBITS + gzip_only) != Z_OK) {
            throw std::bad_alloc();
        }
    }
    Gunzip(const Gunzip&) = delete;
    Gunzip& operator=(const Gunzip&) = delete;
    ~Gunzip() { inflateEnd(&inflater_); }

    std::size_t read(std::span<char> text) {
        text = text.first((std::min)(text.size(), std::size_t{1} << 30U));
        inflater_.next_out = reinterpret_cast<Bytef*>(text.data());
        inflater_.avail_out = static_cast<uInt>(text.size());
        while (inflater_.avail_out == text.size() && !text.empty()) {
            const bool at_end = inflater_.avail_in == 0 && !read_block();
            if (at_end && !in_member_) {
                return 0;
            }
            if (at_end) {
                throw_broken(packed_.name, "gzip", "it ends too early");
            }
            if (in_member_ || !skip_zeros()) {
                inflate_some();
            }
        }
        return text.size() - inflater_.avail_out;
    }

  private:
    bool read_block() {
        inflater_.next_in = reinterpret_cast<Bytef*>(block_.data());
        inflater_.avail_in = static_cast<uInt>(packed_.read(block_));
        return inflater_.avail_in > 0;
    }

    /// Tapes and some tools fill the last block with zeros. @returns true if nothing is left of the input
    bool skip_zeros() {
        while (!first_member_ && inflater_.avail_in > 0 && *inflater_.next_in == 0) {
            ++inflater_.next_in;
            --inflater_.avail_in;
        }
        return inflater_.avail_in == 0;
    }

    void inflate_some() {
        in_member_ = true;
        const int status = inflate(&inflater_, Z_NO_FLUSH);
        if (status == Z_STREAM_END) {
            in_member_ = first_member_ = false;
            inflateReset(&inflater_);
        } else if (status == Z_MEM_ERROR) {
            throw std::bad_alloc();
        } else if (status != Z_OK && status != Z_BUF_ERROR) {
            throw_broken(packed_.name, "gzip", inflater_.msg != nullptr ? inflater_.msg : "bad data");
        }
    }

    TextStream packed_;
    std::vector<char> block_;
    z_stream inflater_{};
    bool in_member_ = false;
    bool first_member_ = true;
};

std::string_view name_of(Packing packing) {
    switch (packing) {
        case Packing::gzip: return "gzip";
        case Packing::bzip2: return "bzip2";
        case Packing::xz: return "xz";
        case Packing::zstd: return "zstd";
        case Packing::zip: return "zip";
        case Packing::tar: return "tar";
        default: return "packed";
    }
}

/// libarchive, reading from a stream.
class LibArchive {
  public:
    LibArchive(PackedBytes packed, Packing packing)
        : packed_(std::move(packed)), packing_(packing), block_(block_size), archive_(archive_read_new()) {
        if (archive_ == nullptr) {
            throw std::bad_alloc();
        }
        support();
        archive_read_set_callback_data(archive_.get(), this);
        archive_read_set_read_callback(archive_.get(), read_block);
        if (packed_.file) {
            archive_read_set_seek_callback(archive_.get(), seek);
        }
        check(archive_read_open1(archive_.get()));
    }
    LibArchive(const LibArchive&) = delete;
    LibArchive& operator=(const LibArchive&) = delete;

    [[nodiscard]] const std::string& name() const { return packed_.stream.name; }
    [[nodiscard]] archive* get() const { return archive_.get(); }

    /// @returns nullptr at the end
    archive_entry* next_entry() {
        archive_entry* entry = nullptr;
        const int status = archive_read_next_header(archive_.get(), &entry);
        if (status == ARCHIVE_EOF) {
            read_to_end();
            return nullptr;
        }
        if (status != ARCHIVE_WARN) {  // a name in letters that the locale lacks
            check(status);
        }
        return entry;
    }

    std::size_t read(std::span<char> text) {
        const la_ssize_t count = archive_read_data(archive_.get(), text.data(), text.size());
        if (count < 0) {
            check(static_cast<int>(count));
        }
        return static_cast<std::size_t>(count);
    }

    [[noreturn]] void fail(std::string_view problem) const { throw_broken(name(), name_of(packing_), problem); }

  private:
    struct Free {
        void operator()(archive* opened) const noexcept { archive_read_free(opened); }
    };

    /// Only what is asked for: libarchive's guesses take many texts for archives of rare kinds. A library built without
    /// a decompressor answers with a warning, and would start a program.
    void support() {
        archive* const a = archive_.get();
        const auto require = [&](int status) {
            if (status != ARCHIVE_OK) {
                gru4rec::detail::throw_format(name(), "the format is " + std::string(name_of(packing_)) +
                                                          ", which the libarchive of this system cannot read");
            }
        };
        switch (packing_) {
            case Packing::bzip2: require(archive_read_support_filter_bzip2(a)); break;
            case Packing::xz: require(archive_read_support_filter_xz(a)); break;
            case Packing::zstd: require(archive_read_support_filter_zstd(a)); break;
            case Packing::zip: require(archive_read_support_format_zip(a)); return;
            case Packing::tar:
                require(archive_read_support_format_tar(a));
                require(archive_read_set_options(a, "read_concatenated_archives"));  // as cat and tar -r leave them
                return;
            default: throw std::logic_error("LibArchive: this packing is not for it");
        }
        require(archive_read_support_format_raw(a));
        require(archive_read_support_format_empty(a));
    }

    /// What is packed around a tar verifies its checksum at its end.
    void read_to_end() {
        while (packing_ == Packing::tar && packed_.stream.read(block_) > 0) {
        }
    }

    void check(int status) {
        if (status == ARCHIVE_OK) {
            return;
        }
        if (failure_) {
            std::rethrow_exception(std::exchange(failure_, nullptr));
        }
        if (archive_errno(archive_.get()) == ENOMEM) {
            throw std::bad_alloc();
        }
        const char* const problem = archive_error_string(archive_.get());
        fail(problem != nullptr ? problem : "it cannot be read");
    }

    static la_ssize_t read_block(archive* opened, void* self, const void** block) {
        auto& me = *static_cast<LibArchive*>(self);
        *block = me.block_.data();
        try {
            return static_cast<la_ssize_t>(me.packed_.stream.read(me.block_));
        } catch (...) {  // must not pass through C code
            me.failure_ = std::current_exception();
            archive_set_error(opened, EIO, "cannot read");
            return ARCHIVE_FATAL;
        }
    }

    static la_int64_t seek(archive* /*opened*/, void* self, la_int64_t offset, int whence) {
        std::FILE* const file = static_cast<LibArchive*>(self)->packed_.file.get();
        return std::fseek(file, static_cast<long>(offset), whence) == 0 ? std::ftell(file) : ARCHIVE_FATAL;
    }

    PackedBytes packed_;
    Packing packing_;
    std::vector<char> block_;
    std::exception_ptr failure_;
    std::unique_ptr<archive, Free> archive_;  // last: it is freed before what it reads from
};

/// bzip2, xz or zstd.
class FilteredText {
  public:
    FilteredText(TextStream packed, Packing packing) : archive_({std::move(packed)}, packing), packing_(packing) {}

    std::size_t read(std::span<char> text) {
        if (!opened_) {
            opened_ = true;
            ended_ = archive_.next_entry() == nullptr;
            require_filter();
        }
        return ended_ ? 0 : archive_.read(text);
    }

  private:
    /// Where the filter does not know the data after all, libarchive would hand them over as they are.
    void require_filter() const {
        const int code = archive_filter_code(archive_.get(), 0);
        const int expected = packing_ == Packing::bzip2 ? ARCHIVE_FILTER_BZIP2
                             : packing_ == Packing::xz  ? ARCHIVE_FILTER_XZ
                                                        : ARCHIVE_FILTER_ZSTD;
        if (code != expected) {
            archive_.fail("its beginning is damaged");
        }
    }

    LibArchive archive_;
    Packing packing_;
    bool opened_ = false;
    bool ended_ = false;
};

template <class Reader>
TextStream stream_of(std::string name, std::shared_ptr<Reader> reader) {
    return {.name = std::move(name),
            .read = [source = std::move(reader)](std::span<char> text) { return source->read(text); }};
}

std::string path_of(archive_entry* entry, std::size_t number) {
    const char* path = archive_entry_pathname_utf8(entry);
    if (path == nullptr) {
        path = archive_entry_pathname(entry);
    }
    std::string_view text = path != nullptr ? path : "";
    while (text.starts_with("./")) {
        text.remove_prefix(2);
    }
    return text.empty() ? "file " + std::to_string(number) : std::string(text);
}

/// The kind of the entry at hand, such as "ZIP 6.3 (lzma)": of kinds whose header says how much memory to take, up to
/// gigabytes for a file of a few bytes. No common tool writes them unasked.
bool takes_memory_as_told(std::string_view kind) {
    return kind.find("(lzma") != std::string_view::npos || kind.find("(xz") != std::string_view::npos ||
           kind.find("(ppmd") != std::string_view::npos;
}

bool is_added_by_macos(std::string_view path) {
    const std::string_view file = path.substr(path.rfind('/') + 1);
    return path.starts_with("__MACOSX/") || file == ".DS_Store" || file.starts_with("._");
}

}  // namespace

bool can_unpack() noexcept { return true; }

TextStream unpack(TextStream packed, Packing packing) {
    const std::string name = packed.name;
    if (packing == Packing::gzip) {
        return stream_of(name, std::make_shared<Gunzip>(std::move(packed)));
    }
    return stream_of(name, std::make_shared<FilteredText>(std::move(packed), packing));
}

struct Archive::State {
    State(PackedBytes packed, Packing packing) : archive(std::move(packed), packing) {}

    LibArchive archive;
    std::size_t n_entries = 0;
    std::size_t n_texts = 0;
    bool ended = false;
};

Archive::Archive(PackedBytes packed, Packing packing) : state_(std::make_shared<State>(std::move(packed), packing)) {}

std::optional<TextStream> Archive::next() {
    while (!state_->ended) {
        archive_entry* const entry = state_->archive.next_entry();
        state_->ended = entry == nullptr;
        if (state_->ended) {
            break;
        }
        const std::string path = path_of(entry, ++state_->n_entries);
        if (std::any_of(path.begin(), path.end(), [](char c) { return c >= 0 && c < ' '; })) {
            state_->archive.fail("a file name holds control characters");  // a damaged length of the name, most likely
        }
        if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry) != nullptr ||
            is_added_by_macos(path)) {
            continue;
        }
        const std::string name = state_->archive.name() + "/" + path;
        if (archive_entry_is_encrypted(entry) != 0) {
            gru4rec::detail::throw_format(name, "the file is encrypted; unpack the archive with its password first");
        }
        const char* const kind = archive_format_name(state_->archive.get());
        if (kind != nullptr && takes_memory_as_told(kind)) {
            gru4rec::detail::throw_format(name, "the kind of compression is not supported: " + std::string(kind) +
                                                    "; pack it again with the usual one, deflate");
        }
        ++state_->n_texts;
        auto read = [state = state_, number = state_->n_entries](std::span<char> text) {
            if (state->n_entries != number) {
                throw std::logic_error("a text of an archive is read after the next one was opened");
            }
            return state->archive.read(text);
        };
        return TextStream{.name = name, .read = std::move(read)};
    }
    if (state_->n_texts == 0) {
        gru4rec::detail::throw_format(state_->archive.name(), "the archive holds no file");
    }
    return std::nullopt;
}

}  // namespace cli

#else

#include <stdexcept>

namespace cli {

struct Archive::State {};

bool can_unpack() noexcept { return false; }

gru4rec::TextStream unpack(gru4rec::TextStream /*packed*/, Packing /*packing*/) {
    throw std::logic_error("unpack: built without libarchive");
}

Archive::Archive(PackedBytes /*packed*/, Packing /*packing*/) {
    throw std::logic_error("Archive: built without libarchive");
}

std::optional<gru4rec::TextStream> Archive::next() { return std::nullopt; }

}  // namespace cli

#endif
