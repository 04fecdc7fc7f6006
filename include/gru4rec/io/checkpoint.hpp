#ifndef GRU4REC_IO_CHECKPOINT_HPP
#define GRU4REC_IO_CHECKPOINT_HPP

#include "gru4rec/core/text.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/core/views.hpp"
#include "gru4rec/data/dataset.hpp"
#include "gru4rec/io/model_file.hpp"
#include "gru4rec/io/safetensors.hpp"
#include "gru4rec/io/training_state.hpp"
#include "gru4rec/io/weights.hpp"
#include "gru4rec/train/early_stopping.hpp"
#include "gru4rec/train/trainer.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Checkpoints: everything that training is made of between two updates, so that it can go on as if nothing had
// happened. Specified in docs/file_format.md#checkpoints.
namespace gru4rec {
inline namespace GRU4REC_ABI {

/// A text that tells data sets apart: items, sessions and both of their orders. @complexity O(events)
[[nodiscard]] inline std::string fingerprint(const Dataset& data) {
    detail::ContentHash hash;
    for (Index i = 0; i < data.n_items(); ++i) {
        hash.update(data.items().id(to_item(i)));
    }
    for (const SessionIndex session : data.time_order()) {
        const std::span<const ItemIndex> items = data.session(session);
        hash.update(static_cast<std::uint64_t>(to_index(session)));
        hash.update(std::uint64_t{items.size()});
        for (const ItemIndex item : items) {
            hash.update(static_cast<std::uint64_t>(to_index(item)));
        }
    }
    return hash.hex();
}

/// A text that tells weights apart. @complexity O(weights)
template <class Scalar>
[[nodiscard]] std::string fingerprint(const Model<Scalar>& model) {
    detail::ContentHash hash;
    for (const TensorView<const Scalar>& tensor : model.tensors()) {
        detail::visit_bytes(tensor, [&](std::span<const std::byte> bytes) { hash.update(bytes); });
    }
    return hash.hex();
}

/// The checkpoint of a training run: binds what makes up the run, and writes and restores its state.
///
///     Trainer trainer(model, {.seed = 1});
///     Checkpoint checkpoint(trainer, fingerprint(train));
///     if (std::filesystem::exists("run.checkpoint")) {
///         checkpoint.load("run.checkpoint");
///     }
///     trainer.fit(train, [&](const EpochReport&) { checkpoint.save("run.checkpoint"); return true; });
///
/// A run that goes on from a checkpoint ends with the same bits as one that was never interrupted.
///
/// @threads belongs to the thread that trains
template <class Scalar>
class Checkpoint {
  public:
    /// @param trainer   with its model, whose weights are those that training starts from: another start is another
    ///                  run; must outlive this object
    /// @param data      fingerprint of the training data, so that none but those can be gone on with
    /// @param stopping  where the run stops early, observed once in the callback of each complete epoch, before `save`;
    ///                  must outlive this object
    Checkpoint(Trainer<Scalar>& trainer, std::string data, EarlyStopping<Scalar>* stopping = nullptr)
        : trainer_(trainer),
          stopping_(stopping),
          data_(std::move(data)),
          start_(fingerprint(std::as_const(trainer.model()))),
          valid_(stopping == nullptr ? std::string() : fingerprint(stopping->valid())) {}

    /// Writes the state: between two updates, that is in a callback of the trainer, or before or after `fit`; with
    /// bptt > 1 after a multiple of bptt steps, which is where TrainingStep::between_windows. The file is replaced at
    /// once or not at all.
    ///
    /// @throws IoError, NonFiniteError (a weight or the optimiser's memory is not finite), std::invalid_argument inside
    ///         a window of steps, and where early stopping has measured more epochs than are done
    /// @complexity O(weights), a few times the size of the model file
    void save(const std::filesystem::path& path) const {
        if (trainer_.position().step % parameters().bptt != 0) {
            detail::throw_invalid(
                "a checkpoint inside a window of bptt steps would lose it: save where "
                "trainer.step().between_windows(), and stop training there");
        }
        EarlyStoppingState<Scalar> best = stopping_ == nullptr ? EarlyStoppingState<Scalar>{} : stopping_->state();
        if (static_cast<std::uint64_t>(best.n_epochs) > trainer_.position().epochs_done) {
            detail::throw_invalid("early stopping has measured " + std::to_string(best.n_epochs) +
                                  " epochs where training has done " + std::to_string(trainer_.position().epochs_done) +
                                  ": measure each epoch once, when it is complete");
        }
        detail::OptimizerMemory<Scalar> memory(trainer_.step(), adapt());
        std::vector<detail::TensorSource> sources;
        for (const detail::StateTensor<Scalar>& tensor :
             state_tensors(best.best_weights, trainer_.position().n_lanes, memory)) {
            const TensorView<const Scalar> view = detail::read_only(tensor.view);
            detail::require_finite(view, path);
            sources.emplace_back(view);
        }
        std::vector<std::vector<std::int64_t>> counts;
        for (const detail::StateCounts& tensor : memory.counts) {
            const auto& numbers = counts.emplace_back(tensor.counts->begin(), tensor.counts->end());
            sources.emplace_back(TensorView<const std::int64_t>{.name = tensor.name,
                                                                .rows = tensor.counts->size(),
                                                                .cols = 1,
                                                                .is_vector = true,
                                                                .data = numbers.data(),
                                                                .row_stride = 1,
                                                                .col_stride = 1,
                                                                .by_item = tensor.by_item});
        }
        detail::Metadata metadata = identity();
        metadata["progress"] = progress();
        detail::write_hashed(path, std::move(metadata), sources);
    }

    /// Restores the state; the next `fit` goes on where it was saved.
    ///
    /// @throws IoError; FormatError for a damaged file, and for one of another run, naming what differs: model, data,
    ///         seed, precision, hyper-parameters (n_epochs may) or early stopping, or
    ///         n_epochs too few for what is done. Nothing has then changed.
    void load(const std::filesystem::path& path) {
        detail::SafetensorsFile file(path);
        detail::require_checkpoint(file);
        require_same_run(file);
        const detail::NumberEntries entries(file, "progress");
        const TrainingPosition position = read_position(file, entries);
        EarlyStoppingState<Scalar> best = read_stopping(entries, position.epochs_done);
        detail::OptimizerMemory<Scalar> memory(trainer_.step(), adapt());
        detail::StateAside<Scalar> state(state_tensors(best.best_weights, position.n_lanes, memory), memory.counts);
        detail::HashedPass pass(file);
        state.expect_in(pass, trainer_.model().n_items());
        require_same_start(file);
        pass.read();
        state.check(file);

        trainer_.resume(position);
        state.put();
        if (stopping_ != nullptr) {
            stopping_->resume(std::move(best));
        }
    }

  private:
    [[nodiscard]] const Hyperparameters& parameters() const noexcept { return trainer_.hyperparameters(); }
    [[nodiscard]] Adapt adapt() const noexcept { return parameters().adapt; }

    /// All tensors but the counts. @param best_weights  as in EarlyStoppingState
    [[nodiscard]] std::vector<detail::StateTensor<Scalar>> state_tensors(
        std::vector<Scalar>& best_weights, Index n_lanes, const detail::OptimizerMemory<Scalar>& memory) const {
        std::vector<detail::StateTensor<Scalar>> tensors;
        const std::vector<TensorView<Scalar>> weights = trainer_.model().tensors();
        for (const TensorView<Scalar>& view : weights) {
            tensors.push_back({view});
        }
        if (!best_weights.empty()) {
            for (TensorView<Scalar>& view : detail::packed_at(best_weights.data(), weights)) {
                view.name = "best." + view.name;
                tensors.push_back({std::move(view)});
            }
        }
        std::size_t l = 0;
        for (detail::GruTape<Scalar>& layer : trainer_.step().tape().layers()) {
            tensors.push_back({.view = {.name = "hidden." + std::to_string(l++),
                                        .rows = n_lanes,
                                        .cols = layer.units(),
                                        .data = layer.out().data,
                                        .row_stride = 1,
                                        .col_stride = layer.out().stride}});
        }
        tensors.insert(tensors.end(), memory.values.begin(), memory.values.end());
        return tensors;
    }

    /// What must be the same in a run that goes on.
    [[nodiscard]] detail::Metadata identity() const {
        detail::Metadata metadata = {{"format", std::string(detail::checkpoint_format)},
                                     {"format_version", std::string(detail::checkpoint_format_version)}};
        detail::describe(std::as_const(trainer_.model()), metadata);
        metadata["seed"] = detail::format_number(trainer_.options().seed);
        metadata["data"] = data_;
        metadata["start"] = start_;
        if (stopping_ != nullptr) {
            const EarlyStoppingOptions& options = stopping_->options();
            metadata["early_stopping"] =
                detail::json_object({{"patience", detail::format_number(options.patience)},
                                     {"metric", std::string(to_string(options.metric))},
                                     {"cutoff", detail::format_number(options.evaluation.cutoffs.front())},
                                     {"ties", std::string(to_string(options.evaluation.ties.front()))},
                                     {"valid", valid_}});
        }
        return metadata;
    }

    [[nodiscard]] std::string progress() const {
        const TrainingPosition& at = trainer_.position();
        detail::Metadata numbers = {{"epochs_done", detail::format_number(at.epochs_done)},
                                    {"epoch", detail::format_number(at.epoch)},
                                    {"step", detail::format_number(at.step)},
                                    {"pairs", detail::format_number(at.pairs)},
                                    {"n_lanes", detail::format_number(at.n_lanes)},
                                    {"weighted_loss", detail::format_number(at.weighted_loss)}};
        if (stopping_ != nullptr) {
            numbers["n_epochs_measured"] = detail::format_number(stopping_->state().n_epochs);
            numbers["best_epoch"] = detail::format_number(stopping_->state().best_epoch);
            numbers["best_metric"] = detail::format_number(stopping_->state().best_metric);
        }
        return detail::json_object(numbers);
    }

    void require_same_run(const detail::SafetensorsFile& file) const {
        require_same_parameters(file);
        const detail::Metadata ours = identity();
        require_same(file, ours, "seed", "; give this run the seed of the checkpoint, or start anew without it");
        require_same(file, ours, "data", "; the training data have changed: start anew without the checkpoint");
        require_same(file, ours, "items", "; the checkpoint is of another model");
        require_same(file, ours, "supports", "; the checkpoint is of another model");
        require_same(file, ours, "early_stopping",
                     "; give this run the early stopping and the validation data of the checkpoint");
    }

    /// @pre the weights are known to be of the same precision
    void require_same_start(const detail::SafetensorsFile& file) const {
        require_same(file, {{"start", start_}}, "start",
                     "; this run starts from other weights: give it those that the checkpoint's run started from, or "
                     "start anew without the checkpoint");
    }

    static void require_same(const detail::SafetensorsFile& file, const detail::Metadata& ours, std::string_view name,
                             std::string_view mend) {
        const auto our_entry = ours.find(name);
        const std::string* const entry = detail::find_entry(file, name);
        const std::string* const our_text = our_entry == ours.end() ? nullptr : &our_entry->second;
        const bool same = entry == nullptr || our_text == nullptr ? entry == our_text : *entry == *our_text;
        if (!same) {
            detail::throw_format(file, name,
                                 "expected " + (our_text ? detail::quote(*our_text) : "none") +
                                     " as in this run, found " + (entry ? detail::quote(*entry) : "none") +
                                     std::string(mend));
        }
    }

    void require_same_parameters(const detail::SafetensorsFile& file) const {
        const auto text_of = [](const Hyperparameters& p) {
            const auto entries = p.entries();
            return detail::Metadata(entries.begin(), entries.end());
        };
        const detail::Metadata ours = text_of(parameters());
        const detail::Metadata theirs = text_of(detail::read_hyperparameters(file));
        const auto value = [](const detail::Metadata& entries, const std::string& name) {
            const auto found = entries.find(name);
            return found == entries.end() ? std::string("unset") : found->second;
        };
        for (const detail::Metadata* side : {&ours, &theirs}) {
            for (const auto& [name, text] : *side) {
                if (name != "n_epochs" && value(ours, name) != value(theirs, name)) {
                    detail::throw_format(file, name,
                                         "expected " + value(ours, name) + " as in this run, found " +
                                             value(theirs, name) +
                                             "; give this run the checkpoint's value, or start anew without it");
                }
            }
        }
    }

    [[nodiscard]] TrainingPosition read_position(const detail::SafetensorsFile& file,
                                                 const detail::NumberEntries& entries) const {
        constexpr auto most = (std::numeric_limits<std::int64_t>::max)();
        constexpr double infinity = (std::numeric_limits<double>::max)();
        TrainingPosition at;
        at.epoch = entries.read("epoch", 1, (std::numeric_limits<int>::max)());
        at.step = entries.read("step", std::int64_t{0}, most);
        if (const int least = at.step > 0 ? at.epoch : at.epoch - 1; parameters().n_epochs < least) {
            detail::throw_format(file, "n_epochs",
                                 "expected " + std::to_string(least) +
                                     " or more in this run, for so far has the checkpoint come; found " +
                                     std::to_string(parameters().n_epochs));
        }
        at.epochs_done = entries.read("epochs_done", static_cast<std::uint64_t>(at.epoch) - 1, std::uint64_t{most});
        if (at.step % parameters().bptt != 0) {
            detail::throw_format(file, "progress: step",
                                 "expected a multiple of bptt, " + std::to_string(parameters().bptt) + ", found " +
                                     std::to_string(at.step) + "; the file is damaged");
        }
        at.pairs = entries.read("pairs", Index{0}, at.step > 0 ? static_cast<Index>(most) : 0);
        at.n_lanes =
            entries.read("n_lanes", Index{at.step > 0 ? 1 : 0}, Index{at.step > 0 ? parameters().batch_size : 0});
        at.weighted_loss = entries.read("weighted_loss", -infinity, infinity);
        return at;
    }

    /// With room for the best weights.
    [[nodiscard]] EarlyStoppingState<Scalar> read_stopping(const detail::NumberEntries& entries,
                                                           std::uint64_t epochs_done) const {
        EarlyStoppingState<Scalar> state;
        if (stopping_ == nullptr) {
            return state;
        }
        constexpr std::uint64_t most = (std::numeric_limits<int>::max)() - 1;
        state.n_epochs = entries.read("n_epochs_measured", 0, static_cast<int>((std::min)(epochs_done, most)));
        state.best_epoch = entries.read("best_epoch", state.n_epochs > 0 ? 1 : 0, state.n_epochs);
        state.best_metric = entries.read("best_metric", 0.0, state.n_epochs > 0 ? 1.0 : 0.0);
        if (state.best_epoch > 0) {
            state.best_weights.resize(detail::n_values(trainer_.model().tensors()));
        }
        return state;
    }

    Trainer<Scalar>& trainer_;
    EarlyStopping<Scalar>* stopping_;
    std::string data_;
    std::string start_;
    std::string valid_;
};

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
