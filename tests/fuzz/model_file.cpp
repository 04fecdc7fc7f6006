// Model files and weights of other programs. The first byte of the input says what reads the file, and whether it is
// mended first: hardly an input comes past a wrong length or hash.

#include "gru4rec/io/model_file.hpp"

#include "gru4rec/core/error.hpp"
#include "gru4rec/io/import_model.hpp"
#include "gru4rec/model/model.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "fuzz/mended_file.hpp"
#include "fuzz/target.hpp"
#include "support/small_models.hpp"
#include "support/temporary_folder.hpp"

namespace {

using gru4rec::Model;

/// What was read can be used, and reads the same once it is written.
template <class Scalar>
void require_whole(const Model<Scalar>& model) {
    for (const auto& view : model.tensors()) {
        for (gru4rec::Index r = 0; r < view.rows; ++r) {
            for (gru4rec::Index c = 0; c < view.cols; ++c) {
                fuzz::require(std::isfinite(view(r, c)), "a model that was read has finite weights");
            }
        }
    }
    static const TemporaryFolder folder;
    const auto again = folder / "again";
    save_model(model, again);
    fuzz::require(small_models::same(gru4rec::load_model<Scalar>(again), model), "a model is read as it was written");
}

template <class Scalar>
void load(const std::string& path) {
    const Model<Scalar> model = gru4rec::load_model<Scalar>(path);
    fuzz::require(gru4rec::inspect_model(path).n_items == model.n_items(), "what is loaded can be inspected");
    require_whole(model);
}

void load_weights_only(const std::string& path) {
    static const Model<float> before =
        small_models::make<float>({{"layers", "2"}, {"gru_variant", "reset_after"}}, {"a", "b", "4"});
    Model<float> model = before;
    try {
        load_weights(model, path);
    } catch (const gru4rec::FormatError&) {
        fuzz::require(small_models::same(model, before), "a model is unchanged if a file is refused");
        throw;
    }
    require_whole(model);
}

/// The ids of as many items as the small models have, or parameters that are given.
void import(const std::string& path, bool with_ids, bool with_parameters) {
    static const fuzz::InputFile ids("a\nb\n\xc3\xa9\n4\n");
    gru4rec::ImportOptions options;
    if (with_ids) {
        options.items = ids.path();
    }
    if (with_parameters) {
        options.parameters = {{"input", "history"}, {"layers", "2"}};
    }
    try {
        require_whole(gru4rec::import_model<float>(path, options).model);
    } catch (const gru4rec::ConfigError& error) {
        fuzz::require(with_parameters, "only parameters that are given can be at fault");
        fuzz::require_message(error, "gru4rec: ");
    }
}

void inspect(const std::string& path) {
    const gru4rec::ModelInfo info = gru4rec::inspect_model(path);
    fuzz::require(info.dtype == gru4rec::stored_dtype(path), "the type is that of the first tensor");
    fuzz::require(info.content_hash.empty() || gru4rec::has_content_hash(path), "a hash that is shown is there");
}

void read(unsigned how, const std::string& path) {
    switch (how & 7U) {
        case 0: return load<float>(path);
        case 1: return load<double>(path);
        case 2: return load_weights_only(path);
        case 3: return import(path, false, false);
        case 4: return import(path, true, false);
        case 5: return import(path, false, true);
        default: return inspect(path);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Taker input({data, size});
    const unsigned how = input.byte();
    const bool is_mended = (how & 8U) != 0;
    const fuzz::InputFile file(is_mended ? fuzz::mended_file(input.rest(), [](auto&) {}) : std::string(input.rest()));
    try {
        read(how, file.path());
    } catch (const gru4rec::FormatError& error) {
        fuzz::require_message(error, file.path() + ": ");
    }
    return 0;
}
