#include "run.hpp"

#include "gru4rec/core/error.hpp"

#include <nlohmann/json.hpp>

#include <charconv>
#include <cstddef>
#include <limits>
#include <utility>

namespace cli {

namespace {

using Json = nlohmann::json;  // whose objects take any number of keys without slowing down

constexpr int deepest = 8;                      ///< a report nests its values six levels deep
constexpr std::size_t most_values = 4'000'000;  ///< of a document: a number takes 16 bytes, a key many more
constexpr std::size_t most_members = 1000;      ///< of an object: parameters, tensors, cutoffs
constexpr std::size_t most_entries = 1000;      ///< of a list of evaluations or groups
constexpr std::size_t most_epochs = 100'000;
constexpr std::int64_t largest_epoch = (std::numeric_limits<std::int32_t>::max)();  ///< pictures take it as a double
constexpr std::size_t most_steps = 1'000'000;
constexpr std::size_t longest_text = 4096;  ///< of a key, too

/// What a message calls a value of the wrong kind.
[[nodiscard]] std::string kind_of(const Json& value) {
    return value.is_object()   ? "an object"
           : value.is_array()  ? "a list"
           : value.is_string() ? "a string"
                               : value.dump();  // null, true, a number
}

/// A value of a document, and its place in it.
class Field {
  public:
    /// The document itself.
    Field(std::string file, const Json& document, Author author)
        : file_(std::move(file)), value_(document), author_(author) {}

    [[noreturn]] void fail(const std::string& problem) const {
        throw gru4rec::FormatError(file_ + ": " + path_ + (path_.empty() ? "" : ": ") + problem);
    }

    [[noreturn]] void refuse(const std::string& expected) const {
        fail("expected " + expected + ", found " + kind_of(value_));
    }

    [[nodiscard]] bool is_null() const { return value_.is_null(); }
    [[nodiscard]] bool has(const char* key) const { return object().contains(key); }

    [[nodiscard]] Field at(const char* key) const {
        const auto member = object().find(key);
        if (member == value_.end()) {
            fail("the key '" + std::string(key) + "' is missing");
        }
        return {*this, path_to(key), *member};
    }

    /// A finite number, or NaN for null.
    [[nodiscard]] double number() const {
        if (value_.is_null()) {
            return no_value;
        }
        if (!value_.is_number()) {
            refuse("a number or null");
        }
        return value_.get<double>();
    }

    [[nodiscard]] std::int64_t count(std::int64_t most = (std::numeric_limits<std::int64_t>::max)()) const {
        return integer<std::int64_t>(most);
    }
    [[nodiscard]] std::uint64_t seed() const {
        return integer<std::uint64_t>((std::numeric_limits<std::uint64_t>::max)());
    }

    [[nodiscard]] std::string text() const {
        if (!value_.is_string()) {
            refuse("a string");
        }
        const auto& text = value_.get_ref<const std::string&>();
        require_short(text);
        return text;
    }

    /// Calls `use(Field)` for each element.
    template <class Use>
    void each(std::size_t most, const Use& use) const {
        if (!value_.is_array()) {
            refuse("a list");
        }
        require_at_most(most);
        for (std::size_t i = 0; i < value_.size(); ++i) {
            use(Field(*this, path_ + "[" + std::to_string(i) + "]", value_[i]));
        }
    }

    /// The same for the list of this key; nothing if the key is missing.
    template <class Use>
    void each(const char* key, std::size_t most, const Use& use) const {
        if (has(key)) {
            at(key).each(most, use);
        }
    }

    /// Calls `use(key, Field)` for each member.
    template <class Use>
    void each_member(const Use& use) const {
        (void)object();
        require_at_most(most_members);
        for (const auto& [key, value] : value_.items()) {
            require_short(key);
            use(key, Field(*this, path_to(key), value));
        }
    }

    /// The same for the object of this key; nothing if the key is missing.
    template <class Use>
    void each_member(const char* key, const Use& use) const {
        if (has(key)) {
            at(key).each_member(use);
        }
    }

  private:
    Field(const Field& parent, std::string path, const Json& value)
        : file_(parent.file_), path_(std::move(path)), value_(value), author_(parent.author_) {}

