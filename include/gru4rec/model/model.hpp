#ifndef GRU4REC_MODEL_MODEL_HPP
#define GRU4REC_MODEL_MODEL_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/core/views.hpp"
#include "gru4rec/data/item_map.hpp"
#include "gru4rec/model/hyperparameters.hpp"
#include "gru4rec/model/network.hpp"

#include <Eigen/Core>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {

class Dataset;

template <class Scalar>
class SessionState;

template <class Scalar>
class Recommender;

namespace detail {

/// The layout of a SessionState. A session may be used with any model of equal shape: all its accesses stay in bounds.
struct SessionShape {
    std::vector<Index> offsets;  ///< the state of layer l is values offsets[l] .. offsets[l + 1] - 1
    Index max_events = 0;        ///< last items to remember
    Index n_items = 0;

    SessionShape(const Hyperparameters& hyperparameters, Index catalogue_size);

    [[nodiscard]] Index n_layers() const noexcept { return static_cast<Index>(offsets.size()) - 1; }
    [[nodiscard]] friend bool operator==(const SessionShape&, const SessionShape&) = default;
};

inline SessionShape::SessionShape(const Hyperparameters& hyperparameters, Index catalogue_size)
    : offsets{0}, max_events(hyperparameters.input_history().max_events()), n_items(catalogue_size) {
    for (const Index units : hyperparameters.layers) {
        offsets.push_back(offsets.back() + units);
    }
}

}  // namespace detail

/// A network with its item ids, item supports and hyper-parameters. A trained model is const and shared; what changes
/// per visitor is a SessionState.
///
/// @threads const members are safe to call at the same time
template <class Scalar>
class Model {
  public:
    using Matrix = typename detail::PaddedMatrix<Scalar>::Map;            ///< row-major, with an outer stride
    using ConstMatrix = typename detail::PaddedMatrix<Scalar>::ConstMap;  ///< the same, read-only
    /// A column of a table, hence the stride.
    using Vector = Eigen::Map<Eigen::Matrix<Scalar, Eigen::Dynamic, 1>, Eigen::Unaligned, Eigen::InnerStride<>>;
    /// The same, read-only.
    using ConstVector =
        Eigen::Map<const Eigen::Matrix<Scalar, Eigen::Dynamic, 1>, Eigen::Unaligned, Eigen::InnerStride<>>;

    /// A model of the items in `train`, a Dataset, with weights drawn from `seed`. `Model model(train, {...})` is a
    /// Model<float>.
    ///
    /// @throws ConfigError if hyper-parameters are out of range or the data set has no items
    template <std::same_as<Dataset> Data>  // a template, so that programs that only serve need not include dataset.hpp
    Model(const Data& train, Hyperparameters hyperparameters, std::uint64_t seed = 42)
        : Model(std::move(hyperparameters), train.items(), train.supports(), seed) {}

    /// A model of any catalogue, with weights drawn from `seed`.
    ///
    /// @param supports  events per item in the training data, one for each item of `items`
    /// @throws ConfigError if hyper-parameters are out of range, the catalogue is empty or the number of
    ///         supports differs from the number of items
    Model(Hyperparameters hyperparameters, ItemMap items, std::vector<std::int64_t> supports, std::uint64_t seed = 42);

    /// The same for any contiguous container of supports, which is copied.
    template <std::convertible_to<std::span<const std::int64_t>> Supports>
    Model(Hyperparameters hyperparameters, ItemMap items, const Supports& supports, std::uint64_t seed = 42)
        : Model(std::move(hyperparameters), std::move(items), copied(supports), seed) {}

    /// @{
    /// Copies all weights. Sessions of the original also fit the copy.
    Model(const Model& other);
    Model& operator=(const Model& other);
    /// @}

    /// @{
    /// A Trainer, Recommender or QuantizedTable keeps a pointer to its model. Moving the model leaves that pointer
    /// dangling, so make them after the move.
    Model(Model&& other) noexcept;
    Model& operator=(Model&& other) noexcept;
    /// @}

    ~Model();

    /// A model with all weights zero, to be filled from a file.
    [[nodiscard]] static Model zeros(Hyperparameters hyperparameters, ItemMap items,
                                     std::vector<std::int64_t> supports);

    /// A copy of this model extended by the items of newer data, to be trained on that data. New items are appended
    /// in the order of `items`, with rows drawn from `seed` as in the constructor. All other weights keep their
    /// bits; supports are added up.
    ///
    /// @param items     may contain items of the model
    /// @param supports  events per item of `items`, >= 0
    /// @throws ConfigError if the number of supports differs from the number of items, a support is
    ///         negative or a sum exceeds 2^63 - 1
    /// @complexity O(weights)
    [[nodiscard]] Model extended(const ItemMap& items, std::span<const std::int64_t> supports,
                                 std::uint64_t seed = 42) const;

