#ifndef GRU4REC_DATA_SYNTHETIC_HPP
#define GRU4REC_DATA_SYNTHETIC_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/packed_lists.hpp"
#include "gru4rec/core/random.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/dataset.hpp"
#include "gru4rec/data/events.hpp"
#include "gru4rec/data/id_table.hpp"
#include "gru4rec/data/item_map.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {

/// Settings of the synthetic shop. The defaults train in seconds and can be predicted better than by a Markov chain.
struct SyntheticOptions {
    Index n_sessions = 20'000;    ///< >= 0
    Index n_items = 500;          ///< 1 .. 1e8
    Index items_per_intent = 40;  ///< 1 .. 1e6
    Index intents_per_item = 4;   ///< 1 .. 1000
    double drift = 0.1;           ///< probability that the intent changes from one event to the next
    std::uint64_t seed = 42;      ///< of the shop and of the sessions

    /// @throws ConfigError naming the setting, its value and its range
    GRU4REC_INLINE void validate() const;
};

/// A shop with simulated visitors, for which the best possible predictions are known.
///
/// Every session has a hidden intent that drifts along a ring: before each event but the first it moves, with
/// probability `drift`, to one of the two neighbouring intents. An intent offers about `items_per_intent` items; an
/// event picks the intent's item of rank r with probability proportional to 1/r (Zipf). An item belongs to
/// `intents_per_item` intents, with a different rank in each, so one click does not determine the intent and earlier
/// clicks add information. A session has at least n events with probability 6 / (n (n + 1)) for n >= 2: two or more,
/// four on average, with a tail like 1/n^2.
///
/// Everything depends on random integers only: the shop and its sessions are the same on every platform.
class SyntheticShop {
  public:
    /// An item of an intent.
    struct Offer {
        std::int32_t item;     ///< item of the shop, 0 .. n_items-1
        std::uint32_t weight;  ///< proportional to its probability within the intent
    };
    /// An intent of an item.
    struct Membership {
        std::int32_t intent;  ///< 0 .. n_intents-1
        double probability;   ///< of the item, given the intent
    };

    /// @throws ConfigError as SyntheticOptions::validate
    GRU4REC_INLINE explicit SyntheticShop(const SyntheticOptions& options = {});

    [[nodiscard]] const SyntheticOptions& options() const noexcept { return options_; }  ///< as given
    [[nodiscard]] Index n_items() const noexcept { return options_.n_items; }            ///< that the shop sells
    /// Hidden states of the chain.
    [[nodiscard]] Index n_intents() const noexcept { return offers_.size(); }

    /// An intent's items, most probable first.
    [[nodiscard]] std::span<const Offer> offers(Index intent) const noexcept { return offers_[intent]; }

    /// The intents that an item belongs to.
    [[nodiscard]] std::span<const Membership> memberships(Index item) const noexcept { return memberships_[item]; }

    /// The id of an item of the shop.
    [[nodiscard]] static std::string item_id(Index item) { return detail::format_number(item + 1); }

    /// The items of session `s`, which depend only on the seed and `s`.
    GRU4REC_INLINE void session(Index s, std::vector<std::int32_t>& items) const;

    /// The session length for 64 random bits: the largest n >= 2 with 6 / (n (n + 1)) >= u, for u uniform in (0, 1].
    [[nodiscard]] GRU4REC_INLINE static Index session_length(std::uint64_t bits) noexcept;

    /// Sessions `begin` .. `end`-1, one after another, each starting later than the one before. Times are Unix seconds.
    [[nodiscard]] GRU4REC_INLINE Events events(Index begin, Index end) const;

    /// All sessions.
    [[nodiscard]] Events events() const { return events(0, options_.n_sessions); }

  private:
    /// Deals `intents_per_item` shuffled decks of all items into hands; a hand is an intent.
    GRU4REC_INLINE void deal();

    GRU4REC_INLINE void index_memberships();

    [[nodiscard]] GRU4REC_INLINE std::int32_t draw(Index intent, detail::Random& random) const noexcept;

