#ifndef GRU4REC_MODEL_MODEL_HPP
#define GRU4REC_MODEL_MODEL_HPP

#include "gru4rec/data/item_map.hpp"
#include "gru4rec/model/network.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace gru4rec::inline GRU4REC_ABI {

/// A network with everything that gives its rows a meaning. Once trained it is const and shared: what changes per
/// visitor is a SessionState.
///
/// @threads const members are safe to call at the same time
template <class Scalar>
class Model {
  public:
    /// Weights drawn from `seed`.
    ///
    /// @param supports  events per item in the training data, one for each item of `items`
    /// @throws std::invalid_argument for hyper-parameters out of range, an empty catalogue or supports of another size
    Model(Hyperparameters hyperparameters, ItemMap items, std::vector<std::int64_t> supports, std::uint64_t seed = 42)
        : Model(zeros(std::move(hyperparameters), std::move(items), std::move(supports))) {
        network_.initialise(seed, hyperparameters_.sigma,
                            hyperparameters_.init_as_normal ? InitialValues::normal : InitialValues::uniform);
    }

    /// All weights zero: to be filled from a file.
    [[nodiscard]] static Model zeros(Hyperparameters hyperparameters, ItemMap items,
                                     std::vector<std::int64_t> supports) {
        hyperparameters.validate();
        if (items.size() == 0) {
            detail::throw_invalid("the catalogue is empty: there is no item to learn");
        }
        if (static_cast<Index>(supports.size()) != items.size()) {
            detail::throw_invalid("supports: " + std::to_string(supports.size()) + " given for " +
                                  std::to_string(items.size()) + " items");
        }
        return Model(Zeros{}, std::move(hyperparameters), std::move(items), std::move(supports));
    }

    [[nodiscard]] const Hyperparameters& hyperparameters() const noexcept { return hyperparameters_; }
    [[nodiscard]] const ItemMap& items() const noexcept { return items_; }
    [[nodiscard]] std::span<const std::int64_t> supports() const noexcept { return supports_; }
    [[nodiscard]] Index n_items() const noexcept { return items_.size(); }
    [[nodiscard]] Network<Scalar>& network() noexcept { return network_; }
    [[nodiscard]] const Network<Scalar>& network() const noexcept { return network_; }

    /// All weights under the names of docs/file_format.md.
    [[nodiscard]] std::vector<TensorView<Scalar>> tensors() { return network_.tensors(); }
    [[nodiscard]] std::vector<TensorView<const Scalar>> tensors() const { return network_.tensors(); }

  private:
    struct Zeros {};

    Model(Zeros, Hyperparameters hyperparameters, ItemMap items, std::vector<std::int64_t> supports)
        : hyperparameters_(std::move(hyperparameters)),
          items_(std::move(items)),
          supports_(std::move(supports)),
          network_(hyperparameters_, items_.size()) {}

    Hyperparameters hyperparameters_;
    ItemMap items_;
    std::vector<std::int64_t> supports_;
    Network<Scalar> network_;
};

}  // namespace gru4rec::inline GRU4REC_ABI

#endif
