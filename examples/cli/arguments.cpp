#include "arguments.hpp"

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/file.hpp"
#include "gru4rec/core/file_bytes.hpp"
#include "gru4rec/core/text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <filesystem>
#include <set>
#include <system_error>

#include "messages.hpp"

namespace cli {

namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

[[nodiscard]] std::string_view trimmed(std::string_view text) {
    while (text.starts_with(' ')) {
        text.remove_prefix(1);
    }
    while (text.ends_with(' ')) {
        text.remove_suffix(1);
    }
    return text;
}

[[noreturn]] void refuse(const std::string& message) { throw gru4rec::ConfigError(message); }

[[nodiscard]] std::string in_quotes(std::string_view text) { return "'" + one_line(text) + "'"; }

/// For messages. Objects and arrays are not printed: deep nesting would exhaust the stack.
[[nodiscard]] std::string shown(const Json& value) {
    return value.is_structured() ? "an " + std::string(value.type_name()) : value.dump();
}

/// A value of the parameter file in the form that --params takes.
[[nodiscard]] std::string parameter_text(const std::string& where, const Json& value) {
    if (value.is_string()) {
        return value.get<std::string>();
    }
    if (value.is_number() || value.is_boolean() || value.is_null()) {
        return value.dump();  // no parameter takes null, but some messages say what to write instead
    }
    std::string list;
    if (value.is_array()) {
        for (const Json& part : value) {
            if (!part.is_number()) {
                throw gru4rec::FormatError(where + " holds " + shown(part) + ", expected a list of numbers");
            }
            list += (list.empty() ? "" : "/") + part.dump();
        }
        return list;
    }
    throw gru4rec::FormatError(where + " is " + shown(value) +
                               ", expected a string, a number, true, false or a list of numbers");
}

/// Refuses duplicate names, of which the parser would keep the last.
[[nodiscard]] Json parse_object(const std::string& path, const std::string& text) {
    std::set<std::string> names;
    std::string last_name;
    const auto refuse_twice = [&](int depth, Json::parse_event_t event, Json& parsed) {
        if (depth == 1 && event == Json::parse_event_t::key) {
            last_name = parsed.get<std::string>();
            if (!names.insert(last_name).second) {
                throw gru4rec::FormatError(path + ": parameter " + in_quotes(last_name) + " is given twice");
            }
        }
        return true;
    };
    const auto fail = [&](std::size_t byte, const std::string& reason) {
        const auto at = static_cast<std::ptrdiff_t>((std::min)(byte, text.size()));
        const auto line = 1 + std::count(text.begin(), text.begin() + at, '\n');
        const bool is_python = text.find_first_of('\'') != std::string::npos ||
                               text.find("True") != std::string::npos || text.find("False") != std::string::npos;
        throw gru4rec::FormatError(path + ":" + std::to_string(line) + ": invalid JSON: " + reason +
                                   (is_python ? "; JSON has true and false, and strings in double quotes" : ""));
    };
    const auto without_code = [](std::string reason) {
        const std::size_t end_of_code = reason.find("] ");
        return reason.erase(0, end_of_code == std::string::npos ? 0 : end_of_code + 2);
    };
    if (const std::size_t nul = text.find('\0'); nul != std::string::npos) {
        fail(nul, "a NUL byte");  // which the parser would take for the end
    }
    Json object;
    try {
        object = Json::parse(text, refuse_twice);
    } catch (const Json::parse_error& error) {
        fail(error.byte, without_code(error.what()));
    } catch (const Json::out_of_range& error) {  // 1e400
        throw gru4rec::FormatError(path + ": parameter " + in_quotes(last_name) + ": " + without_code(error.what()));
    }
    if (!object.is_object()) {
        throw gru4rec::FormatError(path + ": expected a JSON object of parameters, {\"layers\": 100}");
    }
    return object;
}

/// The published implementations keep their parameters in Python files, which assign to `gru4rec_params`.
void refuse_python(const std::string& path, std::string_view text) {
    const bool assigns = text.find("gru4rec_params") != std::string_view::npos;
    if (assigns || text.find("OrderedDict") != std::string_view::npos || path.ends_with(".py")) {
        throw gru4rec::FormatError(
            path +
            ": this is Python, which is not run; expected a JSON object of parameters. To convert it: python3 -c "
            "\"import json, runpy, sys; print(json.dumps(runpy.run_path(sys.argv[1])['gru4rec_params']))\" " +
            for_shell(path) + " > params.json");
    }
}

void read_parameter_file(const std::string& path, ParameterEntries& entries) {
    const std::string text(gru4rec::detail::FileBytes(path).view());
    const std::string_view begin = trimmed(text);
    if (!begin.starts_with('{')) {
        refuse_python(path, text);
    }
    const Json object = parse_object(path, text);
    gru4rec::Hyperparameters checked;
    for (const auto& [name, value] : object.items()) {
        std::string value_text = parameter_text(path + ": parameter " + in_quotes(name), value);
        try {
            checked.set(name, value_text);
        } catch (const gru4rec::ConfigError& error) {
            throw gru4rec::FormatError(path + ": " + std::string(without_prefix(error.what())));
        }
        entries.emplace_back(name, std::move(value_text));
    }
}

void read_parameter_lists(const std::vector<std::string>& lists, ParameterEntries& entries) {
    gru4rec::Hyperparameters checked;
    std::set<std::string, std::less<>> names;
    for (const std::string& list : lists) {
        for (const std::string_view entry : gru4rec::detail::split(list, ',')) {
            const std::size_t end = entry.find('=');
            const std::string_view name = trimmed(entry.substr(0, end));
            if (end == std::string_view::npos || name.empty()) {
                refuse("--params: " + in_quotes(entry) + " in " + in_quotes(list) +
                       ", expected name=value,name=value; lists are a/b/c, as in layers=100/200");
            }
            if (!names.emplace(name).second) {
                refuse("--params: " + in_quotes(name) + " is given twice");
            }
            const std::string_view value = trimmed(entry.substr(end + 1));
            checked.set(name, value);
            entries.emplace_back(name, value);
        }
    }
}

[[nodiscard]] int read_cutoff(std::string_view text, const std::string& list) {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value < 1) {
        refuse("--measure: " + in_quotes(text) + " in " + in_quotes(list) +
               ", expected whole numbers from 1 to 2147483647, such as 1,5,20");
    }
    return value;
}

