# The compiler's flags for our own code, apart from warnings: gru4rec_machine_flags, with GRU4REC_NATIVE those of this
# machine; gru4rec_engine_name, the engine that they make; gru4rec_sanitizer_flags, empty without GRU4REC_SANITIZE.
include(CheckCXXCompilerFlag)

set(gru4rec_engine_name ${CMAKE_SYSTEM_PROCESSOR})
set(gru4rec_machine_flags "")
if(GRU4REC_NATIVE)
  check_cxx_compiler_flag(-march=native GRU4REC_HAS_MARCH_NATIVE)
  if(GRU4REC_HAS_MARCH_NATIVE)
    set(gru4rec_engine_name native)
    set(gru4rec_machine_flags -march=native)
  endif()
endif()

set(gru4rec_sanitizer_flags "")
if(GRU4REC_SANITIZE)
  # AddressSanitizer stops at null and outside of objects by itself, and Eigen adds offsets to the null pointer of an
  # empty block. Without these checks the library compiles in two thirds of the time.
  set(gru4rec_sanitizer_flags -fsanitize=address,undefined -fno-sanitize=null,object-size,vptr,pointer-overflow
                              -fno-sanitize-recover=all -fno-omit-frame-pointer)
endif()
