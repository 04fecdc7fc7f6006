#ifndef GRU4REC_IO_SAFETENSORS_JSON_HPP
#define GRU4REC_IO_SAFETENSORS_JSON_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/io/safetensors_header.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Defines the functions of io/safetensors_header.hpp that need nlohmann-json. No other header includes it, and programs
// that use gru4rec::compiled do not see it.
namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Reads JSON as a stream of events and refuses each of them. Derived classes accept those that are expected.
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
        fail("expected JSON, found a syntax error or invalid UTF-8 at byte " + std::to_string(position) + " of it");
    }

    void parse(std::string_view text) {
        if (text.find('\0') != std::string_view::npos) {
            fail("expected JSON, found a NUL byte in it");  // the parser would take it for the end
        }
        nlohmann::json::sax_parse(text.begin(), text.end(), this);
    }

  protected:
    /// @param place  `path: field`, for messages
    explicit StrictJson(std::string place) : place_(std::move(place)) {}

    void set_place(std::string place) { place_ = std::move(place); }

    [[noreturn]] void fail(const std::string& problem) const {
        throw_format(place_, problem + std::string(damaged_header));
    }

    bool refuse(const std::string& found) const { fail("expected " + expected() + ", found " + found); }

    /// What the current position allows.
    [[nodiscard]] virtual std::string expected() const = 0;

  private:
    std::string place_;
};

class JsonObjectReader final : public StrictJson {
  public:
    Metadata entries;

    explicit JsonObjectReader(std::string place) : StrictJson(std::move(place)) {}

    bool start_object(std::size_t) override { return depth_++ == 0 || refuse("an object"); }
    bool end_object() override { return true; }

    bool key(std::string& name) override {
        current_ = &entries[name];
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
    [[nodiscard]] std::string expected() const override { return "a JSON object of strings, each name once"; }

    std::set<std::string> names_;
    std::string* current_ = nullptr;
    int depth_ = 0;
};

/// An object of tensors and, under `__metadata__`, an object of strings.
class HeaderReader final : public StrictJson {
  public:
    explicit HeaderReader(std::string path) : StrictJson(path + ": header"), path_(std::move(path)) {}

    SafetensorsHeader header;

    bool start_object(std::size_t) override {
        if (inside_ == Inside::file) {
            return enter(Inside::header, "header");
        }
        if (inside_ == Inside::header && name_ == "__metadata__") {
            return enter(Inside::metadata, "metadata");
        }
        if (inside_ == Inside::header) {
            seen_ = {};
            header.tensors.emplace_back().name = name_;
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
            is_new = header.metadata.emplace(name, std::string()).second;
        } else {
            field_ = std::find(fields.begin(), fields.end(), name);
            if (field_ == fields.end()) {
                return refuse(quote(name));
            }
            is_new = !std::exchange(at(seen_, field_ - fields.begin()), true);
        }
        if (!is_new) {
            fail("expected each name once, found " + quote(name) + " twice");
        }
        return true;
    }

    bool string(std::string& value) override {
        if (inside_ == Inside::metadata) {
            header.metadata[name_] = std::move(value);
        } else if (inside_ == Inside::tensor && *field_ == "dtype") {
            tensor().dtype = std::move(value);
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
        if (inside_ == Inside::shape && tensor().shape.size() < max_tensor_rank &&
            value <= static_cast<std::uint64_t>((std::numeric_limits<Index>::max)())) {
            tensor().shape.push_back(static_cast<Index>(value));
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
            tensor().begin = offsets_[0];
            tensor().end = offsets_[1];
        }
        inside_ = Inside::tensor;
        return true;
    }

    bool end_object() override {
        if (inside_ == Inside::tensor) {
            check_tensor();
        }
        return enter(inside_ == Inside::header ? Inside::file : Inside::header, "header");
    }

  private:
    enum class Inside { file, header, metadata, tensor, shape, offsets };
    static constexpr std::array<std::string_view, 3> fields = {"dtype", "shape", "data_offsets"};

    [[nodiscard]] TensorInfo& tensor() { return header.tensors.back(); }

    bool enter(Inside inside, const std::string& field) {
        inside_ = inside;
        set_place(path_ + ": " + field);
        return true;
    }

    [[nodiscard]] std::string expected() const override {
        switch (inside_) {
            case Inside::file: return "a JSON object";
            case Inside::header: return "a JSON object for each tensor and for __metadata__";
            case Inside::metadata: return "a string for " + quote(name_);
            case Inside::shape: return "shape: at most 8 integers >= 0";
            case Inside::offsets: return "data_offsets: 2 integers >= 0";
            case Inside::tensor: break;
        }
        return "dtype (a string), shape and data_offsets (lists of integers)";
    }

    void check_tensor() const {
        for (std::size_t i = 0; i < fields.size(); ++i) {
            if (!seen_[i]) {
                fail("expected " + std::string(fields[i]) + ", found none");
            }
        }
        const TensorInfo& tensor = header.tensors.back();
        std::uint64_t n_bytes = dtype_size(tensor.dtype);
        if (n_bytes == 0) {
            fail("dtype: expected F32, F64 or another type of safetensors, found " + quote(tensor.dtype));
        }
        const bool is_empty = std::count(tensor.shape.begin(), tensor.shape.end(), 0) > 0;
        for (const Index n : tensor.shape) {
            const auto size = is_empty ? std::uint64_t{0} : static_cast<std::uint64_t>(n);
            if (size != 0 && n_bytes > (std::numeric_limits<std::uint64_t>::max)() / size) {
                fail("shape: expected a tensor that fits in memory, found " + tensor.shape_text());
            }
            n_bytes *= size;
        }
        if (tensor.end < tensor.begin || tensor.end - tensor.begin != n_bytes) {
            fail("data_offsets: expected " + std::to_string(n_bytes) + " bytes for " + tensor.dtype + " " +
                 tensor.shape_text() + ", found " + std::to_string(tensor.begin) + " to " + std::to_string(tensor.end));
        }
    }

    std::string path_;
    Inside inside_ = Inside::file;
    std::string name_;
    std::set<std::string> names_;
    std::array<std::string_view, 3>::const_iterator field_ = fields.end();
    std::array<bool, 3> seen_{};
    std::vector<std::uint64_t> offsets_;
};

GRU4REC_INLINE SafetensorsHeader parse_safetensors_header(const std::string& path, std::string_view json) {
    HeaderReader reader(path);
    reader.parse(json);
    return std::move(reader.header);
}

GRU4REC_INLINE Metadata parse_json_object(const std::string& place, std::string_view json) {
    JsonObjectReader reader(place);
    reader.parse(json);
    return std::move(reader.entries);
}

GRU4REC_INLINE std::string json_string(std::string_view text) {
    if (!is_utf8(text)) {
        throw_invalid("a safetensors header holds UTF-8 only, got " + quote(text));
    }
    return nlohmann::json(text).dump();
}

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
