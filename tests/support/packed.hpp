#ifndef GRU4REC_TESTS_SUPPORT_PACKED_HPP
#define GRU4REC_TESTS_SUPPORT_PACKED_HPP

#include <archive.h>
#include <archive_entry.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

// Packed files, made by libarchive.
namespace packed {

struct File {
    std::string path;  ///< of a folder if it ends with '/'
    std::string content;
};

/// Sets filter and format.
using Choice = std::function<void(archive*)>;

inline void require(archive* a, int status) {
    if (status != ARCHIVE_OK) {
        throw std::runtime_error(archive_error_string(a) != nullptr ? archive_error_string(a) : "libarchive failed");
    }
}

/// Files in the format and with the filters that `choose` sets.
inline std::string archive_of(const std::vector<File>& files, const Choice& choose) {
    const std::unique_ptr<archive, int (*)(archive*)> a(archive_write_new(), archive_write_free);
    choose(a.get());
    std::string bytes;
    archive_write_set_bytes_in_last_block(a.get(), 1);
    const auto write = [](archive* /*a*/, void* text, const void* block, std::size_t size) {
        static_cast<std::string*>(text)->append(static_cast<const char*>(block), size);
        return static_cast<la_ssize_t>(size);
    };
    require(a.get(), archive_write_open(a.get(), &bytes, nullptr, write, nullptr));
    const std::unique_ptr<archive_entry, void (*)(archive_entry*)> entry(archive_entry_new(), archive_entry_free);
    for (const File& file : files) {
        const bool is_folder = file.path.ends_with('/');
        archive_entry_clear(entry.get());
        archive_entry_set_pathname(entry.get(), file.path.c_str());
        archive_entry_set_filetype(entry.get(), is_folder ? AE_IFDIR : AE_IFREG);
        archive_entry_set_perm(entry.get(), is_folder ? 0755 : 0644);
        archive_entry_set_size(entry.get(), static_cast<la_int64_t>(file.content.size()));
        require(a.get(), archive_write_header(a.get(), entry.get()));
        archive_write_data(a.get(), file.content.data(), file.content.size());
    }
    require(a.get(), archive_write_close(a.get()));
    return bytes;
}

inline void gzip(archive* a) { require(a, archive_write_add_filter_gzip(a)); }
inline void bzip2(archive* a) { require(a, archive_write_add_filter_bzip2(a)); }
inline void xz(archive* a) { require(a, archive_write_add_filter_xz(a)); }
inline void zstd(archive* a) { require(a, archive_write_add_filter_zstd(a)); }
inline void nothing(archive* /*a*/) {}

/// One text.
inline std::string pack(std::string_view text, void (*filter)(archive*)) {
    return archive_of({{"text", std::string(text)}}, [&](archive* a) {
        filter(a);
        require(a, archive_write_set_format_raw(a));
    });
}

inline std::string zip_of(const std::vector<File>& files) {
    return archive_of(files, [](archive* a) { require(a, archive_write_set_format_zip(a)); });
}

/// Not compressed.
inline std::string stored_zip_of(const std::vector<File>& files) {
    return archive_of(files, [](archive* a) {
        require(a, archive_write_set_format_zip(a));
        require(a, archive_write_zip_set_compression_store(a));
    });
}

inline std::string tar_of(const std::vector<File>& files, void (*filter)(archive*) = nothing) {
    return archive_of(files, [&](archive* a) {
        filter(a);
        require(a, archive_write_set_format_pax_restricted(a));
    });
}

}  // namespace packed

#endif
