#ifndef GRU4REC_BATCH_NEGATIVE_SAMPLER_HPP
#define GRU4REC_BATCH_NEGATIVE_SAMPLER_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/core/random.hpp"
#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/types.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {

/// Draws items with replacement, P(i) ~ support(i)^alpha, in O(1) each: Vose's alias method, computed in double.
class NegativeSampler {
  public:
    /// @throws ConfigError if a support is negative, support^alpha is not finite or no item can be drawn
    GRU4REC_INLINE NegativeSampler(std::span<const std::int64_t> supports, double alpha);

    /// The item that 64 uniform bits stand for. @threads safe
    [[nodiscard]] ItemIndex draw(std::uint64_t bits) const noexcept {
        const auto [own, fraction] = place_of(bits);
        const Slot& slot = slots_[own];
        // No branch: it would often be mispredicted, and the slots of later draws would be fetched late.
        const std::int32_t kept =
            -static_cast<std::int32_t>(static_cast<double>(fraction >> 11) * 0x1.0p-53 < slot.keep);
        return ItemIndex{(own & kept) | (static_cast<std::int32_t>(slot.alias) & ~kept)};
    }

  private:
    friend class StepNegatives;

    struct Slot {
        double keep;
        ItemIndex alias;
    };

    struct Place {
        std::int32_t slot;
        std::uint64_t fraction;  ///< uniform within the slot
    };

    /// bits * V: the high word is the slot, the low word the fraction. As V < 2^32, two multiplications suffice.
    [[nodiscard]] Place place_of(std::uint64_t bits) const noexcept {
        const auto n = static_cast<std::uint64_t>(slots_.size());
        const std::uint64_t low_product = (bits & 0xffffffffULL) * n;
        const std::uint64_t high_product = (bits >> 32) * n + (low_product >> 32);
        return {static_cast<std::int32_t>(high_product >> 32), (high_product << 32) | (low_product & 0xffffffffULL)};
    }

    /// Fetches the slots of the draws `first` .. `first + n - 1` of a stream.
    template <std::size_t n>
    GRU4REC_ALWAYS_INLINE void prefetch(const detail::Random& random, std::uint64_t first) const noexcept {
        std::array<std::int32_t, n> drawn;  // a loop of its own, so that the compiler vectorises it
        for (std::size_t i = 0; i < n; ++i) {
            drawn[i] = place_of(random.bits(first + i)).slot;
        }
        for (const std::int32_t slot : drawn) {
            detail::prefetch<detail::Access::read>(slots_.data() + slot);
        }
    }

    /// V times the probability of each item.
    [[nodiscard]] GRU4REC_INLINE static std::vector<double> relative_weights(std::span<const std::int64_t> supports,
                                                                             double alpha);

    /// Every slot stands for 1/V of the probability: the part `keep` of it is the slot's own item, the rest its alias.
    GRU4REC_INLINE void build(std::span<const std::int64_t> supports, std::vector<double>& weights);

    [[nodiscard]] Slot& at(std::size_t i) noexcept { return slots_[static_cast<Index>(i)]; }

    [[nodiscard]] static ItemIndex likeliest(std::span<const std::int64_t> supports) noexcept {
        return to_item(std::max_element(supports.begin(), supports.end()) - supports.begin());
    }

    detail::AlignedBuffer<Slot> slots_;  // on huge pages: draws are scattered over it
};

/// The distinct items drawn for one step, in ascending order, and how often each was drawn.
struct DrawnItems {
    std::span<const ItemIndex> items;      ///< (n) ascending
    std::span<const std::int32_t> counts;  ///< (n) draws of each item, >= 1; they sum to n_sample
};

/// Draws the negatives of the training steps. Those of a step depend only on seed, epoch and step. To use several
/// threads, it draws those of several steps at once.
class StepNegatives {
  public:
    /// @param supports  training events of each item, (V); not kept
    /// @param alpha     exponent: P(i) ~ support(i)^alpha; 0: all items are equally likely
    /// @param n_sample  draws per step; 0: none
    /// @throws ConfigError if a support or n_sample is negative, support^alpha is not finite or no item can
    ///         be drawn
    GRU4REC_INLINE StepNegatives(std::span<const std::int64_t> supports, double alpha, Index n_sample,
                                 std::uint64_t seed);

    /// The negatives of a step. Epoch and step count from 0; ask for the steps of an epoch in order, since a jump draws
    /// several steps anew.
    ///
    /// @returns valid until the next call
    /// @complexity O(n_sample), no allocation
    [[nodiscard]] GRU4REC_INLINE DrawnItems of_step(std::uint64_t epoch, std::uint64_t step);

  private:
    static constexpr std::size_t n_ahead = 16;

    struct Step {
        std::vector<ItemIndex> items;
        std::vector<ItemIndex> scratch;
        std::vector<std::int32_t> counts;
        std::size_t n_distinct = 0;
    };

    GRU4REC_INLINE void draw(Step& step, std::uint64_t step_index) const noexcept;

    /// Radix sort, one byte at a time. std::sort takes 0.1 ms longer for 2048 items, a tenth of a training step.
    GRU4REC_INLINE void sort(Step& step) const noexcept;

    NegativeSampler sampler_;
    Index n_sample_;
    std::uint64_t seed_;
    unsigned n_digits_ = 0;
    std::uint64_t epoch_ = ~std::uint64_t{0};
    std::uint64_t first_step_ = 0;
    std::array<Step, n_ahead> steps_;
};

#if GRU4REC_DEFINITIONS

