#ifndef GRU4REC_TRAIN_GRADIENT_WATCH_HPP
#define GRU4REC_TRAIN_GRADIENT_WATCH_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/optim/gradient_clipping.hpp"
#include "gru4rec/optim/update.hpp"
#include "gru4rec/train/progress.hpp"
#include "gru4rec/train/recorded_step.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Measures the gradients of the first update and every `interval`-th after it, by table and layer. Only reads: weights
/// and losses have the same bits with and without it.
template <class Scalar>
class GradientWatch {
  public:
    /// @param network   must outlive this object and stay where it is
    /// @param max_rows  the most rows of a block of gradients; `start`, `add` and `finish` allocate nothing
    /// @param interval  in updates; at least 1
    GradientWatch(const OptimizedNetwork<Scalar>& network, Index max_rows, int interval)
        : interval_(interval), squares_(max_rows) {
        places_.push_back({&network.output, add_part("output")});
        for (std::size_t t = 0; t < network.inputs.size(); ++t) {
            places_.push_back({&network.inputs[t], add_part("input." + std::to_string(t))});
        }
        for (std::size_t l = 0; l < network.layers.size(); ++l) {
            const std::size_t part = add_part("layer." + std::to_string(l));
            for (const auto& parameter : network.layers[l]) {
                if (parameter) {
                    places_.push_back({&*parameter, part});
                }
            }
        }
        add_part("all");
    }

    /// Counts an update. @returns whether it is one to measure: `add` is then called with all its gradients
    [[nodiscard]] bool start() noexcept {
        const bool is_due = n_updates_++ % interval_ == 0;
        if (is_due) {
            std::for_each(parts_.begin(), parts_.end(), [](Part& part) { part.squares = 0; });
        }
        return is_due;
    }

    /// @param gradients  as GradientSquares takes them
    template <class Gradients>
    void add(const OptimizedParameter<Scalar>& parameter, const Gradients& gradients) {
        const auto place =
            std::find_if(places_.begin(), places_.end(), [&](const Place& p) { return p.parameter == &parameter; });
        GRU4REC_ASSERT(place != places_.end());
        squares_.add_to(parts_[place->part].squares, parameter, gradients);
    }

    /// After the last `add` of an update.
    void finish() noexcept {
        Part& all = parts_.back();
        std::for_each(parts_.begin(), parts_.end() - 1, [&](const Part& part) { all.squares += part.squares; });
        ++n_measured_;
        for (Part& part : parts_) {
            const double norm = std::sqrt(part.squares);
            part.sum += norm;
            part.largest = (std::max)(part.largest, norm);
        }
    }

    /// The norms of the updates measured since the last call; empty if there was none. The count of updates starts
    /// again, so that the next one is measured.
    [[nodiscard]] std::vector<GradientNorm> take() {
        std::vector<GradientNorm> norms;
        for (Part& part : parts_) {
            if (n_measured_ > 0) {
                norms.push_back({part.name, part.sum / static_cast<double>(n_measured_), part.largest, n_measured_});
            }
            part.sum = part.largest = 0;
        }
        n_measured_ = 0;
        n_updates_ = 0;
        return norms;
    }

  private:
    struct Part {
        std::string name;
        double squares = 0;  ///< of the update at hand
        double sum = 0;      ///< of the norms
        double largest = 0;
    };
    struct Place {
        const OptimizedParameter<Scalar>* parameter;
        std::size_t part;
    };

    std::size_t add_part(std::string name) {
        parts_.push_back({.name = std::move(name)});
        return parts_.size() - 1;
    }

    std::int64_t interval_;
    GradientSquares<Scalar> squares_;
    std::vector<Part> parts_;  // the last is all of them together
    std::vector<Place> places_;
    std::int64_t n_updates_ = 0;
    std::int64_t n_measured_ = 0;
};

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
