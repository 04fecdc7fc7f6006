#include "arrow.hpp"

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/text.hpp"

#include <string_view>
#include <utility>

#include "arrow_checks.hpp"
#include "interpreter_lock.hpp"
#include "number_column.hpp"

namespace nb = nanobind;

namespace gru4rec_python {

namespace {

template <class Structure>
void release(Structure& structure) noexcept {
    if (structure.release != nullptr) {
        structure.release(&structure);
        structure.release = nullptr;
    }
}

/// Calls a function of a stream without the interpreter's lock, which threads of the stream may need to read files.
template <class Result>
[[nodiscard]] int unlocked(int (*function)(ArrowArrayStream*, Result*), ArrowArrayStream& stream, Result& result) {
    const InterpreterUnlocked released;
    return function(&stream, &result);
}

/// What all columns of text have in common.
class TextColumnBase : public Column {
  public:
    TextColumnBase(const ArrowArray& array, gru4rec::Index size) : array_(&array), size_(size) {}

    [[nodiscard]] gru4rec::Index size() const noexcept final { return size_; }
    [[nodiscard]] bool is_missing(gru4rec::Index row) const override {
        return !is_present(static_cast<const std::uint8_t*>(array_->buffers[0]), array_->offset + row);
    }
    [[nodiscard]] std::optional<gru4rec::detail::EventTime> time(gru4rec::Index) const final { return std::nullopt; }
    [[nodiscard]] IdKind kind() const noexcept override { return IdKind::text; }

  protected:
    const ArrowArray* array_;

  private:
    gru4rec::Index size_;
};

[[noreturn]] void throw_bad_text() {
    gru4rec::detail::throw_invalid("a text of an Arrow column lies outside its buffer; the table is damaged");
}

/// Texts stored one after another, with the offsets of their ends.
template <class Offset>
class TextColumn final : public TextColumnBase {
  public:
    using TextColumnBase::TextColumnBase;

    [[nodiscard]] std::string_view text(gru4rec::Index row, std::string&) const override {
        const auto* const offsets = static_cast<const Offset*>(array_->buffers[1]) + array_->offset + row;
        if (offsets[0] < 0 || offsets[1] < offsets[0]) {
            throw_bad_text();
        }
        if (offsets[1] == offsets[0]) {
            return {};  // there may be no buffer
        }
        if (array_->buffers[2] == nullptr) {
            throw_bad_text();
        }
        return {static_cast<const char*>(array_->buffers[2]) + offsets[0],
                static_cast<std::size_t>(offsets[1] - offsets[0])};
    }
};

/// Texts in views of 16 bytes: the length, then the text if it has at most 12 bytes, else its first 4 bytes, its buffer
/// and its place there.
class TextViewColumn final : public TextColumnBase {
  public:
    using TextColumnBase::TextColumnBase;

    [[nodiscard]] std::string_view text(gru4rec::Index row, std::string&) const override {
        const char* const view = static_cast<const char*>(array_->buffers[1]) + 16 * (array_->offset + row);
        const auto length = gru4rec::detail::load_word<std::int32_t>(view);
        if (length >= 0 && length <= 12) {
            return {view + 4, static_cast<std::size_t>(length)};
        }
        const auto buffer = gru4rec::detail::load_word<std::int32_t>(view + 8);
        const auto place = gru4rec::detail::load_word<std::int32_t>(view + 12);
        // The last buffer of the array holds the sizes of those of the texts.
        const std::int64_t n_buffers = array_->n_buffers - 3;
        const auto* const sizes = static_cast<const std::int64_t*>(array_->buffers[array_->n_buffers - 1]);
        if (length < 0 || buffer < 0 || buffer >= n_buffers || place < 0 || sizes[buffer] < place ||
            sizes[buffer] - place < length) {
            throw_bad_text();
        }
        return {static_cast<const char*>(array_->buffers[2 + buffer]) + place, static_cast<std::size_t>(length)};
    }
};

/// Each row is the place of its value in a column of distinct ones.
class DictionaryColumn final : public Column {
  public:
    /// @param places  a column of integers
    DictionaryColumn(std::unique_ptr<Column> places, std::unique_ptr<Column> values)
        : places_(std::move(places)), values_(std::move(values)) {}

