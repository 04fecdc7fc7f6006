#include "model_holder.hpp"

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/parallel.hpp"

#include <algorithm>
#include <exception>
#include <iterator>
#include <system_error>
#include <utility>

#include <sys/stat.h>

#include "../messages.hpp"

namespace cli::server {

ModelHolder::ModelHolder(const ServeOptions& options)
    : options_(options), file_(options.state), tried_(look()), seen_(tried_), text_(file_.read()) {
    auto model = load_served_model(options_);
    auto catalogue = read_catalogue(*model);
    publish(std::move(model), std::move(catalogue));
}

std::shared_ptr<const Serving> ModelHolder::serving() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return serving_;
}

ReloadReport ModelHolder::reloads() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return report_;
}

std::shared_ptr<const std::string> ModelHolder::filter_text() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return filter_text_;
}

ModelHolder::Trace ModelHolder::look() const {
    struct stat status = {};
    Trace trace;
    if (::stat(options_.model.c_str(), &status) == 0) {
        std::error_code error;
        trace = {static_cast<std::uintmax_t>(status.st_size), static_cast<std::uintmax_t>(status.st_ino),
                 std::filesystem::last_write_time(options_.model, error), true};
    }
    return trace;
}

void ModelHolder::poll() {
    drop_unused();
    serving()->model->expire_sessions();
    const Trace now = look();
    const bool at_rest = now == std::exchange(seen_, now);
    if (at_rest && now != tried_) {
        pause_ = shortest_pause;
        reload();
    } else if (at_rest && retry_is_due()) {
        try_reload();
    }
}

/// What failed may succeed later though the model file is the same: its catalogue, its permissions, the disk or the
/// memory were what was wrong.
bool ModelHolder::retry_is_due() {
    if (!failed_ || --polls_before_retry_ > 0) {
        return false;
    }
    pause_ = (std::min)(2 * pause_, longest_pause);
    return true;
}

void ModelHolder::drop_unused() {
    std::vector<std::shared_ptr<ServedModel>> unused;  // whose memory is freed without the lock
    const std::lock_guard<std::mutex> lock(changes_);
    const auto first = std::partition(retired_.begin(), retired_.end(),
                                      [](const std::shared_ptr<ServedModel>& model) { return model.use_count() > 1; });
    std::move(first, retired_.end(), std::back_inserter(unused));
    retired_.erase(first, retired_.end());
}

void ModelHolder::reload() {
    told_.clear();
    try_reload();
}

void ModelHolder::try_reload() {
    tried_ = look();
    seen_ = tried_;
    failed_ = true;  // unless it comes to its end; memory may be too short for the report of a failure
    polls_before_retry_ = pause_;
    try {
        std::string done;
        // One thread: the others answer requests meanwhile.
        gru4rec::with_threads(1, [&] {
            const std::shared_ptr<const Serving> present = serving();
            if (auto model = load_served_model(options_, present->model->hash())) {
                auto catalogue = read_catalogue(*model);
                const std::lock_guard<std::mutex> lock(changes_);
                const auto now = publish(std::move(model), std::move(catalogue));
                done = "a new model was loaded (hash " + now->model->hash() + "); live sessions start afresh";
            } else if (!options_.catalogue.empty()) {
                auto catalogue = read_catalogue(*present->model);
                const std::lock_guard<std::mutex> lock(changes_);
                publish(present->model, std::move(catalogue));
                done = "the model file holds the model that is served; its catalogue was read anew";
            } else {
                done = "the model file holds the model that is served; nothing changes";
            }
        });
        report("");
        failed_ = false;
        tell(done);
    } catch (const std::exception& error) {
        report(error.what());
    }
}

/// Whoever reads a message finds what it says in the metrics.
void ModelHolder::report(std::string problem) {
    problem.erase(0, problem.size() - without_prefix(problem).size());
    const bool is_told = !problem.empty() && problem != told_;
    if (is_told) {
        told_ = problem;
    }
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        ++(problem.empty() ? report_.loaded : report_.failed);
        report_.problem.swap(problem);
    }
    if (is_told) {
        tell("the reload failed, and what was served before is still served; it will be tried again: " + told_);
    }
}

std::shared_ptr<const Serving> ModelHolder::set_filter(FilterText text) {
    const std::lock_guard<std::mutex> lock(changes_);
    const std::shared_ptr<const Serving> present = serving();
    const std::shared_ptr<ServedModel> model = present->model;
    if (text.unknown == UnknownIds::error) {
        if (const BuiltFilter built = build_filter(text, model->items()); built.n_unknown > 0) {
            throw HttpFailure(
                422, "unknown_item",
                std::to_string(built.n_unknown) +
                    " of the ids are not items of the model; with \"unknown\": \"skip\" they are left out");
        }
    }
    try {
        file_.write(text);
    } catch (const gru4rec::Error& error) {
        tell("the filter is not changed: " + std::string(without_prefix(error.what())));
        throw HttpFailure(503, "filter_not_kept",
                          "the filter could not be written to the folder of --state, so nothing was changed; the "
                          "server's messages say why");
    }
    text_ = std::move(text);
    return publish(model, present->catalogue);
}

std::shared_ptr<const Catalogue> ModelHolder::read_catalogue(const ServedModel& model) const {
    if (options_.catalogue.empty()) {
        return std::make_shared<const Catalogue>(model.items());
    }
    std::vector<std::string> origins;
    for (const std::string& origin : options_.pictures) {
        origins.push_back(parse_origin(origin));
    }
    auto catalogue = std::make_shared<const Catalogue>(model.items(), options_.catalogue, origins);
    tell("--catalogue: " + catalogue->report());
    return catalogue;
}

std::shared_ptr<const Serving> ModelHolder::publish(std::shared_ptr<ServedModel> model,
                                                    std::shared_ptr<const Catalogue> catalogue) {
    auto next = std::make_shared<Serving>();
    next->filter = build_filter(text_, model->items());
    next->catalogue = std::move(catalogue);
    next->model = std::move(model);
    auto written = std::make_shared<const std::string>(write_filter(text_));
    retired_.reserve(retired_.size() + 1);  // from here on nothing fails
    std::shared_ptr<const Serving> old;
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        old = std::exchange(serving_, next);
        filter_text_ = std::move(written);
    }
    generation_.fetch_add(1, std::memory_order_release);
    if (old && old->model != next->model) {
        retired_.push_back(old->model);
    }
    old.reset();
    if (on_change) {
        on_change();
    }
    return next;
}

}  // namespace cli::server
