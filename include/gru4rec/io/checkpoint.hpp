#ifndef GRU4REC_IO_CHECKPOINT_HPP
#define GRU4REC_IO_CHECKPOINT_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/core/views.hpp"
#include "gru4rec/data/dataset.hpp"
#include "gru4rec/io/file_format.hpp"
#include "gru4rec/io/model_metadata.hpp"
#include "gru4rec/io/safetensors.hpp"
#include "gru4rec/io/safetensors_header.hpp"
#include "gru4rec/io/training_state.hpp"
#include "gru4rec/io/weights.hpp"
#include "gru4rec/model/hyperparameters.hpp"
#include "gru4rec/model/model.hpp"
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

// Checkpoints: files with the complete state of training between two updates. docs/file_format.md#checkpoints specifies
// the format.
namespace gru4rec {
inline namespace GRU4REC_ABI {

/// A hash of the item ids, the sessions and the order of both, as hexadecimal text. @complexity O(events)
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

/// A hash of the weights of a model, as hexadecimal text. @complexity O(weights)
template <class Scalar>
[[nodiscard]] std::string fingerprint(const Model<Scalar>& model);

/// Saves and restores the state of a training run.
///
///     Trainer trainer(model, {.seed = 1});
///     Checkpoint checkpoint(trainer, fingerprint(train));
///     if (std::filesystem::exists("run.checkpoint")) {
///         checkpoint.load("run.checkpoint");
///     }
///     trainer.fit(train, [&](const EpochReport&) { checkpoint.save("run.checkpoint"); return true; });
///
/// A run that resumes from a checkpoint ends with the same bits as an uninterrupted one.
///
/// @threads use it on the thread that trains
template <class Scalar>
class Checkpoint {
  public:
    /// Construct it before training starts: the weights that the model then holds identify the run.
    ///
    /// @param trainer   must outlive this object, and so must its model
    /// @param data      fingerprint of the training data; a run resumes only with the same data
    /// @param stopping  the early stopping of the run, or null. The callback must call it once for each complete epoch,
    ///                  before `save`. Must outlive this object
    Checkpoint(Trainer<Scalar>& trainer, std::string data, EarlyStopping<Scalar>* stopping = nullptr);

    /// Writes the state. Call it between two updates: in a callback of the trainer, or before or after `fit`; with
    /// bptt > 1 only if trainer.step().between_windows(). An existing file is replaced atomically.
    ///
    /// @throws IoError; NonFiniteError if a weight or a value of the optimiser's state is not finite; ConfigError in a
    ///         window of bptt steps, after a step that was left by an exception, or if early stopping has measured more
    ///         epochs than training has completed
    /// @complexity O(weights); the file is a few times as large as the model file
    void save(const std::filesystem::path& path) const;

    /// Restores the state; the next `fit` resumes from it.
    ///
    /// @throws IoError; FormatError for a damaged file, for a checkpoint that has begun more than n_epochs epochs, and
    ///         for a file of another run. The message then names what differs: model, data, seed, precision,
    ///         hyper-parameters (n_epochs may differ) or early stopping. After an error the state is unchanged
    void load(const std::filesystem::path& path);

  private:
    [[nodiscard]] const Hyperparameters& parameters() const noexcept { return trainer_.hyperparameters(); }
    [[nodiscard]] Adapt adapt() const noexcept { return parameters().adapt; }

    /// All tensors except the optimiser's counts of updates. @param best_weights  as in EarlyStoppingState
    [[nodiscard]] std::vector<detail::StateTensor<Scalar>> state_tensors(
        std::vector<Scalar>& best_weights, Index n_lanes, const detail::OptimizerTensors<Scalar>& optimizer) const;

    /// The metadata that identify a run: those of the file and of the run that resumes must be equal.
    [[nodiscard]] detail::Metadata identity() const;
    /// The position of training and the results of early stopping, as a JSON object.
    [[nodiscard]] std::string progress() const;

    void require_between_updates() const;
    void require_same_run(const detail::SafetensorsFile& file) const;
    /// @pre the file and the model have the same precision
    void require_same_start(const detail::SafetensorsFile& file) const;
    void require_same_parameters(const detail::SafetensorsFile& file) const;
    static void require_same(const detail::SafetensorsFile& file, const detail::Metadata& ours, std::string_view name,
                             std::string_view hint);

    [[nodiscard]] TrainingPosition read_position(const detail::SafetensorsFile& file,
                                                 const detail::NumberEntries& entries) const;
    /// Everything but the best weights; if the file has them, best_weights gets their size.
    [[nodiscard]] EarlyStoppingState<Scalar> read_stopping(const detail::NumberEntries& entries,
                                                           std::uint64_t epochs_done) const;

    Trainer<Scalar>& trainer_;
    EarlyStopping<Scalar>* stopping_;
    std::string data_;   // fingerprint of the training data
    std::string start_;  // of the weights at construction
    std::string valid_;  // of the validation data; empty without early stopping
};

template <class Scalar>
std::string fingerprint(const Model<Scalar>& model) {
    detail::ContentHash hash;
    for (const TensorView<const Scalar>& tensor : model.tensors()) {
        detail::visit_bytes(tensor, [&](std::span<const std::byte> bytes) { hash.update(bytes); });
    }
    return hash.hex();
}

template <class Scalar>
Checkpoint<Scalar>::Checkpoint(Trainer<Scalar>& trainer, std::string data, EarlyStopping<Scalar>* stopping)
    : trainer_(trainer),
      stopping_(stopping),
      data_(std::move(data)),
      start_(fingerprint(std::as_const(trainer.model()))),
      valid_(stopping == nullptr ? std::string() : fingerprint(stopping->valid())) {}

template <class Scalar>
void Checkpoint<Scalar>::save(const std::filesystem::path& path) const {
    require_between_updates();
    EarlyStoppingState<Scalar> best = stopping_ == nullptr ? EarlyStoppingState<Scalar>{} : stopping_->state();
    if (static_cast<std::uint64_t>(best.n_epochs) > trainer_.position().epochs_done) {
        detail::throw_invalid("early stopping has measured " + std::to_string(best.n_epochs) +
                              " epochs, but training has completed " + std::to_string(trainer_.position().epochs_done) +
                              ": measure each epoch once, when it is complete");
    }
    detail::OptimizerTensors<Scalar> optimizer(trainer_.step(), adapt());
    std::vector<detail::TensorSource> sources;
    for (const detail::StateTensor<Scalar>& tensor :
         state_tensors(best.best_weights, trainer_.position().n_lanes, optimizer)) {
        const TensorView<const Scalar> view = detail::read_only(tensor.view);
        detail::require_finite(view, path);
        sources.emplace_back(view);
    }
    std::vector<std::vector<std::int64_t>> counts;
    for (const detail::StateCounts& tensor : optimizer.counts) {
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

template <class Scalar>
void Checkpoint<Scalar>::require_between_updates() const {
    if (trainer_.step_failed()) {
        detail::throw_invalid(
            "a checkpoint cannot be saved after a step that was left by an exception: the state is that of half a "
            "step; load the last checkpoint, or call fit again");
    }
    if (trainer_.position().step % parameters().bptt != 0) {
        detail::throw_invalid(
            "a checkpoint cannot be saved inside a window of bptt steps: save, and stop training, only if "
            "trainer.step().between_windows()");
    }
}

template <class Scalar>
void Checkpoint<Scalar>::load(const std::filesystem::path& path) {
    detail::SafetensorsFile file(path);
    detail::require_kind(file, detail::FileKind::checkpoint);
    require_same_run(file);
    const detail::NumberEntries entries(file, "progress");
    const TrainingPosition position = read_position(file, entries);
    EarlyStoppingState<Scalar> best = read_stopping(entries, position.epochs_done);
    detail::OptimizerTensors<Scalar> optimizer(trainer_.step(), adapt());
    detail::StateBuffer<Scalar> state(state_tensors(best.best_weights, position.n_lanes, optimizer), optimizer.counts);
    detail::HashedPass pass(file);
    state.expect_in(pass, trainer_.model().n_items());
    require_same_start(file);
    pass.read();
    state.check(file);

    trainer_.resume(position);
    state.restore();
    if (stopping_ != nullptr) {
        stopping_->resume(std::move(best));
    }
}

template <class Scalar>
std::vector<detail::StateTensor<Scalar>> Checkpoint<Scalar>::state_tensors(
    std::vector<Scalar>& best_weights, Index n_lanes, const detail::OptimizerTensors<Scalar>& optimizer) const {
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
    tensors.insert(tensors.end(), optimizer.values.begin(), optimizer.values.end());
    return tensors;
}

template <class Scalar>
detail::Metadata Checkpoint<Scalar>::identity() const {
    detail::Metadata metadata = {{"format", std::string(detail::checkpoint_format)},
                                 {"format_version", std::string(detail::checkpoint_format_version)}};
    detail::write_metadata(std::as_const(trainer_.model()), metadata);
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

template <class Scalar>
std::string Checkpoint<Scalar>::progress() const {
    const TrainingPosition& position = trainer_.position();
    detail::Metadata numbers = {{"epochs_done", detail::format_number(position.epochs_done)},
                                {"epoch", detail::format_number(position.epoch)},
                                {"step", detail::format_number(position.step)},
                                {"pairs", detail::format_number(position.pairs)},
                                {"n_lanes", detail::format_number(position.n_lanes)},
                                {"weighted_loss", detail::format_number(position.weighted_loss)}};
    if (stopping_ != nullptr) {
        numbers["n_epochs_measured"] = detail::format_number(stopping_->state().n_epochs);
        numbers["best_epoch"] = detail::format_number(stopping_->state().best_epoch);
        numbers["best_metric"] = detail::format_number(stopping_->state().best_metric);
    }
    return detail::json_object(numbers);
}

template <class Scalar>
void Checkpoint<Scalar>::require_same_run(const detail::SafetensorsFile& file) const {
    require_same_parameters(file);
    const detail::Metadata ours = identity();
    require_same(file, ours, "seed", "; use the seed of the checkpoint, or start over without the checkpoint");
    require_same(file, ours, "data", "; the training data have changed: start over without the checkpoint");
    require_same(file, ours, "items", "; the checkpoint belongs to another model");
    require_same(file, ours, "supports", "; the checkpoint belongs to another model");
    require_same(file, ours, "early_stopping", "; use the early stopping and the validation data of the checkpoint");
}

template <class Scalar>
void Checkpoint<Scalar>::require_same_start(const detail::SafetensorsFile& file) const {
    require_same(file, {{"start", start_}}, "start",
                 "; this run starts from other weights: use those that the checkpoint's run started from, or start "
                 "over without the checkpoint");
}

template <class Scalar>
void Checkpoint<Scalar>::require_same(const detail::SafetensorsFile& file, const detail::Metadata& ours,
                                      std::string_view name, std::string_view hint) {
    const auto our_entry = ours.find(name);
    const std::string* const our_text = our_entry == ours.end() ? nullptr : &our_entry->second;
    const std::string* const their_text = detail::find_entry(file, name);
    const bool same = their_text == nullptr || our_text == nullptr ? their_text == our_text : *their_text == *our_text;
    if (!same) {
        detail::throw_format(file, name,
                             "expected " + (our_text ? detail::quote(*our_text) : "none") + " as in this run, found " +
                                 (their_text ? detail::quote(*their_text) : "none") + std::string(hint));
    }
}

template <class Scalar>
void Checkpoint<Scalar>::require_same_parameters(const detail::SafetensorsFile& file) const {
    const auto entries_of = [](const Hyperparameters& p) {
        const auto entries = p.entries();
        return detail::Metadata(entries.begin(), entries.end());
    };
    const detail::Metadata ours = entries_of(parameters());
    const detail::Metadata theirs = entries_of(detail::read_hyperparameters(file));
    const auto value = [](const detail::Metadata& entries, const std::string& name) {
        const auto found = entries.find(name);
        return found == entries.end() ? std::string("unset") : found->second;
    };
    for (const detail::Metadata* side : {&ours, &theirs}) {
        for (const auto& [name, text] : *side) {
            if (name != "n_epochs" && value(ours, name) != value(theirs, name)) {
                detail::throw_format(file, name,
                                     "expected " + value(ours, name) + " as in this run, found " + value(theirs, name) +
                                         "; use the checkpoint's value, or start over without the checkpoint");
            }
        }
    }
}

template <class Scalar>
TrainingPosition Checkpoint<Scalar>::read_position(const detail::SafetensorsFile& file,
                                                   const detail::NumberEntries& entries) const {
    constexpr auto most = (std::numeric_limits<std::int64_t>::max)();
    constexpr double largest = (std::numeric_limits<double>::max)();
    TrainingPosition position;
    position.epoch = entries.read("epoch", 1, (std::numeric_limits<int>::max)());
    position.step = entries.read("step", std::int64_t{0}, most);
    const bool in_epoch = position.step > 0;
    if (const int begun = in_epoch ? position.epoch : position.epoch - 1; parameters().n_epochs < begun) {
        detail::throw_format(file, "n_epochs",
                             "expected " + std::to_string(begun) +
                                 " or more, the epochs that the checkpoint has begun, found " +
                                 std::to_string(parameters().n_epochs) + " in this run");
    }
    position.epochs_done =
        entries.read("epochs_done", static_cast<std::uint64_t>(position.epoch) - 1, std::uint64_t{most});
    if (position.step % parameters().bptt != 0) {
        detail::throw_format(file, "progress: step",
                             "expected a multiple of bptt, " + std::to_string(parameters().bptt) + ", found " +
                                 std::to_string(position.step) + "; the file is damaged");
    }
    position.pairs = entries.read("pairs", Index{0}, in_epoch ? (std::numeric_limits<Index>::max)() : 0);
    position.n_lanes = entries.read("n_lanes", Index{in_epoch ? 1 : 0}, Index{in_epoch ? parameters().batch_size : 0});
    position.weighted_loss = entries.read("weighted_loss", -largest, largest);
    return position;
}

template <class Scalar>
EarlyStoppingState<Scalar> Checkpoint<Scalar>::read_stopping(const detail::NumberEntries& entries,
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

#if defined(GRU4REC_COMPILED)
extern template class Checkpoint<float>;
extern template class Checkpoint<double>;
#endif

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