    [[nodiscard]] gru4rec::Index size() const noexcept override { return places_->size(); }
    [[nodiscard]] bool is_missing(gru4rec::Index row) const override {
        return places_->is_missing(row) || values_->is_missing(place(row));
    }
    [[nodiscard]] std::string_view text(gru4rec::Index row, std::string& buffer) const override {
        return values_->text(place(row), buffer);
    }
    [[nodiscard]] std::optional<gru4rec::detail::EventTime> time(gru4rec::Index row) const override {
        return values_->time(place(row));
    }
    [[nodiscard]] TimesAre times_are(gru4rec::Index row) const override { return values_->times_are(place(row)); }
    [[nodiscard]] IdKind kind() const noexcept override { return values_->kind(); }

  private:
    [[nodiscard]] gru4rec::Index place(gru4rec::Index row) const {
        const gru4rec::Index place = places_->time(row).value_or(gru4rec::detail::EventTime{-1, 0}).whole;
        if (place < 0 || place >= values_->size()) {
            gru4rec::detail::throw_invalid("an Arrow dictionary has no value " + std::to_string(place) +
                                           "; the table is damaged");
        }
        return place;
    }

    std::unique_ptr<Column> places_;
    std::unique_ptr<Column> values_;
};

/// A column of a batch whose rows need not all have a value.
class NullableColumn final : public Column {
  public:
    /// @param present  as is_present() takes it
    NullableColumn(std::unique_ptr<Column> column, const std::uint8_t* present)
        : column_(std::move(column)), present_(present) {}

    [[nodiscard]] gru4rec::Index size() const noexcept override { return column_->size(); }
    [[nodiscard]] bool is_missing(gru4rec::Index row) const override {
        return !is_present(present_, row) || column_->is_missing(row);
    }
    [[nodiscard]] std::string_view text(gru4rec::Index row, std::string& buffer) const override {
        return column_->text(row, buffer);
    }
    [[nodiscard]] std::optional<gru4rec::detail::EventTime> time(gru4rec::Index row) const override {
        return column_->time(row);
    }
    [[nodiscard]] TimesAre times_are(gru4rec::Index row) const override { return column_->times_are(row); }
    [[nodiscard]] IdKind kind() const noexcept override { return column_->kind(); }

