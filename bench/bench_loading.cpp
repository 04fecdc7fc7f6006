#include "support/data.hpp"
#include "support/measure.hpp"

#include "gru4rec/core/file.hpp"
#include "gru4rec/core/parallel_sort.hpp"
#include "gru4rec/data/dataset.hpp"
#include "gru4rec/data/events.hpp"
#include "gru4rec/data/files.hpp"
#include "gru4rec/data/format_date.hpp"
#include "gru4rec/data/reader.hpp"
#include "gru4rec/data/text_source.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <compare>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace bench {
namespace {

constexpr Index n_events = 1'000'000;

enum class Order { by_session, by_time };

/// How times are written: seconds with three decimals, milliseconds, or dates such as 2014-04-01T00:00:00.123Z.
enum class Times { seconds, milliseconds, dates };

/// A file with the lengths of sessions and the popularity of items of a shop; times to the millisecond. Sessions come
/// one after the other, at any time of half a year, or all events come by time.
class EventFile {
  public:
    explicit EventFile(Order order, Times times = Times::seconds)
        : path_(std::filesystem::temp_directory_path() /
                ("gru4rec_bench_loading" + std::to_string(Clock::now().time_since_epoch().count()))) {
        struct Event {
            std::int64_t milliseconds;
            std::int64_t session;
            Index item;
        };
        std::vector<Event> events;
        EndlessSessions sessions(zipf_supports(n_catalogue_items), n_events / 3);
        Random random = random_stream(60);
        for (std::int64_t session = 1; static_cast<Index>(events.size()) < n_events; ++session) {
            std::int64_t now = 1'396'310'400'000 + static_cast<std::int64_t>(random.below(15'552'000'000));
            for (const ItemIndex item : sessions.next_session()) {
                events.push_back({now += static_cast<std::int64_t>(random.below(300'000)), session, to_index(item)});
            }
        }
        if (order == Order::by_time) {
            std::stable_sort(events.begin(), events.end(),
                             [](const Event& a, const Event& b) { return a.milliseconds < b.milliseconds; });
        }
        std::ofstream file(path_, std::ios::binary);
        file << "SessionId\tItemId\tTime\n";
        for (const Event& event : events) {
            file << event.session << '\t' << 214'500'000 + 7 * event.item << '\t' << text_of(event.milliseconds, times)
                 << '\n';
        }
        size_ = static_cast<Index>(events.size());
    }
    EventFile(const EventFile&) = delete;
    EventFile& operator=(const EventFile&) = delete;
    ~EventFile() {
        std::error_code ignored;
        std::filesystem::remove(path_, ignored);
    }

    static const EventFile& get(Order order) {
        static const EventFile by_session(Order::by_session);
        static const EventFile by_time(Order::by_time);
        return order == Order::by_session ? by_session : by_time;
    }
    /// Sessions one after the other.
    static const EventFile& get(Times times) {
        static const EventFile milliseconds(Order::by_session, Times::milliseconds);
        static const EventFile dates(Order::by_session, Times::dates);
        return times == Times::seconds ? get(Order::by_session) : times == Times::dates ? dates : milliseconds;
    }

    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
    [[nodiscard]] Index size() const noexcept { return size_; }
    [[nodiscard]] double bytes() const { return static_cast<double>(std::filesystem::file_size(path_)); }

  private:
    [[nodiscard]] static std::string text_of(std::int64_t milliseconds, Times times) {
        const std::string fraction = "." + std::to_string(1000 + milliseconds % 1000).substr(1);
        if (times == Times::milliseconds) {
            return std::to_string(milliseconds);
        }
        if (times == Times::seconds) {
            return std::to_string(milliseconds / 1000) + fraction;
        }
        std::string date = gru4rec::detail::format_date({milliseconds / 1000, 0}).substr(0, 19);
        date[10] = 'T';
        return date + fraction + "Z";
    }

    std::filesystem::path path_;
    Index size_ = 0;
};

/// What std::getline, std::map and std::stable_sort make of the file.
[[nodiscard]] std::string check_sessions(const EventFile& file, const gru4rec::Dataset& data) {
    using Session = std::vector<std::pair<double, std::string>>;
    std::map<std::string, std::size_t> numbers;
    std::vector<Session> sessions;
    std::ifstream in(file.path());
    std::string line;
    std::getline(in, line);
    while (std::getline(in, line)) {
        const std::size_t first = line.find('\t');
        const std::size_t second = line.find('\t', first + 1);
        const auto [entry, is_new] = numbers.try_emplace(line.substr(0, first), sessions.size());
        if (is_new) {
            sessions.emplace_back();
        }
        sessions[entry->second].emplace_back(std::stod(line.substr(second + 1)),
                                             line.substr(first + 1, second - first - 1));
    }
    if (data.n_sessions() != static_cast<Index>(sessions.size())) {
        return "the number of sessions is wrong";
    }
    for (std::size_t s = 0; s < sessions.size(); ++s) {
        std::stable_sort(sessions[s].begin(), sessions[s].end(),
                         [](const auto& a, const auto& b) { return a.first < b.first; });
        const auto got = data.session(gru4rec::to_session(static_cast<Index>(s)));
        const auto same = [&](const Session::value_type& event, ItemIndex item) {
            return event.second == data.items().id(item);
        };
        if (!std::equal(sessions[s].begin(), sessions[s].end(), got.begin(), got.end(), same)) {
            return "session " + std::to_string(s) + " differs";
        }
    }
    std::vector<std::size_t> order(sessions.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return sessions[a].front().first < sessions[b].front().first;
    });
    const auto same = [](std::size_t s, gru4rec::SessionIndex session) {
        return static_cast<Index>(s) == to_index(session);
    };
    const auto got = data.time_order();
    return std::equal(order.begin(), order.end(), got.begin(), got.end(), same) ? ""
                                                                                : "the order of the sessions differs";
}

[[nodiscard]] Work work_of(const EventFile& file) {
    return {.bytes = file.bytes(),
            .stream = Stream::read,
            .items = static_cast<double>(file.size()),
            .items_name = "events/s"};
}

/// From the file to the finished Dataset.
void load(benchmark::State& state, Order order) {
    const EventFile& file = EventFile::get(order);
    const auto check = [&] { return check_sessions(file, gru4rec::read_sessions(file.path())); };
    if (passes(state, "load " + std::to_string(static_cast<int>(order)), check)) {
        measure(state, static_cast<int>(state.range(0)), work_of(file),
                [&] { benchmark::DoNotOptimize(gru4rec::read_sessions(file.path()).n_events()); });
    }
}

/// Times that are not written in seconds: the same sessions in the same order.
void load_times(benchmark::State& state, Times times) {
    const EventFile& file = EventFile::get(times);
    const auto check = [&]() -> std::string {
        const gru4rec::Dataset data = gru4rec::read_sessions(file.path());
        const gru4rec::Dataset expected = gru4rec::read_sessions(EventFile::get(Times::seconds).path());
        const auto order = data.time_order();
        const auto wanted = expected.time_order();
        return data.n_events() == expected.n_events() && data.items() == expected.items() &&
                       std::equal(order.begin(), order.end(), wanted.begin(), wanted.end())
                   ? ""
                   : "the sessions differ from those of the file in seconds";
    };
    if (passes(state, "load_times " + std::to_string(static_cast<int>(times)), check)) {
        measure(state, static_cast<int>(state.range(0)), work_of(file),
                [&] { benchmark::DoNotOptimize(gru4rec::read_sessions(file.path()).n_events()); });
    }
}

/// Lines to sessions, without their order and the counts of items.
void read_grouped(benchmark::State& state) {
    const EventFile& file = EventFile::get(Order::by_session);
    const gru4rec::detail::FileBytes bytes(file.path());
    const auto read = [&] {
        gru4rec::detail::TextSource source("file", bytes);
        return gru4rec::detail::read_grouped(source);
    };
    const auto check = [&]() -> std::string {
        auto sessions = read();
        return sessions ? check_sessions(file, gru4rec::Dataset(std::move(*sessions))) : "the file is not grouped";
    };
    if (passes(state, "read_grouped", check)) {
        measure(state, static_cast<int>(state.range(0)), work_of(file),
                [&] { benchmark::DoNotOptimize(read()->n_sessions()); });
    }
}

/// Events to a Dataset.
void make_sessions(benchmark::State& state, Order order) {
    const EventFile& file = EventFile::get(order);
    const gru4rec::Events events = gru4rec::read_events(file.path());
    const auto check = [&] { return check_sessions(file, gru4rec::Dataset(events)); };
    if (passes(state, "make_sessions " + std::to_string(static_cast<int>(order)), check)) {
        std::optional<gru4rec::Events> copy;
        measure(
            state, static_cast<int>(state.range(0)),
            {.items = static_cast<double>(file.size()), .items_name = "events/s"}, [&] { copy = events; },
            [&] { benchmark::DoNotOptimize(gru4rec::Dataset(std::move(*copy)).n_events()); });
    }
}

/// Milliseconds of half a year with the indices of their sessions, as the order of sessions by time needs them.
void sort_times(benchmark::State& state) {
    struct Start {
        std::int64_t time;
        std::int32_t session;
        [[nodiscard]] auto operator<=>(const Start&) const = default;
    };
    std::vector<Start> starts;
    Random random = random_stream(61);
    for (std::int32_t i = 0; i < state.range(0); ++i) {
        starts.push_back({static_cast<std::int64_t>(random.below(15'552'000'000)), i});
    }
    const std::vector<Start> before = starts;
    const auto check = [&]() -> std::string {
        gru4rec::detail::parallel_sort(std::span(starts));
        std::vector<Start> expected = before;
        std::stable_sort(expected.begin(), expected.end(),
                         [](const Start& a, const Start& b) { return a.time < b.time; });
        return starts == expected ? "" : "the order differs from that of std::stable_sort";
    };
    if (passes(state, "parallel_sort " + std::to_string(starts.size()), check)) {
        measure(
            state, static_cast<int>(state.range(1)),
            {.items = static_cast<double>(starts.size()), .items_name = "values/s"}, [&] { starts = before; },
            [&] { gru4rec::detail::parallel_sort(std::span(starts)); });
    }
}

void register_all() {
    const auto add = [](const char* name, auto function) {
        auto* const registered = benchmark::RegisterBenchmark(name, function);
        registered->ArgName("threads")->Unit(benchmark::kMillisecond)->UseRealTime();
        for (const std::int64_t threads : thread_counts()) {
            registered->Arg(threads);
        }
    };
    add("load_by_session", [](benchmark::State& state) { load(state, Order::by_session); });
    add("load_by_time", [](benchmark::State& state) { load(state, Order::by_time); });
    add("load_milliseconds", [](benchmark::State& state) { load_times(state, Times::milliseconds); });
    add("load_dates", [](benchmark::State& state) { load_times(state, Times::dates); });
    add("read_grouped", read_grouped);
    add("make_sessions_by_session", [](benchmark::State& state) { make_sessions(state, Order::by_session); });
    add("make_sessions_by_time", [](benchmark::State& state) { make_sessions(state, Order::by_time); });
    auto* const sort = benchmark::RegisterBenchmark("parallel_sort", sort_times);
    sort->ArgNames({"n", "threads"})->Unit(benchmark::kMillisecond)->UseRealTime();
    for (const std::int64_t threads : thread_counts()) {
        sort->Args({1'000'000, threads});
    }
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
    bench::register_all();
    return bench::run(argc, argv);
}
