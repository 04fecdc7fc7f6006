#include "model_holder.hpp"

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/parallel.hpp"

#include <algorithm>
#include <exception>
#include <system_error>
#include <utility>

#include <sys/stat.h>

#include "../messages.hpp"

namespace cli::server {

ModelHolder::ModelHolder(const ServeOptions& options)
    : options_(options), file_(options.state), text_(file_.read()), loaded_(look()), seen_(loaded_) {
    publish(load_served_model(options_), text_);
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
    retired_.erase(std::remove_if(retired_.begin(), retired_.end(),
                                  [](const std::shared_ptr<ServedModel>& model) { return model.use_count() == 1; }),
                   retired_.end());
    serving()->model->expire_sessions();
    const Trace now = look();
    const bool at_rest = now == std::exchange(seen_, now);
    if (at_rest && now != loaded_) {
        reload();
    }
}

void ModelHolder::reload() {
    loaded_ = look();
    seen_ = loaded_;
    try {
        // One thread: the others answer requests meanwhile.
        gru4rec::with_threads(1, [&] {
            if (auto model = load_served_model(options_, serving()->model->hash())) {
                tell("the model was loaded anew (hash " + model->hash() + "); live sessions start afresh");
                publish(std::move(model), text_);
            } else {
                tell("the model file holds the model that is served; nothing changes");
            }
        });
        report("");
    } catch (const gru4rec::Error& error) {
        report(error.what());
    } catch (const std::exception& error) {
        report(error.what());
    }
}

void ModelHolder::report(const std::string& problem) {
    if (!problem.empty()) {
        tell("the new model file is not used, the old model is served further: " +
             std::string(without_prefix(problem)));
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    ++(problem.empty() ? report_.loaded : report_.failed);
    report_.problem = without_prefix(problem);
}

std::shared_ptr<const Serving> ModelHolder::set_filter(FilterText text) {
    const std::shared_ptr<ServedModel> model = serving()->model;
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
    publish(model, text_);
    return serving();
}

void ModelHolder::publish(std::shared_ptr<ServedModel> model, const FilterText& text) {
    auto next = std::make_shared<Serving>();
    next->filter = build_filter(text, model->items());
    next->model = std::move(model);
    auto written = std::make_shared<const std::string>(write_filter(text));
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
}

}  // namespace cli::server
