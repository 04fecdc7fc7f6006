#include "gru4rec/core/storage.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <utility>

using gru4rec::Index;
using gru4rec::detail::AlignedBuffer;
using gru4rec::detail::PaddedMatrix;

TEST_CASE("sizes are padded to whole cache lines, long rows to an odd number of them") {
    CHECK(gru4rec::detail::padded<float>(0) == 0);
    CHECK(gru4rec::detail::padded<float>(1) == 16);
    CHECK(gru4rec::detail::padded<float>(16) == 16);
    CHECK(gru4rec::detail::padded<float>(17) == 32);
    CHECK(gru4rec::detail::padded<double>(9) == 16);
    CHECK(gru4rec::detail::row_stride<float>(17) == 32);
    CHECK(gru4rec::detail::row_stride<float>(48) == 48);
    CHECK(gru4rec::detail::row_stride<float>(49) == 80);
    CHECK(gru4rec::detail::row_stride<float>(80) == 80);
    CHECK(gru4rec::detail::row_stride<float>(128) == 144);
    CHECK(gru4rec::detail::row_stride<double>(0) == 0);
}

TEST_CASE("a buffer is aligned, zeroed, and a value: copies are its own, moves leave nothing behind") {
    AlignedBuffer<double> buffer(37);
    CHECK(reinterpret_cast<std::uintptr_t>(buffer.data()) % 64 == 0);
    CHECK(std::all_of(buffer.begin(), buffer.end(), [](double v) { return v == 0; }));
    buffer[36] = 5;
    AlignedBuffer<double> copy = buffer;
    copy[36] = 6;
    CHECK(buffer[36] == 5);
    const double* const data = copy.data();
    AlignedBuffer<double> moved = std::move(copy);
    CHECK(moved.data() == data);
    CHECK(moved[36] == 6);
    CHECK(copy.size() == 0);  // NOLINT(bugprone-use-after-move): what is left is stated
    CHECK(copy.data() == nullptr);
    const double* const kept = buffer.data();
    buffer = moved;
    CHECK(buffer[36] == 6);
    CHECK(buffer.data() == kept);  // it has the size already
    CHECK(buffer.data() != moved.data());
    AlignedBuffer<double> shorter(3);
    shorter = moved;
    CHECK(shorter.size() == 37);
    CHECK(shorter[36] == 6);
    shorter = AlignedBuffer<double>(2);
    CHECK(shorter.size() == 2);
    CHECK(shorter[1] == 0);
    buffer = *&buffer;
    CHECK(buffer[36] == 6);
    buffer.set_zero();
    CHECK(buffer[36] == 0);
    CHECK(moved[36] == 6);
    AlignedBuffer<double> empty(0);
    empty.set_zero();
    empty = AlignedBuffer<double>();
    CHECK(empty.begin() == empty.end());
}

TEST_CASE("large buffers lie on huge pages, and are values like small ones") {
    constexpr Index mebibyte = Index{1} << 20;
    for (const Index size : {mebibyte - 1, mebibyte, 2 * mebibyte, 2 * mebibyte + 1}) {
        CAPTURE(size);
        AlignedBuffer<char> buffer(size);
        const std::uintptr_t alignment = size < mebibyte ? 64 : std::uintptr_t{2} << 20;
        CHECK(reinterpret_cast<std::uintptr_t>(buffer.data()) % alignment == 0);
        CHECK(std::all_of(buffer.begin(), buffer.end(), [](char c) { return c == 0; }));
        buffer[size - 1] = 7;
        AlignedBuffer<char> copy = buffer;
        CHECK(copy[size - 1] == 7);
        buffer = std::move(copy);
        CHECK(buffer[size - 1] == 7);
    }
}

TEST_CASE("sizes that no memory holds are refused before anything is allocated") {
    const Index largest = (std::numeric_limits<Index>::max)();
    CHECK_THROWS_AS(static_cast<void>(AlignedBuffer<double>(-1)), std::invalid_argument);
    CHECK_THROWS_AS(static_cast<void>(AlignedBuffer<double>(largest)), std::invalid_argument);
    CHECK_THROWS_AS(static_cast<void>(AlignedBuffer<double>(largest / 4)), std::invalid_argument);
    CHECK_THROWS_AS(static_cast<void>(PaddedMatrix<float>(-1, 3)), std::invalid_argument);
    CHECK_THROWS_AS(static_cast<void>(PaddedMatrix<float>(3, -1)), std::invalid_argument);
    CHECK_THROWS_AS(static_cast<void>(PaddedMatrix<float>(largest / 8, 100)), std::invalid_argument);
}

TEST_CASE_TEMPLATE("rows of a parameter start at cache lines, also where they hold a single number", Scalar, float,
                   double) {
    for (const Index cols : {Index{1}, Index{2}, Index{16}, Index{17}, Index{100}}) {
        CAPTURE(cols);
        PaddedMatrix<Scalar> parameter(5, cols);
        for (Index r = 0; r < 5; ++r) {
            CHECK(reinterpret_cast<std::uintptr_t>(parameter.row(r)) % 64 == 0);
            CHECK(parameter.row(r) == parameter.data() + r * parameter.stride());
        }
        CHECK(parameter.stride() >= gru4rec::detail::padded<Scalar>(cols));
        parameter.map()(4, cols - 1) = 3;
        CHECK(parameter.row(4)[cols - 1] == 3);
        CHECK(std::as_const(parameter).map().sum() == 3);
        PaddedMatrix<Scalar> copy = parameter;
        copy.set_zero();
        CHECK(parameter.row(4)[cols - 1] == 3);
        CHECK(copy.row(4)[cols - 1] == 0);
    }
    CHECK(PaddedMatrix<Scalar>(0, 7).empty());
    CHECK(PaddedMatrix<Scalar>().empty());
}
