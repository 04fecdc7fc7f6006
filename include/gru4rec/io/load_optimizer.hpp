#ifndef GRU4REC_IO_LOAD_OPTIMIZER_HPP
#define GRU4REC_IO_LOAD_OPTIMIZER_HPP

#include "gru4rec/core/tensor_view.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/item_map.hpp"
#include "gru4rec/io/checkpoint_format.hpp"
#include "gru4rec/io/model_file.hpp"
#include "gru4rec/io/safetensors.hpp"
#include "gru4rec/io/state_tensors.hpp"
#include "gru4rec/io/weights.hpp"
#include "gru4rec/model/hyperparameters.hpp"
#include "gru4rec/train/trainer.hpp"
#include "gru4rec/version.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

// The optimiser's memory of an earlier run, out of the checkpoint beside its model.
namespace gru4rec::inline GRU4REC_ABI {

/// Gives a new trainer what the optimiser of an earlier run remembers, to train that run's model further, on other data
/// and with more items (Model::extended): rows by item id; those of items that the checkpoint lacks start fresh. Epochs
/// count from 1 and the learning rate starts anew.
///
/// @param path  a checkpoint of the model as the trainer has it: its weights, last or best ones, are the model's
/// @throws IoError; FormatError for a damaged file and one of another model, precision or `adapt`. The trainer is then
///         as before.
template <class Scalar>
void load_optimizer(Trainer<Scalar>& trainer, const std::filesystem::path& path) {
    SafetensorsFile file(path);
    detail::require_checkpoint(file);
    const Adapt adapt = trainer.model().hyperparameters().adapt;
    if (const Adapt theirs = detail::read_hyperparameters(file).adapt; theirs != adapt) {
        detail::throw_format(file, "adapt",
                             "expected " + std::string(detail::name_of(detail::adapt_names, adapt)) + ", found " +
                                 std::string(detail::name_of(detail::adapt_names, theirs)));
    }
    const ItemMap items = detail::read_items(file);
    std::vector<Index> rows;
    for (Index i = 0; i < items.size(); ++i) {
        const auto item = trainer.model().items().find(items.id(to_item(i)));
        if (!item) {
            detail::throw_format(file, "items",
                                 "expected items of the model, found " + detail::quote(items.id(to_item(i))) +
                                     "; the checkpoint is of another model");
        }
        rows.push_back(to_index(*item));
    }
    const auto n_rows = [&](const TensorView<Scalar>& view) { return view.by_item ? items.size() : view.rows; };
    detail::read_hashed(file, [](std::size_t, std::span<const std::byte>) {});
    for (const TensorView<Scalar>& view : trainer.model().tensors()) {
        detail::StateTensor<Scalar> best{view};
        best.view.name = "best." + view.name;
        const auto is_models = [&](const detail::StateTensor<Scalar>& tensor) {
            return detail::same_values<Scalar>(detail::read_values(file, tensor, n_rows(view)), view, rows);
        };
        if (!is_models({view}) && !(file.find(best.view.name) != nullptr && is_models(best))) {
            detail::throw_format(file, detail::tensor_field(view.name),
                                 "expected the weights of the model, found others; the checkpoint is of another one");
        }
    }
    detail::OptimizerMemory<Scalar> memory(trainer.step(), adapt);
    std::vector<std::vector<Scalar>> values;
    for (const detail::StateTensor<Scalar>& tensor : memory.values) {
        const bool is_new = tensor.view.name.ends_with(".velocity") && file.find(tensor.view.name) == nullptr;
        values.push_back(is_new ? std::vector<Scalar>() : detail::read_values(file, tensor, n_rows(tensor.view)));
    }
    std::vector<std::vector<std::uint32_t>> counts;
    for (const detail::StateCounts& tensor : memory.counts) {
        counts.push_back(detail::read_counts(file, tensor, tensor.by_item ? items.size() : tensor.counts->size()));
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
        detail::put_values<Scalar>(values[i], memory.values[i].view, rows);
    }
    for (std::size_t i = 0; i < counts.size(); ++i) {
        for (std::size_t r = 0; r < counts[i].size(); ++r) {
            (*memory.counts[i].counts)[memory.counts[i].by_item ? rows[r] : static_cast<Index>(r)] = counts[i][r];
        }
    }
}

}  // namespace gru4rec::inline GRU4REC_ABI

#endif