    /// Replaces the hyper-parameters for further training. Those that define the network cannot change: layers,
    /// hidden_act, gru_variant, constrained_embedding, embedding, deep_input. Trainers and recommenders that exist
    /// keep the hyper-parameters they were made with.
    ///
    /// @throws ConfigError naming the field; the model is then unchanged
    void set_hyperparameters(Hyperparameters hyperparameters);

    /// As given: unset ones stay unset, see Hyperparameters::effective_learning_rate().
    [[nodiscard]] const Hyperparameters& hyperparameters() const noexcept { return hyperparameters_; }
    /// The catalogue: item ids to the rows of the tables and back.
    [[nodiscard]] const ItemMap& items() const noexcept { return items_; }
    /// Events of each item in the training data, (V).
    [[nodiscard]] std::span<const std::int64_t> supports() const noexcept { return supports_; }
    /// V
    [[nodiscard]] Index n_items() const noexcept { return items_.size(); }

    /// W_y, (V, H): row i is the output vector of item i. With `constrained_embedding` it is also the item's input.
    [[nodiscard]] Matrix item_vectors() noexcept { return vectors_of<Matrix>(network_.output_table()); }
    /// The same, read-only.
    [[nodiscard]] ConstMatrix item_vectors() const noexcept { return vectors_of<ConstMatrix>(network_.output_table()); }

    /// b_y, (V). A bias is stored after its item's vector, hence the stride.
    [[nodiscard]] Vector item_biases() noexcept { return biases_of<Vector>(network_.output_table()); }
    /// The same, read-only.
    [[nodiscard]] ConstVector item_biases() const noexcept { return biases_of<ConstVector>(network_.output_table()); }

    /// What the items feed to a layer, a row per item: (V, E) with an embedding; (V, 3H), the item's W_x x, with
    /// one-hot input; item_vectors() with `constrained_embedding`.
    ///
    /// @param layer  0, or with one-hot input and `deep_input` any layer
    /// @throws ConfigError if the layer has no table
    [[nodiscard]] Matrix input_vectors(Index layer = 0);
    /// The same, read-only.
    [[nodiscard]] ConstMatrix input_vectors(Index layer = 0) const;

    /// The weights of GRU layer l by name, as Eigen maps: `model.layer(0).w_hidden()`. `Cell` is ResetAfter for a model
    /// of that gru_variant.
    ///
    /// @throws ConfigError if l is out of range or the model has the other cell
    template <class Cell = ResetBefore>
    [[nodiscard]] GruWeights<Scalar, Cell> layer(Index l) {
        return network_.template layer<Cell>(l);
    }
    /// The same, read-only.
    template <class Cell = ResetBefore>
    [[nodiscard]] GruWeights<const Scalar, Cell> layer(Index l) const {
        return network_.template layer<Cell>(l);
    }

    /// @{
    /// The layers and tables, for the library's own training and serving. Not for users: it may change at any time.
    [[nodiscard]] detail::Network<Scalar>& network() noexcept { return network_; }
    [[nodiscard]] const detail::Network<Scalar>& network() const noexcept { return network_; }
    /// @}

    /// All weights under the names of docs/file_format.md.
    [[nodiscard]] std::vector<TensorView<Scalar>> tensors() { return network_.tensors(); }
    /// The same, read-only.
    [[nodiscard]] std::vector<TensorView<const Scalar>> tensors() const { return network_.tensors(); }

  private:
    friend class SessionState<Scalar>;
    friend class Recommender<Scalar>;

    struct Zeros {};

    Model(Zeros, Hyperparameters hyperparameters, ItemMap items, std::vector<std::int64_t> supports);

    [[nodiscard]] static std::vector<std::int64_t> copied(std::span<const std::int64_t> supports) {
        return {supports.begin(), supports.end()};
    }

    static void require_one_each(std::span<const std::int64_t> supports, const ItemMap& items);
    void require_input_table(Index layer) const;

    template <class Map, class Table>
    [[nodiscard]] static Map vectors_of(Table& table) noexcept {
        return Map(table.data(), table.rows(), table.cols() - 1, Eigen::OuterStride<>(table.stride()));
    }
    template <class Map, class Table>
    [[nodiscard]] static Map biases_of(Table& table) noexcept {
        return Map(table.data() + table.cols() - 1, table.rows(), Eigen::InnerStride<>(table.stride()));
    }

    Hyperparameters hyperparameters_;
    ItemMap items_;
    std::vector<std::int64_t> supports_;
    detail::Network<Scalar> network_;
    std::shared_ptr<const detail::SessionShape> session_shape_;  // shared with sessions, which may outlive the model
};

/// @{
/// Without template arguments a model is a Model<float>.
Model(const Dataset&, Hyperparameters, std::uint64_t = 42)->Model<float>;
Model(Hyperparameters, ItemMap, std::span<const std::int64_t>, std::uint64_t = 42)->Model<float>;
/// @}

template <class Scalar>
Model<Scalar>::Model(Hyperparameters hyperparameters, ItemMap items, std::vector<std::int64_t> supports,
                     std::uint64_t seed)
    : Model(zeros(std::move(hyperparameters), std::move(items), std::move(supports))) {
    network_.initialise(
        seed, hyperparameters_.sigma,
        hyperparameters_.init_as_normal ? detail::InitialValues::normal : detail::InitialValues::uniform);
}

