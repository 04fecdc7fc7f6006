#include "gru4rec/data/files.hpp"
#include "gru4rec/data/synthetic.hpp"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <string>

#include "arguments.hpp"
#include "commands.hpp"
#include "interruption.hpp"

namespace cli {

namespace {

/// A file of sessions, one after another, written in batches.
class SessionFile {
  public:
    explicit SessionFile(const std::string& path) : path_(path), writer_(path) {}

    /// Writes sessions begin .. end - 1. @returns false if interrupted by a signal
    [[nodiscard]] bool write(const gru4rec::SyntheticShop& shop, gru4rec::Index begin, gru4rec::Index end,
                             const Interruption& interruption) {
        constexpr gru4rec::Index batch = 1000;
        for (gru4rec::Index s = begin; s < end && !interruption.requested(); s += batch) {
            const gru4rec::Events events = shop.events(s, (std::min)(s + batch, end));
            writer_.write(events);
            n_sessions_ += events.n_sessions();
            n_events_ += events.size();
            for (gru4rec::Index i = 0; i < events.item_map.size(); ++i) {
                items_.insert(events.item_map.id(gru4rec::to_item(i)));
            }
        }
        return !interruption.requested();
    }

    void complete() { writer_.complete(); }

    void commit() {
        writer_.commit();
        std::printf("%s: %td sessions, %td items, %td events\n", path_.c_str(), n_sessions_, items_.size(), n_events_);
    }

  private:
    std::string path_;
    gru4rec::EventWriter writer_;
    gru4rec::ItemMap items_;
    gru4rec::Index n_sessions_ = 0;
    gru4rec::Index n_events_ = 0;
};

}  // namespace

ExitStatus synth(const SynthOptions& options) {
    check_destinations({{"OUT", options.out}, {"--test", options.test}}, {});
    const gru4rec::SyntheticShop shop({.n_sessions = options.sessions, .n_items = options.items, .seed = options.seed});
    const Interruption interruption;
    const gru4rec::Index n_test = options.test.empty() ? 0 : options.sessions / 10;
    SessionFile train(options.out);
    bool complete = train.write(shop, 0, options.sessions - n_test, interruption);
    std::optional<SessionFile> test;
    if (!options.test.empty()) {
        test.emplace(options.test);
        complete = complete && test->write(shop, options.sessions - n_test, options.sessions, interruption);
    }
    if (!complete) {
        std::printf("stopped by a signal; nothing was written\n");
        return ExitStatus::interrupted;
    }
    train.complete();
    if (test) {
        test->complete();
    }
    train.commit();
    if (test) {
        test->commit();
    }
    return ExitStatus::ok;
}

}  // namespace cli
