#ifndef GRU4REC_IO_SESSION_BYTES_HPP
#define GRU4REC_IO_SESSION_BYTES_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/core/views.hpp"
#include "gru4rec/io/content_hash.hpp"
#include "gru4rec/io/file_format.hpp"
#include "gru4rec/io/model_metadata.hpp"
#include "gru4rec/io/safetensors_header.hpp"
#include "gru4rec/model/model.hpp"
#include "gru4rec/model/session_layout.hpp"
#include "gru4rec/model/session_state.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// Sessions as bytes, for a store outside of the process. Specified in docs/file_format.md#sessions.
namespace gru4rec {
inline namespace GRU4REC_ABI {

/// Writes a session to bytes and reads it back, to the bit, on any machine. The bytes name their model by its hash:
/// they are refused by a codec of another model, even one of the same shape.
///
/// A codec is for the model as it was when the codec was made. After Model::set_hyperparameters make a new codec: the
/// hash covers the hyper-parameters, and the length of the input history may have changed.
///
/// @threads all members are const and safe to call at the same time
template <class Scalar>
class SessionCodec {
  public:
    /// @param model  need not outlive the codec
    /// @complexity O(weights): hashes the model
    explicit SessionCodec(const Model<Scalar>& model);

    /// The `content_hash` that save_model writes for this model: 16 hexadecimal digits.
    [[nodiscard]] const std::string& model_hash() const noexcept { return model_hash_; }

    /// The most bytes that a session of the model takes.
    [[nodiscard]] std::size_t max_bytes() const noexcept {
        return value_offset(layout_.n_recent(most_events), layout_.n_values()) + checksum_bytes;
    }

    /// Replaces the content of `out` by the bytes of a session.
    ///
    /// @throws ContractError if the session does not fit the model; NonFiniteError if a hidden state is not finite.
    ///         `out` is then unchanged
    /// @complexity O(H); allocates only if `out` lacks capacity
    void write(const SessionState<Scalar>& session, std::vector<std::byte>& out) const;

    /// Makes `session` the one that write() was given.
    ///
    /// @throws ContractError if the session does not fit the model; FormatError naming the field, what was expected and
    ///         what was found, for bytes that write() did not make: damaged, cut, of another model or a newer version.
    ///         The session is then unchanged
    /// @complexity O(H), no allocation
    void read(std::span<const std::byte> bytes, SessionState<Scalar>& session) const;

  private:
    static constexpr std::array<char, 4> magic = {'G', '4', 'R', 'S'};
    static constexpr std::uint16_t version = 1;
    // Counting on never overflows.
    static constexpr auto most_events =
        static_cast<Index>((std::min)(std::int64_t{1} << 48, std::int64_t{(std::numeric_limits<Index>::max)() / 2}));
    static constexpr std::size_t header_bytes = 32;
    static constexpr std::size_t checksum_bytes = 8;

    using Bytes = std::span<const std::byte>;

    [[noreturn]] GRU4REC_COLD static void refuse(std::string_view field, std::string_view problem) {
        detail::throw_format("session bytes: " + std::string(field), problem);
    }
    template <class Number>
    [[nodiscard]] static Number number_at(Bytes bytes, std::size_t offset) noexcept {
        return detail::from_little_endian<Number>(bytes.data() + offset);
    }
    [[nodiscard]] static std::uint64_t checksum(Bytes bytes) noexcept {
        detail::ContentHash hash;
        hash.update(bytes);
        return hash.value();
    }

    void require_fit(const SessionState<Scalar>& session) const;
    static void require_format(Bytes bytes);
    void require_model(Bytes bytes) const;
    [[nodiscard]] Index checked_n_events(Bytes bytes) const;
    void require_whole(Bytes bytes, std::size_t expected) const;
    void require_contents(Bytes bytes, Index n_recent) const;

    [[nodiscard]] static std::size_t recent_offset(Index i) noexcept {
        return header_bytes + sizeof(std::int32_t) * static_cast<std::size_t>(i);
    }
    [[nodiscard]] static std::size_t value_offset(Index n_recent, Index i) noexcept {
        return recent_offset(n_recent) + sizeof(Scalar) * static_cast<std::size_t>(i);
    }

    detail::SessionLayout<Scalar> layout_;
    std::uint64_t hash_ = 0;
    std::string model_hash_;
};

template <class Scalar>
SessionCodec<Scalar>::SessionCodec(const Model<Scalar>& model) : layout_(model) {
    const std::vector<TensorView<const Scalar>> views = model.tensors();
    const detail::ContentHash hash = detail::content_hash(detail::model_metadata(model), {views.begin(), views.end()});
    hash_ = hash.value();
    model_hash_ = hash.hex();
}

template <class Scalar>
void SessionCodec<Scalar>::write(const SessionState<Scalar>& session, std::vector<std::byte>& out) const {
    require_fit(session);
    const std::span<const Scalar> values = session.values();
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (!std::isfinite(values[i])) {
            detail::throw_not_finite("gru4rec: the session cannot be stored: value " + std::to_string(i) +
                                     " of its hidden states is " + detail::text_of(values[i]) +
                                     "; do the weights of the model fit its hidden_act?");
        }
    }
    const Index n_recent = layout_.n_recent(session.n_events());
    const std::size_t end = value_offset(n_recent, layout_.n_values());
    out.resize(end + checksum_bytes);
    const auto put = [&](std::size_t offset, auto number) { detail::to_little_endian(number, out.data() + offset); };
    std::transform(magic.begin(), magic.end(), out.begin(), [](char c) { return static_cast<std::byte>(c); });
    put(4, version);
    put(6, std::uint16_t{sizeof(Scalar)});
    put(8, hash_);
    put(16, std::int64_t{session.n_events()});
    put(24, static_cast<std::int32_t>(n_recent));
    put(28, static_cast<std::int32_t>(layout_.n_values()));
    for (Index i = 0; i < n_recent; ++i) {
        put(recent_offset(i), static_cast<std::int32_t>(session.recent(n_recent - 1 - i)));
    }
    for (Index i = 0; i < layout_.n_values(); ++i) {
        put(value_offset(n_recent, i), detail::at(values, i));
    }
    put(end, checksum(Bytes(out).first(end)));
}

template <class Scalar>
void SessionCodec<Scalar>::read(std::span<const std::byte> bytes, SessionState<Scalar>& session) const {
    require_fit(session);
    require_format(bytes);
    require_model(bytes);
    const Index n_events = checked_n_events(bytes);
    const Index n_recent = layout_.n_recent(n_events);
    require_whole(bytes, value_offset(n_recent, layout_.n_values()) + checksum_bytes);
    require_contents(bytes, n_recent);

    layout_.restore_events(session, n_events, [&](Index i) {
        return static_cast<ItemIndex>(number_at<std::int32_t>(bytes, recent_offset(i)));
    });
    const std::span<Scalar> values = session.values();
    for (Index i = 0; i < layout_.n_values(); ++i) {
        detail::at(values, i) = number_at<Scalar>(bytes, value_offset(n_recent, i));
    }
}

template <class Scalar>
void SessionCodec<Scalar>::require_fit(const SessionState<Scalar>& session) const {
    GRU4REC_REQUIRE(layout_.fits(session),
                    "the session was made for another model than the codec: its layers, history or number of items are "
                    "different; after Model::set_hyperparameters make a new codec");
}

template <class Scalar>
void SessionCodec<Scalar>::require_format(Bytes bytes) {
    const std::size_t n = (std::min)(bytes.size(), magic.size());
    const std::string_view found(reinterpret_cast<const char*>(bytes.data()), n);
    if (n == magic.size() && !std::equal(found.begin(), found.end(), magic.begin())) {
        refuse("magic", "expected " + detail::quote({magic.data(), magic.size()}) + ", found " + detail::quote(found) +
                            "; these are not the bytes of a session");
    }
    if (bytes.size() < header_bytes + checksum_bytes) {
        refuse("length", "expected at least " + std::to_string(header_bytes + checksum_bytes) + " bytes, found " +
                             std::to_string(bytes.size()) + "; they are cut");
    }
    if (const auto found_version = number_at<std::uint16_t>(bytes, 4); found_version != version) {
        refuse("version", "expected " + std::to_string(version) + ", found " + std::to_string(found_version) +
                              "; read them with the version of gru4rec that wrote them");
    }
    if (const auto width = number_at<std::uint16_t>(bytes, 6); width != sizeof(Scalar)) {
        refuse("scalar", "expected " + std::to_string(sizeof(Scalar)) + " bytes, as in this model, found " +
                             std::to_string(width) + "; they are of a model of another precision");
    }
}

template <class Scalar>
void SessionCodec<Scalar>::require_model(Bytes bytes) const {
    if (const auto found = number_at<std::uint64_t>(bytes, 8); found != hash_) {
        refuse("model", "expected the content hash " + model_hash_ + ", found " + detail::hash_digits(found) +
                            "; a session of another model cannot go on: start a new one");
    }
    if (const auto n = number_at<std::int32_t>(bytes, 28); n != layout_.n_values()) {
        refuse("n_values", "expected " + std::to_string(layout_.n_values()) +
                               ", the hidden units of the model, found " + std::to_string(n));
    }
}

template <class Scalar>
Index SessionCodec<Scalar>::checked_n_events(Bytes bytes) const {
    const auto n_events = number_at<std::int64_t>(bytes, 16);
    if (n_events < 0 || n_events > most_events) {
        refuse("n_events",
               "expected 0 <= n_events <= " + std::to_string(most_events) + ", found " + std::to_string(n_events));
    }
    const Index n_recent = layout_.n_recent(static_cast<Index>(n_events));
    if (const auto n = number_at<std::int32_t>(bytes, 24); n != n_recent) {
        refuse("n_recent", "expected " + std::to_string(n_recent) + ", the items that the model's input needs of " +
                               std::to_string(n_events) + " events, found " + std::to_string(n));
    }
    return static_cast<Index>(n_events);
}

template <class Scalar>
void SessionCodec<Scalar>::require_whole(Bytes bytes, std::size_t expected) const {
    if (bytes.size() != expected) {
        refuse("length", "expected " + std::to_string(expected) + " bytes, found " + std::to_string(bytes.size()) +
                             (bytes.size() < expected ? "; they are cut" : "; something was appended"));
    }
    const std::size_t end = expected - checksum_bytes;
    if (number_at<std::uint64_t>(bytes, end) != checksum(bytes.first(end))) {
        refuse("checksum", "it is not that of the bytes before it; they are damaged");
    }
}

template <class Scalar>
void SessionCodec<Scalar>::require_contents(Bytes bytes, Index n_recent) const {
    for (Index i = 0; i < n_recent; ++i) {
        if (const auto item = number_at<std::int32_t>(bytes, recent_offset(i)); item < 0 || item >= layout_.n_items()) {
            refuse("item " + std::to_string(i),
                   "expected 0 <= item < " + std::to_string(layout_.n_items()) + ", found " + std::to_string(item));
        }
    }
    for (Index i = 0; i < layout_.n_values(); ++i) {
        if (const auto value = number_at<Scalar>(bytes, value_offset(n_recent, i)); !std::isfinite(value)) {
            refuse("value " + std::to_string(i), "expected a finite number, found " + detail::text_of(value));
        }
    }
}

#if defined(GRU4REC_COMPILED)
extern template class SessionCodec<float>;
extern template class SessionCodec<double>;
#endif

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
