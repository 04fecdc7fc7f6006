#include "gru4rec/data/synthetic.hpp"
#include "gru4rec/data/tsv.hpp"

#include <cstdio>

#include "arguments.hpp"
#include "commands.hpp"

namespace cli {

ExitStatus synth(const SynthOptions& options) {
    check_destinations({{"OUT", options.out}}, {});
    const gru4rec::SyntheticShop shop({.n_sessions = options.sessions, .n_items = options.items, .seed = options.seed});
    const gru4rec::Events events = shop.events();
    gru4rec::write_events(events, options.out);
    std::printf("%s: %td sessions, %td items, %td events\n", options.out.c_str(), events.n_sessions(),
                events.item_map.size(), events.size());
    return ExitStatus::ok;
}

}  // namespace cli
