#ifndef GRU4REC_TESTS_SUPPORT_SANITIZERS_HPP
#define GRU4REC_TESTS_SUPPORT_SANITIZERS_HPP

#if defined(__has_feature)
#define GRU4REC_HAS_FEATURE(name) __has_feature(name)
#else
#define GRU4REC_HAS_FEATURE(name) 0
#endif

/// Which sanitizers the tests are compiled with.
namespace sanitizers {

#if defined(__SANITIZE_ADDRESS__) || GRU4REC_HAS_FEATURE(address_sanitizer)
inline constexpr bool address = true;
#else
inline constexpr bool address = false;
#endif

#if defined(__SANITIZE_THREAD__) || GRU4REC_HAS_FEATURE(thread_sanitizer)
inline constexpr bool thread = true;
#else
inline constexpr bool thread = false;
#endif

}  // namespace sanitizers

#undef GRU4REC_HAS_FEATURE

#endif