    SyntheticOptions options_;
    detail::PackedLists<Offer> offers_;              // by intent
    detail::PackedLists<std::uint64_t> cumulative_;  // by intent: running sums of its offers' weights
    detail::PackedLists<Membership> memberships_;    // by item
};

/// The shop's sessions, the newest of them held out.
struct SyntheticData {
    /// The older sessions.
    Dataset train;
    Dataset test;  ///< without events of items that do not occur in `train`
};

/// @param test_share  share of the sessions that become the test set
/// @throws ConfigError for a share outside 0 .. 1
[[nodiscard]] GRU4REC_INLINE SyntheticData split_synthetic(const SyntheticShop& shop, double test_share = 0.1);

/// The best possible predictor of a synthetic shop: the exact probability of each item to come next, given the events
/// of the session so far and the whole shop except the hidden intent (the forward filter of a hidden Markov model).
///
/// Copies share the shop; each has its own session.
class SyntheticOracle {
  public:
    /// @param items  the catalogue of observe() and scores(); items that the shop does not sell have probability 0
    GRU4REC_INLINE SyntheticOracle(const SyntheticShop& shop, const ItemMap& items);

    /// Starts a new session.
    void reset() { belief_.assign(static_cast<std::size_t>(tables_->shop.n_intents()), 1.0 / intents()); }

    /// Bayes' rule for the intent of the event, then one step of the intent's chain.
    GRU4REC_INLINE void observe(ItemIndex item);

    /// P(next item | the session so far), (V); sums to 1 if the catalogue has every item of the shop.
    GRU4REC_INLINE void scores(std::span<double> out) const;

    /// V of the item map.
    [[nodiscard]] Index n_items() const noexcept { return static_cast<Index>(tables_->shop_item.size()); }

    /// P(intent of the next event | the session so far), (intents)
    [[nodiscard]] std::span<const double> belief() const noexcept { return belief_; }

  private:
    struct Tables {
        SyntheticShop shop;
        std::vector<Index> shop_item;  // by item of the map; -1: not sold
        std::vector<Index> data_item;  // by item of the shop; -1: not in the map
    };

    [[nodiscard]] double intents() const noexcept { return static_cast<double>(tables_->shop.n_intents()); }

    GRU4REC_INLINE void drift();

    std::shared_ptr<const Tables> tables_;
    std::vector<double> belief_;   // of the next event's intent
    std::vector<double> scratch_;  // scratch
};

#if GRU4REC_DEFINITIONS

