#include "gru4rec/io/session_bytes.hpp"

#include "gru4rec/io/model_file.hpp"
#include "gru4rec/serve/recommender.hpp"
#include "support/contains.hpp"
#include "support/equal_values.hpp"
#include "support/small_models.hpp"
#include "support/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <limits>
#include <string>
#include <vector>

namespace {

using gru4rec::Index;
using gru4rec::SessionCodec;
using gru4rec::SessionState;
using gru4rec::to_item;
using small_models::Settings;
using Bytes = std::vector<std::byte>;

const std::vector<Settings> kinds = {
    {},
    {{"layers", "5/2"}, {"gru_variant", "reset_after"}},
    {{"layers", "3"}, {"input", "history"}, {"history_max", "4"}},
};

template <class Scalar>
Bytes bytes_of(const SessionCodec<Scalar>& codec, const SessionState<Scalar>& session) {
    Bytes bytes;
    codec.write(session, bytes);
    return bytes;
}

template <class Scalar>
void check_that_sessions_go_on() {
    for (const Settings& settings : kinds) {
        const auto model = small_models::make<Scalar>(settings);
        const SessionCodec<Scalar> codec(model);
        gru4rec::Recommender<Scalar> recommender(model);
        SessionState<Scalar> original(model);
        for (const Index item : {0, 3, 1, 1, 4, 2, 0}) {
            SessionState<Scalar> restored(model);
            recommender.advance(restored, to_item(2));  // is replaced
            codec.read(bytes_of(codec, original), restored);
            CHECK(restored.n_events() == original.n_events());
            CHECK(equal_values(restored.values(), original.values()));
            CHECK(bytes_of(codec, restored) == bytes_of(codec, original));

            recommender.advance(restored, to_item(item));
            recommender.advance(original, to_item(item));
            CHECK(equal_values(restored.values(), original.values()));
        }
    }
}

std::string refusal(const SessionCodec<float>& codec, const Bytes& bytes, SessionState<float>& session) {
    try {
        codec.read(bytes, session);
    } catch (const gru4rec::FormatError& error) {
        return error.what();
    }
    return "accepted";
}

}  // namespace

TEST_CASE("a session that was stored goes on as the original, to the bit, for every length, cell and input") {
    check_that_sessions_go_on<float>();
    check_that_sessions_go_on<double>();
}

TEST_CASE("the bytes of a session are laid out as documented, on any machine") {
    const auto model = small_models::make<float>({{"layers", "2"}, {"input", "history"}, {"history_max", "3"}});
    SessionState<float> session(model);
    for (const Index item : {4, 0, 3, 1}) {
        session.add_event(to_item(item));
    }
    session.values()[0] = 1.0F;
    session.values()[1] = -2.5F;
    const SessionCodec<float> codec(model);
    const Bytes bytes = bytes_of(codec, session);
    std::string hex;
    for (const std::byte byte : bytes) {
        hex += "0123456789abcdef"[std::to_integer<int>(byte) >> 4];
        hex += "0123456789abcdef"[std::to_integer<int>(byte) & 15];
    }
    std::string model_hash;  // last byte first
    for (std::size_t i = 16; i > 0; i -= 2) {
        model_hash += codec.model_hash().substr(i - 2, 2);
    }
    const std::string expected =
        "47345253"          // G4RS
        "0100"              // version
        "0400" +            // bytes of a scalar
        model_hash +        //
        "0400000000000000"  // events
        "03000000"          // items
        "02000000"          // values
        "00000000"          // items 0, 3, 1
        "03000000"
        "01000000"
        "0000803f"  // 1, -2.5
        "000020c0";
    CHECK(hex.substr(0, hex.size() - 16) == expected);
    CHECK(bytes.size() == 40 + 3 * 4 + 2 * 4);
    CHECK(codec.max_bytes() == bytes.size());
    CHECK(bytes_of(codec, SessionState<float>(model)).size() == 40 + 2 * 4);
}

TEST_CASE("the model's hash is the content_hash of its file") {
    const TemporaryFolder folder;
    const auto check = [&](const auto& model) {
        save_model(model, folder / "model");
        CHECK(SessionCodec(model).model_hash() == gru4rec::inspect_model(folder / "model").content_hash);
    };
    check(small_models::make<float>({}));
    check(small_models::make<double>({{"layers", "5/2"}, {"constrained_embedding", "0"}}));
}

TEST_CASE("a session of another model is refused, even of one of the same shape, and the session stays what it was") {
    const auto model = small_models::make<float>({});
    const auto other = small_models::make<float>({}, {"17", "shoe \"red\"", "\xc3\xa9t\xc3\xa9", "4", "-5"}, -3);
    const SessionCodec<float> codec(model);
    SessionState<float> session(model);
    session.add_event(to_item(1));
    const Bytes before = bytes_of(codec, session);
    const SessionCodec<float> other_codec(other);
    const std::string text = refusal(codec, bytes_of(other_codec, SessionState<float>(other)), session);
    CHECK(text == "session bytes: model: expected the content hash " + codec.model_hash() + ", found " +
                      other_codec.model_hash() + "; a session of another model cannot go on: start a new one");
    CHECK(bytes_of(codec, session) == before);
}

TEST_CASE("a session of the model in another precision is refused by name") {
    const auto wide = small_models::make<double>({});
    const auto model = small_models::make<float>({});
    SessionState<float> session(model);
    const std::string text =
        refusal(SessionCodec<float>(model), bytes_of(SessionCodec<double>(wide), SessionState<double>(wide)), session);
    CHECK(contains(text, "session bytes: scalar: expected 4 bytes, as in this model, found 8"));
}

TEST_CASE("a state that is not finite is not written, and what was in the buffer stays") {
    const auto model = small_models::make<float>({});
    const SessionCodec<float> codec(model);
    for (const float value : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
        SessionState<float> session(model);
        session.values()[1] = value;
        Bytes bytes = {std::byte{7}};
        CHECK_THROWS_WITH_AS(codec.write(session, bytes), doctest::Contains("value 1 of its hidden states is"),
                             gru4rec::NonFiniteError);
        CHECK(bytes == Bytes{std::byte{7}});
    }
}

TEST_CASE("sessions that do not fit the codec's model are refused, as are those made before the history changed") {
    const auto model = small_models::make<float>({{"layers", "4"}});
    auto changed = small_models::make<float>({});
    SessionState<float> before(changed);
    gru4rec::Hyperparameters p = changed.hyperparameters();
    const SessionCodec<float> old_codec(changed);
    p.set("input", "history");
    changed.set_hyperparameters(p);
    const SessionState<float> after(changed);
    const SessionCodec<float> new_codec(changed);
    Bytes bytes;
    old_codec.write(before, bytes);
    SessionState<float> wider(model);
    CHECK_THROWS_AS(old_codec.read(bytes, wider), gru4rec::ContractError);
    CHECK_THROWS_AS(old_codec.write(after, bytes), gru4rec::ContractError);
    CHECK_THROWS_WITH_AS(new_codec.write(before, bytes), doctest::Contains("make a new codec"), gru4rec::ContractError);
    CHECK(old_codec.model_hash() != new_codec.model_hash());
    old_codec.read(bytes, before);
    new_codec.write(after, bytes);
    CHECK(contains(refusal(old_codec, bytes, before), "session bytes: model: "));
}
