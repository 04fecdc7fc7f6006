#include "answer_reader.hpp"

#include <nlohmann/json.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

namespace cli::playback {

namespace {

using nlohmann::json;

/// Takes an answer as it is parsed: a tree of values would take five times as long.
///
///     {"items": [{"id": "7", "score": 1.5}, ...], "events": 3, "unknown": [], "model": "..."}
class AnswerEvents {
  public:
    explicit AnswerEvents(std::string_view target) : target_(target) {}

    [[nodiscard]] bool is_complete() const noexcept { return has_items_ && has_events_; }
    [[nodiscard]] ReadAnswer take() && {
        answer_.rank = rank_;
        return std::move(answer_);
    }

    // What json::sax_parse calls.
    bool null() { return value(std::numeric_limits<double>::quiet_NaN()); }
    bool boolean(bool) { return true; }
    bool number_integer(json::number_integer_t number) { return value(static_cast<double>(number)); }
    bool number_unsigned(json::number_unsigned_t number) {
        if (depth_ == 1 && field_ == Field::events) {
            has_events_ = number <= static_cast<std::uint64_t>(most_events);
            answer_.n_events = static_cast<gru4rec::Index>(number);
        }
        return value(static_cast<double>(number));
    }
    bool number_float(json::number_float_t number, const std::string&) { return value(number); }
    bool string(const std::string& text) {
        if (depth_ == 1 && field_ == Field::model) {
            answer_.model = text;
        } else if (depth_ == 2 && field_ == Field::unknown) {
            ++answer_.n_unknown;
        } else if (depth_ == 3 && field_ == Field::items && inner_ == Inner::id) {
            is_target_ = text == target_;
        }
        return true;
    }
    bool binary(const json::binary_t&) { return false; }
    bool start_object(std::size_t) {
        is_target_ = false;
        score_ = std::numeric_limits<double>::quiet_NaN();
        return ++depth_ <= deepest;
    }
    bool end_object() {
        if (--depth_ == 2 && field_ == Field::items) {
            add_item();
        }
        return true;
    }
    bool start_array(std::size_t) {
        has_items_ = has_items_ || (depth_ == 1 && field_ == Field::items);
        return ++depth_ <= deepest;
    }
    bool end_array() {
        --depth_;
        return true;
    }
    bool key(const std::string& name) {
        if (depth_ == 1) {
            field_ = name == "items"     ? Field::items
                     : name == "events"  ? Field::events
                     : name == "unknown" ? Field::unknown
                     : name == "model"   ? Field::model
                                         : Field::other;
        } else {
            inner_ = name == "id" ? Inner::id : name == "score" ? Inner::score : Inner::other;
        }
        return true;
    }
    bool parse_error(std::size_t, const std::string&, const json::exception&) { return false; }

  private:
    enum class Field { items, events, unknown, model, other };
    enum class Inner { id, score, other };

    static constexpr int deepest = 8;

    bool value(double number) {
        if (depth_ == 3 && field_ == Field::items && inner_ == Inner::score) {
            score_ = number;
        }
        return true;
    }

    void add_item() {
        ++n_items_;
        if (is_target_ && !std::isnan(score_)) {
            rank_ = n_items_;
            target_score_ = score_;
        } else if (rank_ == n_items_ - 1 && rank_ > 0 && score_ == target_score_) {
            rank_ = n_items_;
        }
    }

    std::string_view target_;
    ReadAnswer answer_;
    int depth_ = 0;
    Field field_ = Field::other;
    Inner inner_ = Inner::other;
    bool has_items_ = false;
    bool has_events_ = false;
    bool is_target_ = false;
    double score_ = 0;
    gru4rec::Index n_items_ = 0;
    gru4rec::Index rank_ = 0;
    double target_score_ = 0;
};

/// Takes a filter as it is parsed: it may hold millions of ids.
///
///     {"exclude": ["7", ...]}
class FilterEvents {
  public:
    [[nodiscard]] bool leaves_out() const noexcept { return has_only_ || has_excluded_; }

    // What json::sax_parse calls.
    bool null() { return value(); }
    bool boolean(bool) { return value(); }
    bool number_integer(json::number_integer_t) { return value(); }
    bool number_unsigned(json::number_unsigned_t) { return value(); }
    bool number_float(json::number_float_t, const std::string&) { return value(); }
    bool string(const std::string&) { return value(); }
    bool binary(const json::binary_t&) { return false; }
    bool start_object(std::size_t) { return depth_++ == 0; }
    bool end_object() { return --depth_ == 0; }
    bool start_array(std::size_t) { return depth_++ == 1; }
    bool end_array() { return --depth_ == 1; }
    bool key(const std::string& name) {
        has_only_ = has_only_ || name == "only";
        in_exclude_ = name == "exclude";
        return true;
    }
    bool parse_error(std::size_t, const std::string&, const json::exception&) { return false; }

  private:
    bool value() {
        has_excluded_ = has_excluded_ || (depth_ == 2 && in_exclude_);
        return depth_ > 0;
    }

    int depth_ = 0;
    bool has_only_ = false;
    bool has_excluded_ = false;
    bool in_exclude_ = false;
};

/// The JSON of an answer that is short if it comes from our server; discarded if it is longer, or no JSON. A tree of
/// values takes many times as much memory as its text.
[[nodiscard]] json short_json(std::string_view body) {
    constexpr std::size_t longest = 65'536;
    return body.size() > longest ? json(json::value_t::discarded)
                                 : json::parse(body.begin(), body.end(), nullptr, false);
}

}  // namespace

std::optional<ReadAnswer> read_answer(std::string_view body, std::string_view target) {
    AnswerEvents events(target);
    if (!json::sax_parse(body.begin(), body.end(), &events) || !events.is_complete()) {
        return std::nullopt;
    }
    return std::move(events).take();
}

ReadError read_error(std::string_view body) {
    const json answer = short_json(body);
    ReadError error;
    if (answer.is_object() && answer.contains("error") && answer["error"].is_object()) {
        for (const auto& [name, text] : {std::pair("code", &error.code), std::pair("message", &error.message)}) {
            const auto found = answer["error"].find(name);
            if (found != answer["error"].end() && found->is_string()) {
                *text = found->get<std::string>();
            }
        }
    }
    return error;
}

std::optional<ReadyAnswer> read_ready(std::string_view body) {
    const json answer = short_json(body);
    const auto is_text = [&](const char* name) { return answer.contains(name) && answer[name].is_string(); };
    if (!answer.is_object() || !is_text("status") || !is_text("model")) {
        return std::nullopt;
    }
    return ReadyAnswer{answer["status"].get<std::string>(), answer["model"].get<std::string>()};
}

bool leaves_out(std::string_view body) {
    FilterEvents events;
    return json::sax_parse(body.begin(), body.end(), &events) && events.leaves_out();
}

}  // namespace cli::playback
