#ifndef GRU4REC_FINDINGS_TUNING_HPP
#define GRU4REC_FINDINGS_TUNING_HPP

#include "gru4rec/model/hyperparameters.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "settings.hpp"

namespace findings {

/// The parameters that are chosen for each setting.
inline constexpr std::array<std::string_view, 3> tuned_names{"learning_rate", "dropout_p_embed", "dropout_p_hidden"};

inline constexpr double smallest_rate_factor = 1.0 / 8;  ///< by which a trial multiplies the learning rate
inline constexpr double largest_rate_factor = 2;
inline constexpr double largest_dropout = 0.5;

/// What a trial changes of a setting.
struct Draw {
    double rate_factor = 1;       ///< log-uniform in the range above
    double dropout_p_embed = 0;   ///< 0, 0.05, ... largest_dropout; the density falls, half of them are below 0.15
    double dropout_p_hidden = 0;  ///< the same

    friend bool operator==(const Draw&, const Draw&) = default;
};

/// Draws that cover the ranges evenly, however few they are: a quasirandom sequence from a random start, so that more
/// draws begin with the same ones.
[[nodiscard]] std::vector<Draw> make_draws(std::size_t n, std::uint64_t seed);

/// A setting's parameters with those of a draw. The learning rate has three significant digits, so that a report shows
/// it exactly; one-hot input has no `dropout_p_embed`.
///
/// @throws gru4rec::ConfigError if the learning rate is out of range
[[nodiscard]] gru4rec::Hyperparameters with_draw(gru4rec::Hyperparameters parameters, const Draw& draw);

/// Names and values of the tuned parameters.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> tuned_entries(
    const gru4rec::Hyperparameters& parameters);

/// Trains with the parameters of a trial and measures on the validation data.
using Validate = std::function<Run(const Setting& trial)>;

/// The comparisons whose settings are tuned.
[[nodiscard]] std::vector<Comparison> tunable(const std::vector<Comparison>& comparisons);

/// Chooses the parameters of each setting of the tunable comparisons: the best Recall@20 of the setting as it is and
/// with each of the draws, the first of equals. Settings with the same parameters are tuned once, together. Trials that
/// diverge are passed over.
///
/// @throws gru4rec::NonFiniteError naming a setting of which all trials diverged; gru4rec::ConfigError, before anything
///         is trained, as with_draw
void tune(std::vector<Comparison>& comparisons, const std::vector<Draw>& draws, const Validate& validate);

}  // namespace findings

#endif