    [[nodiscard]] const Json& object() const {
        if (!value_.is_object()) {
            refuse("an object");
        }
        return value_;
    }

    void require_at_most(std::size_t most) const {
        if (author_ == Author::anybody && value_.size() > most) {
            fail("expected at most " + std::to_string(most) + " entries, found " + std::to_string(value_.size()));
        }
    }

    void require_short(const std::string& text) const {
        if (author_ == Author::anybody && text.size() > longest_text) {
            fail("expected at most " + std::to_string(longest_text) + " bytes, found " + std::to_string(text.size()));
        }
    }

    [[nodiscard]] std::string path_to(const std::string& key) const {
        const std::string shown = key.size() > 64 ? key.substr(0, 64) + "..." : key;
        return path_ + (path_.empty() ? "" : ".") + shown;
    }

    template <class Integer>
    [[nodiscard]] Integer integer(Integer most) const {
        if (!value_.is_number_unsigned() || value_.get<std::uint64_t>() > static_cast<std::uint64_t>(most)) {
            refuse("a whole number from 0 to " + std::to_string(most));
        }
        return value_.get<Integer>();
    }

    std::string file_;
    std::string path_;  ///< from the document to the value
    const Json& value_;
    Author author_;
};

[[nodiscard]] int read_cutoff(const std::string& key, const Field& field) {
    int cutoff = 0;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), cutoff);
    if (error != std::errc{} || end != key.data() + key.size() || cutoff < 1) {
        field.refuse("a cutoff such as 20 as the key");
    }
    return cutoff;
}

[[nodiscard]] Values read_values(const Field& parent, const char* key) {
    Values values;
    parent.each_member(
        key, [&](const std::string& name, const Field& value) { values[read_cutoff(name, value)] = value.number(); });
    return values;
}

[[nodiscard]] Intervals read_intervals(const Field& parent, const char* key) {
    Intervals intervals;
    parent.each_member(key, [&](const std::string& name, const Field& bounds) {
        std::vector<double> values;
        bounds.each(2, [&](const Field& bound) { values.push_back(bound.number()); });
        if (values.size() != 2) {
            bounds.refuse("two numbers");
        }
        intervals[read_cutoff(name, bounds)] = {values[0], values[1]};
    });
    return intervals;
}

[[nodiscard]] std::vector<MeasuredGroup> read_groups(const Field& parent, const char* key) {
    std::vector<MeasuredGroup> groups;
    parent.each(key, most_entries, [&](const Field& group) {
        MeasuredGroup& read = groups.emplace_back();
        read.from = group.at("from").count();
        if (!group.at("to").is_null()) {
            read.to = group.at("to").count();
        }
        read.predictions = group.at("predictions").count();
        read.recall = read_values(group, "recall");
        read.mrr = read_values(group, "mrr");
    });
    return groups;
}

[[nodiscard]] Measured read_measured(const Field& entry) {
    Measured measured;
    measured.file = entry.at("file").text();
    measured.ties = entry.at("ties").text();
    measured.baseline = entry.has("baseline") ? entry.at("baseline").text() : "";
    measured.predictions = entry.at("predictions").count();
    measured.skipped_unknown = entry.at("skipped_unknown").count();
    measured.recall = read_values(entry, "recall");
    measured.mrr = read_values(entry, "mrr");
    measured.ndcg = read_values(entry, "ndcg");
    measured.recall_interval = read_intervals(entry, "recall_interval");
    measured.mrr_interval = read_intervals(entry, "mrr_interval");
    measured.coverage = read_values(entry, "coverage");
    measured.popularity = read_values(entry, "popularity");
    measured.by_position = read_groups(entry, "by_position");
    measured.by_session_length = read_groups(entry, "by_session_length");
    measured.by_popularity = read_groups(entry, "by_popularity");
    entry.each("ranks", most_entries, [&](const Field& group) {
        measured.ranks.push_back({group.at("up_to").count(), group.at("predictions").count()});
    });
    measured.unranked = entry.has("unranked") ? entry.at("unranked").count() : 0;
    return measured;
}

