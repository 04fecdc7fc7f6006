// The bytes of a stored session: the first byte of the input says of which model, and whether hash and checksum are
// made right, without which hardly an input comes further.

#include "gru4rec/io/session_bytes.hpp"

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/model/model.hpp"
#include "gru4rec/model/session_state.hpp"
#include "gru4rec/serve/recommender.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "fuzz/target.hpp"
#include "support/equal_values.hpp"
#include "support/small_models.hpp"

namespace {

using Bytes = std::vector<std::byte>;

/// A model with what reads its sessions.
template <class Scalar>
class Reader {
  public:
    explicit Reader(const small_models::Settings& settings)
        : model_(small_models::make<Scalar>(settings)), codec_(model_), recommender_(model_), before_(model_) {
        recommender_.advance(before_, gru4rec::to_item(2));
    }

    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;
    ~Reader() = default;

    /// Puts the model's hash and the checksum where they belong, if there is room.
    void mend(Bytes& bytes) const {
        constexpr std::size_t hash_at = 8;
        constexpr std::size_t width = 8;
        if (bytes.size() < 2 * hash_at + width) {
            return;
        }
        Bytes written;
        codec_.write(before_, written);
        std::copy_n(written.begin() + hash_at, width, bytes.begin() + hash_at);
        gru4rec::detail::ContentHash hash;
        hash.update(std::span<const std::byte>(bytes).first(bytes.size() - width));
        gru4rec::detail::to_little_endian(hash.value(), bytes.data() + (bytes.size() - width));
    }

    void read(const Bytes& bytes) {
        gru4rec::SessionState<Scalar> session = before_;
        try {
            codec_.read(bytes, session);
        } catch (const gru4rec::FormatError& error) {
            const std::string_view text = error.what();
            fuzz::require(text.starts_with("session bytes: "), "the message says what could not be read");
            fuzz::require(text.find('\n') == std::string_view::npos, "the message is one line");
            fuzz::require(session.n_events() == before_.n_events() && equal_values(session.values(), before_.values()),
                          "a session is unchanged if its bytes are refused");
            return;
        }
        Bytes again;
        codec_.write(session, again);
        fuzz::require(again == bytes, "what is read is what was written");
        const gru4rec::Index remembered =
            (std::min)(session.n_events(), model_.hyperparameters().input_history().max_events());
        for (gru4rec::Index age = 0; age < remembered; ++age) {
            const gru4rec::Index item = to_index(session.recent(age));
            fuzz::require(item >= 0 && item < model_.n_items(), "a session remembers items of its model");
        }
        fuzz::require(recommender_.recommend(session, 3).size() == 3, "a session that was read gets a list");
        recommender_.advance(session, gru4rec::to_item(1));
    }

  private:
    gru4rec::Model<Scalar> model_;
    gru4rec::SessionCodec<Scalar> codec_;
    gru4rec::Recommender<Scalar> recommender_;
    gru4rec::SessionState<Scalar> before_;
};

template <class Scalar>
void read_with(Reader<Scalar>& reader, bool mended, Bytes bytes) {
    if (mended) {
        reader.mend(bytes);
    }
    reader.read(bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static Reader<float> plain({});
    static Reader<float> history({{"layers", "3"}, {"input", "history"}, {"history_max", "4"}});
    static Reader<double> precise({{"layers", "5/2"}, {"gru_variant", "reset_after"}});
    if (size == 0) {
        return 0;
    }
    const auto content = std::as_bytes(std::span(data + 1, size - 1));
    const Bytes bytes(content.begin(), content.end());
    const bool mended = (data[0] & 4U) != 0;
    switch (data[0] & 3U) {
        case 0: read_with(plain, mended, bytes); break;
        case 1: read_with(history, mended, bytes); break;
        default: read_with(precise, mended, bytes); break;
    }
    return 0;
}
