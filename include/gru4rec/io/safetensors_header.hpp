#ifndef GRU4REC_IO_SAFETENSORS_HEADER_HPP
#define GRU4REC_IO_SAFETENSORS_HEADER_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/item_map.hpp"
#include "gru4rec/version.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

// Files are little-endian whatever the host is; on a little-endian host these are plain copies.
namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

template <class Value>
void to_little_endian(const Value& value, std::byte* out) noexcept {
    static_assert(std::is_arithmetic_v<Value>);
    std::memcpy(out, &value, sizeof(Value));
    if constexpr (std::endian::native == std::endian::big) {
        std::reverse(out, out + sizeof(Value));
    }
}

template <class Value>
[[nodiscard]] Value from_little_endian(const std::byte* in) noexcept {
    static_assert(std::is_arithmetic_v<Value>);
    std::array<std::byte, sizeof(Value)> bytes{};
    std::memcpy(bytes.data(), in, sizeof(Value));
    if constexpr (std::endian::native == std::endian::big) {
        std::reverse(bytes.begin(), bytes.end());
    }
    return std::bit_cast<Value>(bytes);
}

// The JSON header of a safetensors file, read without trust. The file itself: io/safetensors.hpp.

/// Free text of a file, by name; written in the order of the names.
using Metadata = std::map<std::string, std::string, std::less<>>;

/// One tensor as the header describes it.
struct TensorInfo {
    std::string name;
    std::string dtype;         ///< "F32", "F64", ...
    std::vector<Index> shape;  ///< row-major
    std::uint64_t begin = 0;   ///< first byte, counted from the end of the header
    std::uint64_t end = 0;     ///< one past the last byte

    friend bool operator==(const TensorInfo&, const TensorInfo&) = default;
};

/// `(37, 100)`
[[nodiscard]] inline std::string shape_text(std::span<const Index> shape) {
    std::string text = "(";
    for (const Index n : shape) {
        text += text.size() > 1 ? ", " : "";
        text += std::to_string(n);
    }
    return text + ")";
}

/// Longer headers are refused, as by the format's other readers.
inline constexpr std::uint64_t max_header_size = 100'000'000;
inline constexpr std::size_t max_tensor_rank = 8;
inline constexpr std::string_view damaged_header = "; the file is damaged or was not written as safetensors";

/// Bytes of one value, or 0 for a type that the format does not have.
[[nodiscard]] inline std::uint64_t dtype_size(std::string_view dtype) noexcept {
    if (dtype == "F64" || dtype == "I64" || dtype == "U64") {
        return 8;
    }
    if (dtype == "F32" || dtype == "I32" || dtype == "U32") {
        return 4;
    }
    if (dtype == "F16" || dtype == "BF16" || dtype == "I16" || dtype == "U16") {
        return 2;
    }
    return dtype == "I8" || dtype == "U8" || dtype == "BOOL" || dtype == "F8_E4M3" || dtype == "F8_E5M2" ? 1 : 0;
}

/// Reads JSON as a stream of events and refuses each one; a derived class takes those that belong where they stand, so
/// that nothing unexpected is ever stored, whatever its size or depth.
class StrictJson : public nlohmann::json_sax<nlohmann::json> {
  public:
    bool null() override { return refuse("null"); }
    bool boolean(bool) override { return refuse("true or false"); }
    bool number_integer(std::int64_t value) override { return refuse(std::to_string(value)); }
    bool number_unsigned(std::uint64_t value) override { return refuse(std::to_string(value)); }
    bool number_float(double, const std::string& text) override { return refuse(quote(text)); }
    bool string(std::string& value) override { return refuse(quote(value)); }
    bool binary(nlohmann::json::binary_t&) override { return refuse("bytes"); }
    bool start_object(std::size_t) override { return refuse("an object"); }
    bool key(std::string& name) override { return refuse(quote(name)); }
    bool end_object() override { return refuse("the end of an object"); }
    bool start_array(std::size_t) override { return refuse("a list"); }
    bool end_array() override { return refuse("the end of a list"); }

    bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
        fail("expected JSON, found a syntax error (or bad UTF-8) at its byte " + std::to_string(position));
    }

    void parse(std::string_view text) {
        if (text.find('\0') != std::string_view::npos) {
            fail("expected JSON, found a NUL byte in it");  // which the parser would take for the end
        }
        nlohmann::json::sax_parse(text.begin(), text.end(), this);
    }

  protected:
    explicit StrictJson(std::string where) : where_(std::move(where)) {}

    [[noreturn]] void fail(const std::string& problem) const {
        throw_format(where_, problem + std::string(damaged_header));
    }

    bool refuse(const std::string& found) const { fail("expected " + expected() + ", found " + found); }

    [[nodiscard]] virtual std::string expected() const = 0;

    std::string where_;  // path: field
};

/// A JSON object whose values are texts.
class FlatObject final : public StrictJson {
  public:
    FlatObject(std::string where, Metadata& entries) : StrictJson(std::move(where)), entries_(entries) {}

    bool start_object(std::size_t) override { return depth_++ == 0 || refuse("an object"); }
    bool end_object() override { return true; }

    bool key(std::string& name) override {
        current_ = &entries_[name];
        return names_.insert(name).second || refuse(quote(name) + " twice");
    }

    bool string(std::string& value) override {
        if (current_ == nullptr) {
            return refuse(quote(value));
        }
        *current_ = std::move(value);
        return true;
    }

  private:
    [[nodiscard]] std::string expected() const override { return "a JSON object of texts, each name once"; }

    Metadata& entries_;
    std::set<std::string> names_;
    std::string* current_ = nullptr;
    int depth_ = 0;
};