  private:
    std::unique_ptr<Column> column_;
    const std::uint8_t* present_;
};

template <class Number>
[[nodiscard]] std::unique_ptr<Column> numbers_of(const ArrowArray& array, gru4rec::Index size,
                                                 TimesAre times_are = TimesAre::numbers) {
    return std::make_unique<NumberColumn<Number>>(
        static_cast<const Number*>(array.buffers[1]) + array.offset, size, gru4rec::Index{sizeof(Number)},
        static_cast<const std::uint8_t*>(array.buffers[0]), array.offset, times_are);
}

/// @returns nullptr for a type that is not numbers or times
[[nodiscard]] std::unique_ptr<Column> arrow_number_column(std::string_view format, const ArrowArray& array,
                                                          gru4rec::Index size) {
    if (format.starts_with("ts") || format == "tdm") {
        return numbers_of<std::int64_t>(array, size, TimesAre::dates);
    }
    if (format == "tdD") {
        return numbers_of<std::int32_t>(array, size, TimesAre::dates);
    }
    if (format == "l") {
        return numbers_of<std::int64_t>(array, size);
    }
    if (format == "i") {
        return numbers_of<std::int32_t>(array, size);
    }
    if (format == "L") {
        return numbers_of<std::uint64_t>(array, size);
    }
    if (format == "I") {
        return numbers_of<std::uint32_t>(array, size);
    }
    if (format == "s") {
        return numbers_of<std::int16_t>(array, size);
    }
    if (format == "S") {
        return numbers_of<std::uint16_t>(array, size);
    }
    if (format == "c") {
        return numbers_of<std::int8_t>(array, size);
    }
    if (format == "C") {
        return numbers_of<std::uint8_t>(array, size);
    }
    if (format == "g") {
        return numbers_of<double>(array, size);
    }
    if (format == "f") {
        return numbers_of<float>(array, size);
    }
    return nullptr;
}

/// @returns nullptr for a type that is not numbers, times or text
[[nodiscard]] std::unique_ptr<Column> arrow_column(std::string_view format, const ArrowArray& array,
                                                   gru4rec::Index size) {
    if (format == "u") {
        return std::make_unique<TextColumn<std::int32_t>>(array, size);
    }
    if (format == "U") {
        return std::make_unique<TextColumn<std::int64_t>>(array, size);
    }
    if (format == "vu") {
        return std::make_unique<TextViewColumn>(array, size);
    }
    return arrow_number_column(format, array, size);
}

[[nodiscard]] std::unique_ptr<Column> arrow_column(const ArrowSchema& schema, const ArrowArray& array,
                                                   gru4rec::Index size) {
    require_fit(schema, array, size);
    std::unique_ptr<Column> column = arrow_column(std::string_view(schema.format), array, size);
    if (column != nullptr && schema.dictionary != nullptr) {
        std::unique_ptr<Column> values = arrow_column(*schema.dictionary, *array.dictionary, array.dictionary->length);
        column = values == nullptr ? nullptr : std::make_unique<DictionaryColumn>(std::move(column), std::move(values));
    }
    if (column == nullptr) {
        gru4rec::detail::throw_invalid("column " + gru4rec::detail::quote(schema.name == nullptr ? "" : schema.name) +
                                       " has the Arrow type " + gru4rec::detail::quote(schema.format) +
                                       "; expected integers, floating-point numbers, text, categories of these, or for "
                                       "times dates and timestamps: cast it to one of them");
    }
    return column;
}

}  // namespace

ArrowBatches::ArrowBatches(nb::handle capsule) {
    constexpr const char* name = "arrow_array_stream";
    if (PyCapsule_IsValid(capsule.ptr(), name) == 0) {
        gru4rec::detail::throw_invalid(
            std::string("__arrow_c_stream__ returned no Arrow stream; expected a capsule of ") + name);
    }
    auto* const stream = static_cast<ArrowArrayStream*>(PyCapsule_GetPointer(capsule.ptr(), name));
    if (stream->release == nullptr) {
        gru4rec::detail::throw_invalid("the Arrow stream has been read already; pass one that is new, or a table");
    }
    stream_ = *stream;
    stream->release = nullptr;  // moved: the capsule no longer owns it
    if (const int status = unlocked(stream_.get_schema, stream_, schema_); status != 0) {
        const std::string problem = problem_of(status);
        release(stream_);
        gru4rec::detail::throw_invalid(problem);
    }
    if (schema_.format == nullptr || std::string_view(schema_.format) != "+s") {
        release(schema_);
        release(stream_);
        gru4rec::detail::throw_invalid("the Arrow stream does not hold a table; expected one with named columns");
    }
}

ArrowBatches::~ArrowBatches() {
    release(batch_);
    release(schema_);
    release(stream_);
}

std::string ArrowBatches::problem_of(int status) {
    const char* const text = stream_.get_last_error(&stream_);
    return "the Arrow stream failed: " +
           (text == nullptr ? "its source gives no reason but error " + std::to_string(status) : std::string(text));
}

std::vector<std::string> ArrowBatches::names() const {
    std::vector<std::string> names;
    for (std::int64_t i = 0; i < schema_.n_children; ++i) {
        const char* const name = schema_.children[i]->name;
        names.emplace_back(name == nullptr ? "" : name);
    }
    return names;
}

bool ArrowBatches::next(const std::array<int, 3>& places, std::array<std::unique_ptr<Column>, 3>& columns,
                        gru4rec::Index& n_rows) {
    columns = {};
    release(batch_);
    if (const int status = unlocked(stream_.get_next, stream_, batch_); status != 0) {
        gru4rec::detail::throw_invalid(problem_of(status));
    }
    if (batch_.release == nullptr) {
        return false;
    }
    if (batch_.offset != 0) {
        gru4rec::detail::throw_invalid(
            "the Arrow stream's batches have an offset, which is not supported; pass the columns as a "
            "dict of arrays");
    }
    require_fit(schema_, batch_);
    n_rows = batch_.length;
    const auto* const present = static_cast<const std::uint8_t*>(batch_.buffers[0]);
    for (std::size_t i = 0; i < places.size(); ++i) {
        if (places[i] >= 0) {
            columns[i] = arrow_column(*schema_.children[places[i]], *batch_.children[places[i]], n_rows);
            if (present != nullptr) {
                columns[i] = std::make_unique<NullableColumn>(std::move(columns[i]), present);
            }
        }
    }
    return true;
}

}  // namespace gru4rec_python