template <class Scalar>
Model<Scalar>::Model(Zeros, Hyperparameters hyperparameters, ItemMap items, std::vector<std::int64_t> supports)
    : hyperparameters_(std::move(hyperparameters)),
      items_(std::move(items)),
      supports_(std::move(supports)),
      network_(hyperparameters_, items_.size()),
      session_shape_(std::make_shared<const detail::SessionShape>(hyperparameters_, items_.size())) {}

// Out of the class, so that `extern template` spares a program their code.
template <class Scalar>
Model<Scalar>::Model(const Model& other) = default;
template <class Scalar>
Model<Scalar>& Model<Scalar>::operator=(const Model& other) = default;
template <class Scalar>
Model<Scalar>::Model(Model&& other) noexcept = default;
template <class Scalar>
Model<Scalar>& Model<Scalar>::operator=(Model&& other) noexcept = default;
template <class Scalar>
Model<Scalar>::~Model() = default;

template <class Scalar>
Model<Scalar> Model<Scalar>::zeros(Hyperparameters hyperparameters, ItemMap items, std::vector<std::int64_t> supports) {
    hyperparameters.validate();
    if (items.size() == 0) {
        detail::throw_invalid("the catalogue is empty: there is no item to learn");
    }
    require_one_each(supports, items);
    return Model(Zeros{}, std::move(hyperparameters), std::move(items), std::move(supports));
}

template <class Scalar>
Model<Scalar> Model<Scalar>::extended(const ItemMap& items, std::span<const std::int64_t> supports,
                                      std::uint64_t seed) const {
    require_one_each(supports, items);
    ItemMap all_items = items_;
    std::vector<std::int64_t> sums = supports_;
    for (Index i = 0; i < items.size(); ++i) {
        const std::string_view id = items.id(to_item(i));
        const Index item = to_index(all_items.insert(id));
        sums.resize(static_cast<std::size_t>(all_items.size()));
        std::int64_t& sum = detail::at(sums, item);
        const std::int64_t more = detail::at(supports, i);
        if (more < 0 || sum > (std::numeric_limits<std::int64_t>::max)() - more) {
            detail::throw_invalid("the support of item " + detail::quote(id) +
                                  " cannot be added: " + std::to_string(sum) + " and " + std::to_string(more));
        }
        sum += more;
    }
    Model result(hyperparameters_, std::move(all_items), std::move(sums), seed);
    detail::copy_values(tensors(), result.tensors());
    return result;
}

template <class Scalar>
void Model<Scalar>::set_hyperparameters(Hyperparameters hyperparameters) {
    hyperparameters.validate();
    constexpr std::string_view of_network[] = {"layers",    "hidden_act", "gru_variant", "constrained_embedding",
                                               "embedding", "deep_input"};
    const auto old_entries = hyperparameters_.entries();
    const auto new_entries = hyperparameters.entries();
    for (const std::string_view name : of_network) {
        const auto text = [&](const auto& entries) {
            return std::find_if(entries.begin(), entries.end(), [&](const auto& entry) { return entry.first == name; })
                ->second;
        };
        if (text(old_entries) != text(new_entries)) {
            detail::throw_invalid(std::string(name) + " = " + text(new_entries) + ", the model was made with " +
                                  text(old_entries) + ": its weights do not fit another; train a new model");
        }
    }
    session_shape_ = std::make_shared<const detail::SessionShape>(hyperparameters, n_items());
    hyperparameters_ = std::move(hyperparameters);
}

template <class Scalar>
typename Model<Scalar>::Matrix Model<Scalar>::input_vectors(Index layer) {
    require_input_table(layer);
    return network_.input_mode() == detail::InputMode::shared ? item_vectors() : network_.input_table(layer).map();
}

template <class Scalar>
typename Model<Scalar>::ConstMatrix Model<Scalar>::input_vectors(Index layer) const {
    require_input_table(layer);
    return network_.input_mode() == detail::InputMode::shared ? item_vectors() : network_.input_table(layer).map();
}

template <class Scalar>
void Model<Scalar>::require_input_table(Index layer) const {
    if (layer < 0 || layer >= network_.n_input_tables()) {
        detail::throw_invalid("layer", layer,
                              "0 <= layer < " + std::to_string(network_.n_input_tables()) +
                                  ", the layers that items are fed to by a table");
    }
}

template <class Scalar>
void Model<Scalar>::require_one_each(std::span<const std::int64_t> supports, const ItemMap& items) {
    if (static_cast<Index>(supports.size()) != items.size()) {
        detail::throw_invalid("supports: " + std::to_string(supports.size()) + " given for " +
                              std::to_string(items.size()) + " items");
    }
}

#if defined(GRU4REC_COMPILED)
extern template class Model<float>;
extern template class Model<double>;
#endif

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
