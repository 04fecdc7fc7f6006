#ifndef GRU4REC_CORE_FUNCTION_REF_HPP
#define GRU4REC_CORE_FUNCTION_REF_HPP

#include "gru4rec/version.hpp"

#include <memory>
#include <type_traits>
#include <utility>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Refers to a callable that outlives it: two pointers, no allocation. A loop that takes its body as a FunctionRef is
/// compiled once, not once per body.
template <class Signature>
class FunctionRef;

template <class Result, class... Arguments>
class FunctionRef<Result(Arguments...)> {
  public:
    template <class Callable>
        requires(!std::is_same_v<std::remove_cvref_t<Callable>, FunctionRef> &&
                 std::is_invocable_r_v<Result, Callable&, Arguments...>)
    FunctionRef(Callable&& callable)
    noexcept  // NOLINT(google-explicit-constructor): stands for a function argument
        : callable_(const_cast<void*>(reinterpret_cast<const volatile void*>(std::addressof(callable)))),
          call_([](void* target, Arguments... arguments) -> Result {
              // reinterpret_cast: the callable may be a plain function
              return (*reinterpret_cast<std::remove_reference_t<Callable>*>(target))(
                  std::forward<Arguments>(arguments)...);
          }) {}

    Result operator()(Arguments... arguments) const { return call_(callable_, std::forward<Arguments>(arguments)...); }

  private:
    void* callable_;
    Result (*call_)(void*, Arguments...);
};

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
