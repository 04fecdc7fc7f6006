#ifndef GRU4REC_TESTS_SUPPORT_GOLDEN_FILES_HPP
#define GRU4REC_TESTS_SUPPORT_GOLDEN_FILES_HPP

#include "support/naive/network.hpp"
#include "support/naive/schedule.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

/// Readers of test data, independent of the library so that they check its own. They trust the files: an error ends in
/// an exception.
namespace golden {

/// The folder with data/ and golden/, from the environment variable GRU4REC_TEST_DATA; nullopt: skip tests that need
/// it.
[[nodiscard]] inline std::optional<std::filesystem::path> data_folder() {
    const char* folder = std::getenv("GRU4REC_TEST_DATA");
    if (folder == nullptr || *folder == '\0') {
        return std::nullopt;
    }
    return std::filesystem::path(folder);
}

[[nodiscard]] inline std::vector<std::string> split(const std::string& text, char separator) {
    std::vector<std::string> parts;
    std::istringstream stream(text);
    for (std::string part; std::getline(stream, part, separator);) {
        parts.push_back(part);
    }
    return parts;
}

[[nodiscard]] inline std::ifstream open(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        throw std::runtime_error("cannot open " + path.string());
    }
    return file;
}

[[nodiscard]] inline nlohmann::json load_json(const std::filesystem::path& path) {
    std::ifstream file = open(path);
    return nlohmann::json::parse(file);
}

struct WeightFile {
    naive::Weights weights;  ///< a tensor of one dimension is a row
    std::map<std::string, std::string> metadata;

    [[nodiscard]] std::vector<std::string> items() const { return split(metadata.at("items"), '\t'); }
};

/// safetensors: the length of the header (8 bytes, little-endian), the header (JSON), the tensors' bytes; F32 and F64.
[[nodiscard]] inline WeightFile load_safetensors(const std::filesystem::path& path) {
    std::ifstream file = open(path);
    const std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    const auto little_endian = [&](std::size_t at, std::size_t n_bytes) {
        std::uint64_t value = 0;
        for (std::size_t k = n_bytes; k-- > 0;) {
            value = value << 8 | static_cast<unsigned char>(bytes.at(at + k));
        }
        return value;
    };
    const std::size_t header_size = little_endian(0, 8);
    const nlohmann::json header = nlohmann::json::parse(bytes.substr(8, header_size));
    WeightFile result;
    for (const auto& [name, entry] : header.items()) {
        if (name == "__metadata__") {
            result.metadata = entry.get<std::map<std::string, std::string>>();
            continue;
        }
        const auto shape = entry.at("shape").get<std::vector<std::size_t>>();
        naive::Matrix matrix(shape.size() == 1 ? 1 : shape.at(0), shape.back());
        const bool is_float = entry.at("dtype") == "F32";
        if (shape.size() > 2 || (!is_float && entry.at("dtype") != "F64")) {
            throw std::runtime_error(path.string() + ": " + name + " is not a vector or matrix of F32 or F64");
        }
        const std::size_t width = is_float ? 4 : 8;
        const std::size_t begin = 8 + header_size + entry.at("data_offsets").at(0).get<std::size_t>();
        for (std::size_t k = 0; k < matrix.values.size(); ++k) {
            const std::uint64_t bits = little_endian(begin + width * k, width);
            matrix.values[k] = is_float ? static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(bits)))
                                        : std::bit_cast<double>(bits);
        }
        result.weights[name] = matrix;
    }
    return result;
}

struct Sessions {
    std::vector<naive::Session> sessions;  ///< by first appearance; empty if all items are unknown
    std::vector<double> first_times;       ///< of the known items of each session
    std::vector<std::string> items;        ///< ids by index
    std::size_t n_unknown_events = 0;
};

/// A file with the columns session, item and time, in that order.
///
/// @param known  if given, the items of the result: events of other items are dropped. Else items in order of
/// appearance
[[nodiscard]] inline Sessions load_tsv(const std::filesystem::path& path, const std::vector<std::string>& known = {}) {
    Sessions result;
    result.items = known;
    std::unordered_map<std::string, std::size_t> item_numbers;
    for (std::size_t item = 0; item < known.size(); ++item) {
        item_numbers.emplace(known[item], item);
    }
    std::unordered_map<std::string, std::size_t> session_numbers;
    std::vector<std::vector<std::pair<double, std::size_t>>> events;  // (time, item) by session
    std::ifstream file = open(path);
    std::string line;
    std::getline(file, line);
    while (std::getline(file, line)) {
        const std::vector<std::string> fields = split(line, '\t');
        const std::size_t session = session_numbers.try_emplace(fields.at(0), session_numbers.size()).first->second;
        events.resize(session_numbers.size());
        auto item = item_numbers.find(fields.at(1));
        if (item == item_numbers.end()) {
            if (!known.empty()) {
                ++result.n_unknown_events;
                continue;
            }
            item = item_numbers.emplace(fields.at(1), item_numbers.size()).first;
            result.items.push_back(fields.at(1));
        }
        events[session].emplace_back(std::stod(fields.at(2)), item->second);
    }
    for (auto& session : events) {
        std::stable_sort(session.begin(), session.end(), [](auto& a, auto& b) { return a.first < b.first; });
        result.first_times.push_back(session.empty() ? 0 : session.front().first);
        naive::Session& items = result.sessions.emplace_back();
        for (const auto& [time, item] : session) {
            items.push_back(item);
        }
    }
    return result;
}

/// A run's folder: parameters, expected results and initial weights.
struct Run {
    naive::Network network;  ///< before the first step
    nlohmann::json expected;
    std::vector<std::string> items;
};

[[nodiscard]] inline Run load_run(const std::filesystem::path& folder) {
    Run run;
    run.expected = load_json(folder / "expected.json");
    std::vector<std::pair<std::string, std::string>> entries;
    for (const auto& [name, value] : run.expected.at("params").items()) {
        std::string text = value.is_string() ? value.get<std::string>() : value.dump();
        if (value.is_array()) {  // [48,64] -> 48/64
            text = text.substr(1, text.size() - 2);
            std::replace(text.begin(), text.end(), ',', '/');
        }
        entries.emplace_back(name, text);
    }
    entries.emplace_back("gru_variant", run.expected.at("gru_variant").get<std::string>());
    const WeightFile file = load_safetensors(folder / "init.safetensors");
    run.items = file.items();
    run.network = {naive::settings_from_text(entries), run.items.size(), file.weights};
    return run;
}

}  // namespace golden

#endif
