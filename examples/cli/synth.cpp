#include "gru4rec/data/synthetic.hpp"
#include "gru4rec/io/atomic_file.hpp"

#include <cstddef>
#include <cstdio>
#include <string>

#include "commands.hpp"

namespace cli {

ExitStatus synth(const SynthOptions& options) {
    const gru4rec::SyntheticShop shop({.n_sessions = options.sessions, .n_items = options.items, .seed = options.seed});
    gru4rec::AtomicFile file(options.out);
    const gru4rec::Events events = shop.events();
    file.write("SessionId\tItemId\tTime\n");
    std::string line;
    for (std::size_t e = 0; e < events.items.size(); ++e) {
        line.assign(events.session_ids.text(gru4rec::to_index(events.sessions[e]))).append("\t");
        line.append(events.item_map.id(events.items[e])).append("\t");
        line.append(std::to_string(events.times[e])).append("\n");
        file.write(line);
    }
    file.commit();
    std::printf("%s: %td sessions, %td items, %td events\n", options.out.c_str(), events.n_sessions(),
                events.item_map.size(), events.size());
    return ExitStatus::ok;
}

}  // namespace cli
