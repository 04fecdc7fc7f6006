# What makes mistakes in memory harder to misuse, for our own programs, never for whoever includes the headers:
# gru4rec_hardening_flags for the compiler, gru4rec_hardening_link_flags for the linker. Both are empty without
# GRU4REC_HARDENED, outside of Linux, and with sanitizers, which find more. tests/packaging/hardening.py tells whether a
# built program has all of it.
include(CheckCXXCompilerFlag)
include(CheckCXXSourceCompiles)
include(CMakePushCheckState)

set(gru4rec_hardening_flags "")
set(gru4rec_hardening_link_flags "")
if(NOT GRU4REC_HARDENED OR GRU4REC_SANITIZE OR NOT CMAKE_SYSTEM_NAME STREQUAL "Linux"
   OR NOT CMAKE_CXX_COMPILER_ID MATCHES "^(GNU|Clang)$")
  return()
endif()

foreach(flag IN ITEMS -fstack-protector-strong -fstack-clash-protection -fcf-protection)
  string(MAKE_C_IDENTIFIER "GRU4REC_HAS${flag}" has_flag)
  check_cxx_compiler_flag(${flag} ${has_flag})
  if(${has_flag})
    list(APPEND gru4rec_hardening_flags ${flag})
  endif()
endforeach()

# It needs optimisation. A distribution's compiler may define it by itself, and a second definition is a warning.
cmake_push_check_state(RESET)
set(CMAKE_REQUIRED_FLAGS "-O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3")
check_cxx_source_compiles("
  #include <cstdlib>
  #if __USE_FORTIFY_LEVEL < 3
  #error \"3 is treated like 2\"
  #endif
  int main() {}" GRU4REC_HAS_FORTIFY_3)
cmake_pop_check_state()
list(APPEND gru4rec_hardening_flags $<$<CONFIG:Release,RelWithDebInfo,MinSizeRel>:-U_FORTIFY_SOURCE>
     $<$<CONFIG:Release,RelWithDebInfo,MinSizeRel>:-D_FORTIFY_SOURCE=$<IF:$<BOOL:${GRU4REC_HAS_FORTIFY_3}>,3,2>>)

# Position-independent executables. What goes into shared libraries is -fPIC already.
list(APPEND gru4rec_hardening_flags $<$<NOT:$<BOOL:$<TARGET_PROPERTY:POSITION_INDEPENDENT_CODE>>>:-fPIE>)
list(APPEND gru4rec_hardening_link_flags $<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:-pie>
     -Wl,-z,relro,-z,now,-z,noexecstack)
