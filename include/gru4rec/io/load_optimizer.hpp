#ifndef GRU4REC_IO_LOAD_OPTIMIZER_HPP
#define GRU4REC_IO_LOAD_OPTIMIZER_HPP

#include "gru4rec/core/types.hpp"
#include "gru4rec/core/views.hpp"
#include "gru4rec/data/item_map.hpp"
#include "gru4rec/io/file_format.hpp"
#include "gru4rec/io/model_metadata.hpp"
#include "gru4rec/io/safetensors.hpp"
#include "gru4rec/io/training_state.hpp"
#include "gru4rec/io/weights.hpp"
#include "gru4rec/model/hyperparameters.hpp"
#include "gru4rec/model/model.hpp"
#include "gru4rec/optim/update.hpp"
#include "gru4rec/train/trainer.hpp"
#include "gru4rec/train/training_step.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Training a model further with the optimiser state of the run that trained it.
namespace gru4rec {
inline namespace GRU4REC_ABI {

/// Gives a new trainer the optimiser state of an earlier run, to train that run's model further, on other data and with
/// more items (Model::extended). Rows are matched by item id; those of items that the checkpoint lacks start fresh.
/// Epochs count from 1, and the learning rate schedule restarts.
///
/// @param path  a checkpoint of the model as the trainer has it: its last or its best weights are the model's
/// @throws IoError; FormatError for a damaged file and for one of another model, precision or `adapt`. The trainer is
///         then unchanged.
template <class Scalar>
void load_optimizer(Trainer<Scalar>& trainer, const std::filesystem::path& path);

namespace detail {

/// Compares the weights in a file with those of a model while the file is read.
template <class Scalar>
class WeightComparison {
  public:
    /// @param prefix  of the tensors' names: empty for the last weights, "best." for the best
    /// @param rows    the model's row of each item of the file
    WeightComparison(HashedPass& pass, Model<Scalar>& model, const std::string& prefix, std::span<const Index> rows) {
        for (const TensorView<Scalar>& view : model.tensors()) {
            const std::size_t t = names_.size();
            names_.push_back(prefix + view.name);
            pass.expect<Scalar>(names_.back(), shape_in_file(view, static_cast<Index>(rows.size())),
                                [this, view, rows, t, n = Index{0}](Scalar value) mutable {
                                    const Index r = n / view.cols;
                                    const Index row = view.by_item ? at(rows, r) : r;
                                    if (t < first_different_ && view(row, n % view.cols) != value) {
                                        first_different_ = t;
                                    }
                                    ++n;
                                });
        }
        first_different_ = names_.size();
    }

    WeightComparison(const WeightComparison&) = delete;  // the pass holds a pointer to it
    WeightComparison& operator=(const WeightComparison&) = delete;

    [[nodiscard]] bool is_same() const noexcept { return first_different_ == names_.size(); }
    /// The first of the model's tensors that differs. @pre !is_same()
    [[nodiscard]] std::string field() const { return tensor_field(at(names_, first_different_)); }

  private:
    std::vector<std::string> names_;  // in the file, in the order of the model's tensors
    std::size_t first_different_ = 0;
};

template <class Predicate>
[[nodiscard]] bool any_name(const SafetensorsFile& file, const Predicate& predicate) {
    return std::any_of(file.tensors().begin(), file.tensors().end(),
                       [&](const TensorInfo& tensor) { return predicate(tensor.name); });
}

/// A new run starts without hidden states, and one without momentum does not need velocities.
template <class Scalar>
void ignore_unused(HashedPass& pass, TrainingStep<Scalar>& step) {
    for (std::size_t l = 0; l < step.tape().layers().size(); ++l) {
        pass.ignore("hidden." + std::to_string(l));
    }
    step.visit_parameters([&](const ParameterInfo& parameter, OptimizedParameter<Scalar>&) {
        pass.ignore("optimizer." + parameter.name + ".velocity");
    });
}

}  // namespace detail

template <class Scalar>
void load_optimizer(Trainer<Scalar>& trainer, const std::filesystem::path& path) {
    detail::SafetensorsFile file(path);
    detail::require_kind(file, detail::FileKind::checkpoint);
    const Adapt adapt = trainer.model().hyperparameters().adapt;
    if (const Adapt theirs = detail::read_hyperparameters(file).adapt; theirs != adapt) {
        detail::throw_format(file, "adapt", "expected " + to_string(adapt) + ", found " + to_string(theirs));
    }
    const ItemMap items = detail::read_items(file);
    std::vector<Index> rows;
    for (Index i = 0; i < items.size(); ++i) {
        const auto item = trainer.model().items().find(items.id(to_item(i)));
        if (!item) {
            detail::throw_format(file, "items",
                                 "expected items of the model, found " + detail::quote(items.id(to_item(i))) +
                                     "; the checkpoint belongs to another model");
        }
        rows.push_back(to_index(*item));
    }
    detail::HashedPass pass(file);
    const detail::WeightComparison<Scalar> last(pass, trainer.model(), "", rows);
    std::optional<detail::WeightComparison<Scalar>> best;
    if (detail::any_name(file, [](std::string_view name) { return name.starts_with("best."); })) {
        best.emplace(pass, trainer.model(), "best.", rows);
    }
    detail::OptimizerTensors<Scalar> optimizer(trainer.step(), adapt);
    const auto is_velocity = [](std::string_view name) { return name.ends_with(".velocity"); };
    if (!detail::any_name(file, is_velocity)) {  // the earlier run had no momentum: velocities start at zero
        std::erase_if(optimizer.values, [&](const auto& tensor) { return is_velocity(tensor.view.name); });
    }
    detail::StateBuffer<Scalar> state(std::move(optimizer.values), std::move(optimizer.counts));
    state.expect_in(pass, items.size());
    detail::ignore_unused(pass, trainer.step());
    pass.read();
    if (!last.is_same() && !(best && best->is_same())) {
        const std::string in_best = best ? ", and in " + best->field() : "";
        detail::throw_format(file, last.field(),
                             "expected the weights of the model, found others" + in_best +
                                 "; the checkpoint belongs to another model: without it the optimiser starts fresh");
    }
    state.check(file);
    state.restore(rows);
}

#if defined(GRU4REC_COMPILED)
extern template void load_optimizer<float>(Trainer<float>&, const std::filesystem::path&);
extern template void load_optimizer<double>(Trainer<double>&, const std::filesystem::path&);
#endif

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