GRU4REC_INLINE NegativeSampler::NegativeSampler(std::span<const std::int64_t> supports, double alpha)
    : slots_(static_cast<Index>(supports.size())) {
    std::vector<double> weights = relative_weights(supports, alpha);
    build(supports, weights);
}

GRU4REC_INLINE std::vector<double> NegativeSampler::relative_weights(std::span<const std::int64_t> supports,
                                                                     double alpha) {
    std::vector<double> weights(supports.size());
    double total = 0;
    for (std::size_t i = 0; i < supports.size(); ++i) {
        if (supports[i] < 0) {
            detail::throw_invalid("support of item " + std::to_string(i), supports[i], "support >= 0");
        }
        weights[i] = alpha == 0 ? 1.0 : std::pow(static_cast<double>(supports[i]), alpha);
        total += weights[i];
    }
    if (!std::isfinite(total)) {  // the probabilities would be NaN or 0
        detail::throw_invalid("alpha", alpha, "a finite sum of support^alpha over all items");
    }
    if (!(total > 0)) {
        detail::throw_invalid("no item can be drawn as a negative: all supports are 0");
    }
    const double n = static_cast<double>(supports.size());
    for (double& weight : weights) {
        weight *= n / total;
    }
    return weights;
}

GRU4REC_INLINE void NegativeSampler::build(std::span<const std::int64_t> supports, std::vector<double>& weights) {
    std::vector<std::size_t> light;
    std::vector<std::size_t> heavy;
    for (std::size_t i = 0; i < weights.size(); ++i) {
        (weights[i] < 1 ? light : heavy).push_back(i);
    }
    while (!light.empty() && !heavy.empty()) {
        const std::size_t less = light.back();
        const std::size_t more = heavy.back();
        light.pop_back();
        at(less) = {weights[less], to_item(static_cast<Index>(more))};
        weights[more] -= 1 - weights[less];
        if (weights[more] < 1) {
            heavy.pop_back();
            light.push_back(more);
        }
    }
    for (const std::size_t i : heavy) {
        at(i) = {1, to_item(static_cast<Index>(i))};
    }
    for (const std::size_t i : light) {
        // Rounding left these just below 1; the share of an item of weight 0 goes to the likeliest item.
        at(i) = weights[i] > 0.5 ? Slot{1, to_item(static_cast<Index>(i))} : Slot{0, likeliest(supports)};
    }
}

GRU4REC_INLINE StepNegatives::StepNegatives(std::span<const std::int64_t> supports, double alpha, Index n_sample,
                                            std::uint64_t seed)
    : sampler_(supports, alpha), n_sample_(n_sample), seed_(seed) {
    if (n_sample < 0) {
        detail::throw_invalid("n_sample", n_sample, "n_sample >= 0");
    }
    std::uint64_t largest = supports.empty() ? 0 : supports.size() - 1;
    do {
        ++n_digits_;
        largest >>= 8;
    } while (largest > 0);
    for (Step& step : steps_) {
        const auto size = static_cast<std::size_t>(n_sample);
        step.items.resize(size);
        step.scratch.resize(size);
        step.counts.resize(size);
    }
}

GRU4REC_INLINE DrawnItems StepNegatives::of_step(std::uint64_t epoch, std::uint64_t step) {
    if (n_sample_ == 0) {
        return {};
    }
    if (epoch != epoch_ || step < first_step_ || step >= first_step_ + n_ahead) {
        epoch_ = epoch;
        first_step_ = step;
        const auto n_drawn = static_cast<double>(n_sample_) * n_ahead;
        detail::parallel_chunks(n_ahead, {.label = "negatives", .bytes = n_drawn * sizeof(ItemIndex)},
                                [&](Index i) { draw(detail::at(steps_, i), step + static_cast<std::uint64_t>(i)); });
    }
    const Step& drawn = detail::at(steps_, step - first_step_);
    return {{drawn.items.data(), drawn.n_distinct}, {drawn.counts.data(), drawn.n_distinct}};
}

GRU4REC_INLINE void StepNegatives::draw(Step& step, std::uint64_t step_index) const noexcept {
    const detail::Random random(seed_, detail::Random::Stream::sample, {epoch_, step_index});
    constexpr std::size_t block = 16;  // the next one's slots arrive meanwhile
    for (std::size_t begin = 0; begin < step.items.size(); begin += block) {
        sampler_.prefetch<block>(random, begin + block);
        for (std::size_t n = begin; n < (std::min)(begin + block, step.items.size()); ++n) {
            step.items[n] = sampler_.draw(random.bits(n));
        }
    }
    sort(step);
    step.n_distinct = 0;
    for (std::size_t n = 0; n < step.items.size(); ++n) {
        if (step.n_distinct > 0 && step.items[step.n_distinct - 1] == step.items[n]) {
            ++step.counts[step.n_distinct - 1];
        } else {
            step.items[step.n_distinct] = step.items[n];
            step.counts[step.n_distinct] = 1;
            ++step.n_distinct;
        }
    }
}

GRU4REC_INLINE void StepNegatives::sort(Step& step) const noexcept {
    for (unsigned digit = 0; digit < n_digits_; ++digit) {
        const auto byte_of = [shift = 8 * digit](ItemIndex item) {
            return (static_cast<std::uint32_t>(item) >> shift) & 0xffU;
        };
        std::array<std::uint32_t, 257> starts{};
        for (const ItemIndex item : step.items) {
            ++starts[byte_of(item) + 1];
        }
        for (std::size_t i = 1; i < starts.size(); ++i) {
            starts[i] += starts[i - 1];
        }
        for (const ItemIndex item : step.items) {
            step.scratch[starts[byte_of(item)]++] = item;
        }
        std::swap(step.items, step.scratch);
    }
}

#endif

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