GRU4REC_INLINE void SyntheticOptions::validate() const {
    const auto between = [](std::string_view name, Index value, Index low, Index high) {
        if (value < low || value > high) {
            detail::throw_invalid(
                name, value,
                detail::format_number(low) + " <= " + std::string(name) + " <= " + detail::format_number(high));
        }
    };
    between("n_sessions", n_sessions, 0, detail::IdTable::max_size);
    between("n_items", n_items, 1, 100'000'000);
    between("items_per_intent", items_per_intent, 1, 1'000'000);
    between("intents_per_item", intents_per_item, 1, 1'000);
    const std::int64_t n_intents =
        std::int64_t{intents_per_item} * ((n_items + items_per_intent - 1) / items_per_intent);
    if (n_intents > detail::IdTable::max_size) {
        detail::throw_invalid("n_items = " + detail::format_number(n_items) +
                              " with intents_per_item = " + detail::format_number(intents_per_item) +
                              " and items_per_intent = " + detail::format_number(items_per_intent) + " makes " +
                              detail::format_number(n_intents) + " intents, at most " +
                              detail::format_number(detail::IdTable::max_size) +
                              " are possible: raise items_per_intent");
    }
    if (!(drift >= 0 && drift <= 1)) {
        detail::throw_invalid("drift", drift, "0 <= drift <= 1");
    }
}

GRU4REC_INLINE SyntheticShop::SyntheticShop(const SyntheticOptions& options) : options_(options) {
    options.validate();
    deal();
    index_memberships();
}

GRU4REC_INLINE void SyntheticShop::session(Index s, std::vector<std::int32_t>& items) const {
    detail::Random random(options_.seed, detail::Random::Stream::synthetic, {1, static_cast<std::uint64_t>(s)});
    const Index length = session_length(random.next());
    auto intent = static_cast<Index>(random.below(static_cast<std::uint64_t>(n_intents())));
    items.clear();
    for (Index e = 0; e < length; ++e) {
        if (e > 0 && random.uniform() < options_.drift) {
            intent = (intent + (random.below(2) == 0 ? 1 : n_intents() - 1)) % n_intents();
        }
        items.push_back(draw(intent, random));
    }
}

GRU4REC_INLINE Index SyntheticShop::session_length(std::uint64_t bits) noexcept {
    constexpr std::uint64_t one = std::uint64_t{1} << 53;
    const std::uint64_t u = (bits >> 11) + 1;
    const std::uint64_t product = 6 * one / u;  // n (n + 1) <= product, solved for n in double, then corrected
    auto n = static_cast<std::uint64_t>((std::sqrt(4.0 * static_cast<double>(product) + 1.0) - 1.0) / 2.0);
    while (n * (n + 1) > product) {
        --n;
    }
    while ((n + 1) * (n + 2) <= product) {
        ++n;
    }
    return static_cast<Index>(n);
}

GRU4REC_INLINE Events SyntheticShop::events(Index begin, Index end) const {
    detail::EventCollector collector;
    std::vector<std::int32_t> items;
    for (Index s = begin; s < end; ++s) {
        detail::Random gaps(options_.seed, detail::Random::Stream::synthetic, {2, static_cast<std::uint64_t>(s)});
        std::int64_t time = 1'700'000'000 + std::int64_t{s} * 30 + static_cast<std::int64_t>(gaps.below(30));
        session(s, items);
        const std::string session_id = detail::format_number(s + 1);
        for (const std::int32_t item : items) {
            const detail::EventProblem problem = collector.add(session_id, item_id(item), {time, 0});
            GRU4REC_ASSERT(!problem);
            static_cast<void>(problem);
            time += 1 + static_cast<std::int64_t>(gaps.below(120));
        }
    }
    return std::move(collector).take();
}

GRU4REC_INLINE void SyntheticShop::deal() {
    const Index hands = (n_items() + options_.items_per_intent - 1) / options_.items_per_intent;
    detail::Random random(options_.seed, detail::Random::Stream::synthetic, {0});
    std::vector<std::int32_t> deck(static_cast<std::size_t>(n_items()));
    std::vector<Offer> hand;
    std::vector<std::uint64_t> sums;
    for (Index d = 0; d < options_.intents_per_item; ++d) {
        std::iota(deck.begin(), deck.end(), 0);
        random.shuffle(std::span(deck));
        for (Index h = 0; h < hands; ++h) {
            const auto first = static_cast<Index>(std::int64_t{h} * n_items() / hands);
            const auto last = static_cast<Index>(std::int64_t{h + 1} * n_items() / hands);
            hand.clear();
            sums.clear();
            for (Index i = first; i < last; ++i) {
                const auto rank = static_cast<std::uint64_t>(i - first + 1);
                hand.push_back({detail::at(deck, i), static_cast<std::uint32_t>((std::uint64_t{1} << 31) / rank)});
                sums.push_back((sums.empty() ? 0 : sums.back()) + hand.back().weight);
            }
            offers_.push_back(hand);
            cumulative_.push_back(sums);
        }
    }
}

GRU4REC_INLINE void SyntheticShop::index_memberships() {
    const auto per_item = static_cast<std::size_t>(options_.intents_per_item);
    memberships_ = detail::PackedLists<Membership>::of_sizes(
        std::vector<std::size_t>(static_cast<std::size_t>(n_items()), per_item));
    for (Index intent = 0; intent < n_intents(); ++intent) {
        const auto sum = static_cast<double>(cumulative_[intent].back());
        for (const Offer& offer : offers(intent)) {
            memberships_.append(offer.item, {static_cast<std::int32_t>(intent), offer.weight / sum});
        }
    }
}

GRU4REC_INLINE std::int32_t SyntheticShop::draw(Index intent, detail::Random& random) const noexcept {
    const std::span<const std::uint64_t> sums = cumulative_[intent];
    const std::uint64_t ticket = random.below(sums.back());
    return detail::at(offers(intent), std::upper_bound(sums.begin(), sums.end(), ticket) - sums.begin()).item;
}

GRU4REC_INLINE SyntheticData split_synthetic(const SyntheticShop& shop, double test_share) {
    if (!(test_share >= 0 && test_share <= 1)) {
        detail::throw_invalid("test_share", test_share, "0 <= test_share <= 1");
    }
    const Index n_sessions = shop.options().n_sessions;
    const auto n_test = static_cast<Index>(std::floor(static_cast<double>(n_sessions) * test_share));
    SyntheticData data{Dataset(shop.events(0, n_sessions - n_test)), {}};
    const Events newest = shop.events(n_sessions - n_test, n_sessions);
    detail::EventCollector known(&data.train.items());
    for (Index e = 0; e < newest.size(); ++e) {
        const detail::EventProblem problem =
            known.add(newest.session_ids.text(to_index(detail::at(newest.sessions, e))),
                      newest.item_map.id(detail::at(newest.items, e)), newest.time(e));
        GRU4REC_ASSERT(!problem);
        static_cast<void>(problem);
    }
    data.test = Dataset(std::move(known).take());
    return data;
}

GRU4REC_INLINE SyntheticOracle::SyntheticOracle(const SyntheticShop& shop, const ItemMap& items) {
    auto tables =
        std::make_shared<Tables>(Tables{shop, {}, std::vector<Index>(static_cast<std::size_t>(shop.n_items()), -1)});
    tables->shop_item.assign(static_cast<std::size_t>(items.size()), -1);
    for (Index shop_item = 0; shop_item < shop.n_items(); ++shop_item) {
        if (const auto item = items.find(SyntheticShop::item_id(shop_item))) {
            detail::at(tables->shop_item, *item) = shop_item;
            detail::at(tables->data_item, shop_item) = to_index(*item);
        }
    }
    tables_ = std::move(tables);
    reset();
}

GRU4REC_INLINE void SyntheticOracle::observe(ItemIndex item) {
    const Index shop_item = detail::at(tables_->shop_item, item);
    if (shop_item >= 0) {
        double sum = 0;
        scratch_.assign(belief_.size(), 0);
        for (const SyntheticShop::Membership& membership : tables_->shop.memberships(shop_item)) {
            detail::at(scratch_, membership.intent) += detail::at(belief_, membership.intent) * membership.probability;
            sum += detail::at(belief_, membership.intent) * membership.probability;
        }
        if (sum > 0) {  // an impossible event carries no information
            for (std::size_t c = 0; c < belief_.size(); ++c) {
                belief_[c] = scratch_[c] / sum;
            }
        }
    }
    drift();
}

GRU4REC_INLINE void SyntheticOracle::scores(std::span<double> out) const {
    GRU4REC_ASSERT(out.size() == tables_->shop_item.size());
    std::fill(out.begin(), out.end(), 0.0);
    for (std::size_t shop_item = 0; shop_item < tables_->data_item.size(); ++shop_item) {
        const Index item = tables_->data_item[shop_item];
        if (item < 0) {
            continue;
        }
        for (const auto& membership : tables_->shop.memberships(static_cast<Index>(shop_item))) {
            detail::at(out, item) += detail::at(belief_, membership.intent) * membership.probability;
        }
    }
}

GRU4REC_INLINE void SyntheticOracle::drift() {
    const double drift = tables_->shop.options().drift;
    const std::size_t n = belief_.size();
    scratch_ = belief_;
    for (std::size_t c = 0; c < n; ++c) {
        belief_[c] = (1 - drift) * scratch_[c] + drift / 2 * (scratch_[(c + 1) % n] + scratch_[(c + n - 1) % n]);
    }
}

#endif

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
