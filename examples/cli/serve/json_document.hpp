#ifndef GRU4REC_CLI_SERVE_JSON_DOCUMENT_HPP
#define GRU4REC_CLI_SERVE_JSON_DOCUMENT_HPP

#include <nlohmann/json.hpp>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "http.hpp"
#include "json_text.hpp"

namespace cli::server {

/// Empties a value from its leaves up. The destructor of the JSON library puts all elements into a new list first, so
/// as not to recurse, and ends the process if there is no memory for that.
///
/// @pre the value is nested only a few levels deep
inline void dismantle(nlohmann::json& value) noexcept {
    if (auto* const list = value.get_ptr<nlohmann::json::array_t*>()) {
        for (nlohmann::json& element : *list) {
            dismantle(element);
        }
        list->clear();
    } else if (auto* const object = value.get_ptr<nlohmann::json::object_t*>()) {
        for (auto& [name, member] : *object) {
            dismantle(member);
        }
        object->clear();
    }
}

/// A value that can be destroyed when memory is short.
struct Document {
    nlohmann::json value;

    Document() = default;
    Document(Document&& other) noexcept : value(std::move(other.value)) {}
    Document& operator=(Document&&) = delete;
    ~Document() { dismantle(value); }
};

/// Receives what the parser finds. The parser's own builder would destroy unfinished values as described above.
class DocumentBuilder {
  public:
    using json = nlohmann::json;

    /// @param root  of a Document, which must outlive this object
    explicit DocumentBuilder(json& root) : root_(root) {}

    // What the parser calls; each returns whether to go on.
    bool null() { return add(nullptr); }
    bool boolean(bool value) { return add(value); }
    bool number_integer(json::number_integer_t value) { return add(value); }
    bool number_unsigned(json::number_unsigned_t value) { return add(value); }
    bool number_float(json::number_float_t value, const std::string&) { return add(value); }
    bool string(std::string& value) { return add(std::move(value)); }
    bool binary(json::binary_t&) { return false; }  // JSON as text has none
    bool start_object(std::size_t) { return open(json::value_t::object); }
    bool start_array(std::size_t) { return open(json::value_t::array); }
    bool end_object() { return close(); }
    bool end_array() { return close(); }
    /// @throws HttpFailure
    bool key(std::string& name) {
        const auto [member, is_new] = open_.back()->get_ref<json::object_t&>().try_emplace(std::move(name));
        if (!is_new) {  // one of the two would go unnoticed
            throw HttpFailure(400, "bad_json",
                              "the body has the field " + in_quotes(member->first) + " twice in an object");
        }
        member_ = &member->second;
        return true;
    }
    /// @throws HttpFailure
    [[noreturn]] bool parse_error(std::size_t byte, const std::string&, const json::exception& problem) {
        constexpr int number_out_of_range = 406;  // such as 1e999
        throw HttpFailure(400, "bad_json",
                          problem.id == number_out_of_range
                              ? "the body has a number that is too large for a double"
                              : "the body is not JSON: it is malformed at byte " + std::to_string(byte));
    }

  private:
    template <class Value>
    bool add(Value&& value) {
        (void)place(std::forward<Value>(value));
        return true;
    }
    bool open(json::value_t type) {
        open_.push_back(nullptr);
        open_.back() = place(type, open_.size() - 1);
        return true;
    }
    bool close() {
        open_.pop_back();
        return true;
    }

    template <class Value>
    json* place(Value&& value) {
        return place(std::forward<Value>(value), open_.size());
    }
    /// Puts a value where the parser is. @returns it
    template <class Value>
    json* place(Value&& value, std::size_t depth) {
        if (depth == 0) {
            root_ = json(std::forward<Value>(value));
            return &root_;
        }
        if (auto* const list = open_[depth - 1]->template get_ptr<json::array_t*>()) {
            list->emplace_back(std::forward<Value>(value));
            return &list->back();
        }
        *member_ = json(std::forward<Value>(value));
        return member_;
    }

    json& root_;
    std::vector<json*> open_;  // containers, the outermost first
    json* member_ = nullptr;   // of the innermost object: the value comes next
};

}  // namespace cli::server

#endif
