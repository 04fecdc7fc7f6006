#include "gru4rec/core/function_ref.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>

namespace {

using gru4rec::detail::FunctionRef;

int twice(int x) { return 2 * x; }

struct Counter {
    int count = 0;
    int operator()(int step) { return count += step; }
};

struct NotCopyable {
    NotCopyable() = default;
    NotCopyable(const NotCopyable&) = delete;
    NotCopyable& operator=(const NotCopyable&) = delete;
    int operator()() const { return 7; }
};

int call_with_five(FunctionRef<int(int)> f) { return f(5); }

static_assert(sizeof(FunctionRef<int(int)>) == 2 * sizeof(void*));
static_assert(std::is_trivially_copyable_v<FunctionRef<int(int)>>);
static_assert(std::is_nothrow_constructible_v<FunctionRef<int(int)>, Counter&>);
static_assert(!std::is_constructible_v<FunctionRef<int(int)>, int>);
static_assert(!std::is_constructible_v<FunctionRef<int(int)>, NotCopyable&>);

}  // namespace

TEST_CASE("a FunctionRef calls functions, lambdas and function objects, temporaries as well") {
    CHECK(call_with_five(twice) == 10);
    CHECK(call_with_five(&twice) == 10);
    CHECK(call_with_five([](int x) { return x + 1; }) == 6);
    const auto constant = [](int) { return 3; };
    CHECK(call_with_five(constant) == 3);
    const NotCopyable callable;
    const FunctionRef<int()> ref(callable);
    CHECK(ref() == 7);
}

TEST_CASE("a FunctionRef refers to its callable: what that changes stays, also through a copy of the reference") {
    Counter counter;
    CHECK(call_with_five(counter) == 5);
    FunctionRef<int(int)> ref(counter);
    const FunctionRef<int(int)> copy = ref;
    CHECK(ref(1) == 6);
    CHECK(copy(1) == 7);
    CHECK(counter.count == 7);
    int sum = 0;
    const auto add_to_sum = [&sum](int x) { sum += x; };
    FunctionRef<void(int)> call(add_to_sum);
    call(2);
    call(3);
    CHECK(sum == 5);
}

TEST_CASE("a copy of a FunctionRef calls the callable itself, even if that is reassigned") {
    const auto one = [](int) { return 1; };
    const auto two = [](int) { return 2; };
    FunctionRef<int(int)> ref(one);
    const FunctionRef<int(int)> copy(ref);
    ref = FunctionRef<int(int)>(two);
    CHECK(ref(0) == 2);
    CHECK(copy(0) == 1);
}

TEST_CASE("arguments of a FunctionRef pass unchanged: references, constants, objects that only move") {
    const auto append = [](std::string& text, const std::string& more) { text += more; };
    std::string text = "a";
    const FunctionRef<void(std::string&, const std::string&)> append_to(append);
    append_to(text, "b");
    CHECK(text == "ab");
    const auto take = [](std::unique_ptr<int> number) { return *number; };
    CHECK(FunctionRef<int(std::unique_ptr<int>)>(take)(std::make_unique<int>(4)) == 4);
    int target = 0;
    const auto itself = [](int& x) -> int& { return x; };
    const FunctionRef<int&(int&)> reference_to(itself);
    reference_to(target) = 9;
    CHECK(target == 9);
}

TEST_CASE("results of a FunctionRef are converted to its type, and exceptions pass through it") {
    const auto integer = [](int x) { return x; };
    CHECK(FunctionRef<double(int)>(integer)(3) == 3.0);
    const auto fails = [](int) -> int { throw std::runtime_error("failed"); };
    CHECK_THROWS_WITH_AS(call_with_five(fails), "failed", std::runtime_error);
}
