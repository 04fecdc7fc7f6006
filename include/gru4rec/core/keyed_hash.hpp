#ifndef GRU4REC_CORE_KEYED_HASH_HPP
#define GRU4REC_CORE_KEYED_HASH_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/version.hpp"

#if GRU4REC_DEFINITIONS
#include <random>
#endif

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// SipHash-2-4 (Aumasson and Bernstein, 2012): a hash of texts that come from outside. Whoever does not know the key
/// cannot find texts that collide, and so cannot make a hash table slow.
class KeyedHash {
  public:
    KeyedHash(std::uint64_t key_0, std::uint64_t key_1) noexcept : key_0_(key_0), key_1_(key_1) {}

    /// With a key that nobody can guess, different in each call.
    ///
    /// @throws std::exception if the system has no random numbers to give
    [[nodiscard]] GRU4REC_INLINE static KeyedHash random();

    [[nodiscard]] std::uint64_t operator()(std::string_view text) const noexcept {
        State state{key_0_ ^ 0x736f6d6570736575U, key_1_ ^ 0x646f72616e646f6dU, key_0_ ^ 0x6c7967656e657261U,
                    key_1_ ^ 0x7465646279746573U};
        std::size_t used = 0;
        for (; text.size() - used >= 8; used += 8) {
            state.absorb(word_of(text.substr(used, 8)));
        }
        state.absorb(word_of(text.substr(used)) | std::uint64_t{text.size()} << 56U);
        state.v2 ^= 0xffU;
        for (int round = 0; round < 4; ++round) {
            state.mix();
        }
        return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
    }

  private:
    struct State {
        std::uint64_t v0, v1, v2, v3;

        void mix() noexcept {
            v0 += v1;
            v2 += v3;
            v1 = std::rotl(v1, 13) ^ v0;
            v3 = std::rotl(v3, 16) ^ v2;
            v0 = std::rotl(v0, 32);
            v2 += v1;
            v0 += v3;
            v1 = std::rotl(v1, 17) ^ v2;
            v3 = std::rotl(v3, 21) ^ v0;
            v2 = std::rotl(v2, 32);
        }

        void absorb(std::uint64_t word) noexcept {
            v3 ^= word;
            mix();
            mix();
            v0 ^= word;
        }
    };

    /// Up to eight bytes, the first one lowest.
    [[nodiscard]] static std::uint64_t word_of(std::string_view bytes) noexcept {
        std::uint64_t word = 0;
        for (std::size_t i = bytes.size(); i-- > 0;) {
            word = word << 8U | static_cast<unsigned char>(bytes[i]);
        }
        return word;
    }

    std::uint64_t key_0_;
    std::uint64_t key_1_;
};

#if GRU4REC_DEFINITIONS

GRU4REC_INLINE KeyedHash KeyedHash::random() {
    std::random_device device;
    const auto word = [&] { return std::uint64_t{device()} << 32U | device(); };
    const std::uint64_t key_0 = word();
    return {key_0, word()};
}

#endif

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