[[nodiscard]] gru4rec::Ties read_ties(std::string_view text, const std::string& list) {
    for (const auto ties : {gru4rec::Ties::standard, gru4rec::Ties::conservative, gru4rec::Ties::median}) {
        if (to_string(ties) == text) {
            return ties;
        }
    }
    refuse("--ties: " + in_quotes(text) + " in " + in_quotes(list) + ", expected some of conservative,standard,median");
}

/// Appends a value that is not there yet.
template <class Value>
void add_new(std::vector<Value>& values, Value value) {
    if (std::find(values.begin(), values.end(), value) == values.end()) {
        values.push_back(value);
    }
}

[[nodiscard]] bool same_file(const std::string& a, const std::string& b) {
    std::error_code error;
    if (fs::equivalent(a, b, error)) {
        return fs::is_regular_file(a, error);  // /dev/null may be several destinations
    }
    // Files that do not exist yet are the same if name and folder are.
    const auto canonical = [&](const std::string& path) { return fs::weakly_canonical(fs::absolute(path), error); };
    return !fs::exists(a, error) && canonical(a) == canonical(b);
}

/// Does not open pipes and devices: closing them again would look like the end of the data to a reader.
void check_writable(const std::string& path) {
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (!fs::exists(status) || fs::is_regular_file(status) || fs::is_directory(status)) {
        const gru4rec::detail::AtomicFile never_committed(path);
    }
}

}  // namespace

ParameterEntries read_parameter_entries(const std::vector<std::string>& lists, const std::string& file) {
    ParameterEntries entries;
    if (!file.empty()) {
        read_parameter_file(file, entries);
    }
    read_parameter_lists(lists, entries);
    return entries;
}

gru4rec::Hyperparameters read_parameters(const std::vector<std::string>& lists, const std::string& file,
                                         gru4rec::Hyperparameters parameters) {
    for (const auto& [name, value] : read_parameter_entries(lists, file)) {
        parameters.set(name, value);
    }
    parameters.validate();
    return parameters;
}

gru4rec::EvaluationOptions read_measures(const MeasureOptions& options, int threads) {
    gru4rec::EvaluationOptions result{
        .cutoffs = {},
        .ties = {},
        .max_threads = threads,
        .coverage = options.coverage,
        .ranks = !options.ranks.empty(),
        .bootstrap = {.resamples = options.bootstrap, .level = options.level, .seed = options.bootstrap_seed}};
    for (const std::string_view part : gru4rec::detail::split(options.cutoffs, ',')) {
        add_new(result.cutoffs, read_cutoff(trimmed(part), options.cutoffs));
    }
    for (const std::string_view part : gru4rec::detail::split(options.ties, ',')) {
        add_new(result.ties, read_ties(trimmed(part), options.ties));
    }
    return result;
}

bool is_there(const std::string& path) {
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (error == std::errc::filename_too_long) {
        return false;  // no file has such a name
    }
    if (status.type() == fs::file_type::none) {  // a checkpoint that is taken for absent would be overwritten
        throw gru4rec::IoError(path + ": cannot tell whether it is there: " + error.message());
    }
    return fs::exists(status);
}

void refuse_overwriting(const std::vector<NamedFile>& destinations, const std::vector<NamedFile>& inputs) {
    std::vector<NamedFile> others = inputs;
    for (const NamedFile& destination : destinations) {
        if (destination.path.empty()) {
            continue;
        }
        for (const NamedFile& other : others) {
            if (!other.path.empty() && same_file(destination.path, other.path)) {
                refuse(std::string(destination.option) + ": " + in_quotes(destination.path) +
                       " would overwrite the file of " + std::string(other.option));
            }
        }
        others.push_back(destination);
    }
}

void check_destinations(const std::vector<NamedFile>& destinations, const std::vector<NamedFile>& inputs) {
    refuse_overwriting(destinations, inputs);
    for (const NamedFile& destination : destinations) {
        if (!destination.path.empty()) {
            check_writable(destination.path);
        }
    }
}

}  // namespace cli