/// The header: an object of tensors and, under `__metadata__`, an object of texts.
class SafetensorsHeader final : public StrictJson {
  public:
    explicit SafetensorsHeader(std::string path) : StrictJson(path + ": header"), path_(std::move(path)) {}

    Metadata metadata;
    std::vector<TensorInfo> tensors;

    bool start_object(std::size_t) override {
        if (inside_ == Inside::nothing) {
            return enter(Inside::header, "header");
        }
        if (inside_ == Inside::header && name_ == "__metadata__") {
            return enter(Inside::metadata, "metadata");
        }
        if (inside_ == Inside::header) {
            seen_ = {};
            tensors.emplace_back().name = name_;
            return enter(Inside::tensor, "tensor " + quote(name_));
        }
        return refuse("an object");
    }

    bool key(std::string& name) override {
        bool is_new = true;
        if (inside_ == Inside::header) {
            name_ = name;
            is_new = names_.insert(name).second;
        } else if (inside_ == Inside::metadata) {
            name_ = name;
            is_new = metadata.emplace(name, std::string()).second;
        } else {
            field_ = std::find(fields.begin(), fields.end(), name);
            if (field_ == fields.end()) {
                return refuse(quote(name));
            }
            is_new = !std::exchange(seen_[static_cast<std::size_t>(field_ - fields.begin())], true);
        }
        if (!is_new) {
            fail("expected each name once, found " + quote(name) + " twice");
        }
        return true;
    }

    bool string(std::string& value) override {
        if (inside_ == Inside::metadata) {
            metadata[name_] = std::move(value);
        } else if (inside_ == Inside::tensor && *field_ == "dtype") {
            tensors.back().dtype = std::move(value);
        } else {
            return refuse(quote(value));
        }
        return true;
    }

    bool start_array(std::size_t) override {
        if (inside_ != Inside::tensor || *field_ == "dtype") {
            return refuse("a list");
        }
        inside_ = *field_ == "shape" ? Inside::shape : Inside::offsets;
        offsets_.clear();
        return true;
    }

    bool number_unsigned(std::uint64_t value) override {
        if (inside_ == Inside::shape && tensors.back().shape.size() < max_tensor_rank &&
            value <= static_cast<std::uint64_t>((std::numeric_limits<Index>::max)())) {
            tensors.back().shape.push_back(static_cast<Index>(value));
        } else if (inside_ == Inside::offsets && offsets_.size() < 2) {
            offsets_.push_back(value);
        } else {
            return refuse(std::to_string(value));
        }
        return true;
    }

    bool end_array() override {
        if (inside_ == Inside::offsets) {
            if (offsets_.size() != 2) {
                return refuse(std::to_string(offsets_.size()) + " number(s)");
            }
            tensors.back().begin = offsets_[0];
            tensors.back().end = offsets_[1];
        }
        inside_ = Inside::tensor;
        return true;
    }

    bool end_object() override {
        if (inside_ == Inside::tensor) {
            check_tensor();
        }
        return enter(inside_ == Inside::header ? Inside::nothing : Inside::header, "header");
    }

  private:
    enum class Inside { nothing, header, metadata, tensor, shape, offsets };
    static constexpr std::array<std::string_view, 3> fields = {"dtype", "shape", "data_offsets"};

    bool enter(Inside inside, const std::string& where) {
        inside_ = inside;
        where_ = path_ + ": " + where;
        return true;
    }

    [[nodiscard]] std::string expected() const override {
        switch (inside_) {
            case Inside::nothing: return "a JSON object";
            case Inside::header: return "a JSON object for every tensor and for __metadata__";
            case Inside::metadata: return "a text under " + quote(name_);
            case Inside::shape: return "shape: at most 8 whole numbers >= 0";
            case Inside::offsets: return "data_offsets: 2 whole numbers >= 0";
            case Inside::tensor: break;
        }
        return "dtype (a text), shape and data_offsets (lists of whole numbers)";
    }

    void check_tensor() const {
        const TensorInfo& tensor = tensors.back();
        for (std::size_t i = 0; i < fields.size(); ++i) {
            if (!seen_[i]) {
                fail("expected " + std::string(fields[i]) + ", found none");
            }
        }
        std::uint64_t n_bytes = dtype_size(tensor.dtype);
        if (n_bytes == 0) {
            fail("dtype: expected F32, F64 or another type of safetensors, found " + quote(tensor.dtype));
        }
        const bool is_empty = std::count(tensor.shape.begin(), tensor.shape.end(), 0) > 0;
        for (const Index n : tensor.shape) {
            const auto size = is_empty ? std::uint64_t{0} : static_cast<std::uint64_t>(n);
            if (size != 0 && n_bytes > (std::numeric_limits<std::uint64_t>::max)() / size) {
                fail("shape: expected a tensor that fits in memory, found " + shape_text(tensor.shape));
            }
            n_bytes *= size;
        }
        if (tensor.end < tensor.begin || tensor.end - tensor.begin != n_bytes) {
            fail("data_offsets: expected " + std::to_string(n_bytes) + " bytes for " + tensor.dtype + " " +
                 shape_text(tensor.shape) + ", found " + std::to_string(tensor.begin) + " to " +
                 std::to_string(tensor.end));
        }
    }

    std::string path_;
    Inside inside_ = Inside::nothing;
    std::string name_;
    std::set<std::string> names_;
    std::array<std::string_view, 3>::const_iterator field_ = fields.end();
    std::array<bool, 3> seen_{};
    std::vector<std::uint64_t> offsets_;
};

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