[[nodiscard]] std::vector<Measured> read_evaluations(const Field& parent, const char* key) {
    std::vector<Measured> evaluations;
    parent.each(key, most_entries, [&](const Field& entry) { evaluations.push_back(read_measured(entry)); });
    return evaluations;
}

[[nodiscard]] RunEpoch read_epoch(const Field& entry) {
    RunEpoch epoch;
    epoch.epoch = entry.at("epoch").count(largest_epoch);
    epoch.loss = entry.at("loss").number();
    epoch.seconds = entry.at("seconds").number();
    epoch.events_per_second = entry.at("events_per_second").number();
    epoch.learning_rate = entry.has("learning_rate") ? entry.at("learning_rate").number() : no_value;
    epoch.valid = read_evaluations(entry, "valid");
    entry.each_member("weight_norms",
                      [&](const std::string& name, const Field& norm) { epoch.weight_norms[name] = norm.number(); });
    entry.each_member("gradient_norms", [&](const std::string& name, const Field& norms) {
        epoch.gradient_norms[name] = {norms.at("mean").number(), norms.at("largest").number()};
    });
    return epoch;
}

void read_training(const Field& root, Run& run) {
    if (root.has("seed")) {
        run.seed = root.at("seed").seed();
    }
    root.each("epochs", most_epochs, [&](const Field& entry) {
        run.epochs.push_back(read_epoch(entry));
        if (run.epochs.size() > 1 && run.epochs.back().epoch <= run.epochs[run.epochs.size() - 2].epoch) {
            entry.at("epoch").refuse("a later epoch than the one before");
        }
    });
    run.best_epoch = root.has("best_epoch") ? root.at("best_epoch").count() : 0;
    root.each("step_loss", most_steps, [&](const Field& loss) { run.step_loss.push_back(loss.number()); });
}

void require_version(const Field& root) {
    if (!root.has("report_version")) {
        root.fail(
            "the key 'report_version' is missing: expected a JSON report of gru4rec train, evaluate or baselines; "
            "reports of older versions must be made again");
    }
    const std::int64_t version = root.at("report_version").count();
    if (version != report_version) {
        root.fail("report_version: expected " + std::to_string(report_version) + ", found " + std::to_string(version) +
                  "; read it with the gru4rec that wrote it");
    }
}

/// Refuses a document that is too deep or too large while it is read, not after.
[[nodiscard]] Json parse(const std::string& file, std::string_view text, Author author) {
    std::size_t n_values = 0;
    const auto check = [&](int depth, Json::parse_event_t event, Json&) {
        if (depth > deepest) {
            throw gru4rec::FormatError(file + ": expected a report, found values nested more than " +
                                       std::to_string(deepest) + " levels deep");
        }
        const bool is_value = event != Json::parse_event_t::object_end && event != Json::parse_event_t::array_end;
        n_values += is_value ? 1U : 0U;
        if (author == Author::anybody && n_values > most_values) {
            throw gru4rec::FormatError(file + ": expected a report, found more than " + std::to_string(most_values) +
                                       " values");
        }
        return true;
    };
    try {
        return Json::parse(text, check);
    } catch (const Json::parse_error& error) {
        throw gru4rec::FormatError(file + ": expected JSON, found a syntax error at byte " +
                                   std::to_string(error.byte));
    } catch (const Json::out_of_range&) {
        throw gru4rec::FormatError(file + ": a number is too large for a double");
    }
}

}  // namespace

Run read_run(const std::string& file, std::string_view json, Author author) {
    const Json document = parse(file, json, author);
    const Field root(file, document, author);
    require_version(root);
    Run run;
    run.version = root.at("version").text();
    run.cpu = root.at("cpu").text();
    run.engine = root.has("engine") ? root.at("engine").text() : "";
    run.flags = root.at("flags").text();
    run.threads = root.at("threads").count();
    root.at("params").each_member(
        [&](const std::string& name, const Field& value) { run.params.emplace(name, value.text()); });
    run.sessions = root.at("data").at("sessions").count();
    run.items = root.at("data").at("items").count();
    run.events = root.at("data").at("events").count();
    read_training(root, run);
    run.evaluations = read_evaluations(root, "evaluations");
    run.peak_rss_bytes = root.at("peak_rss_bytes").count();
    return run;
}

}  // namespace cli
