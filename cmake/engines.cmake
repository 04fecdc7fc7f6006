# The engines of a build for other machines than this one, each named after the instruction set that it is compiled
# for. examples/support/engines.hpp chooses among them.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  set(gru4rec_known_engines x86-64-v2 x86-64-v3 x86-64-v4)
else()
  set(gru4rec_known_engines ${CMAKE_SYSTEM_PROCESSOR})
endif()
set(GRU4REC_ENGINES "${gru4rec_known_engines}" CACHE STRING
    "With GRU4REC_PORTABLE: the engines to build, from the least demanding to the most")

# gru4rec_engine_flags(VARIABLE ENGINE): the compiler's flags of an engine. One that is named after the architecture,
# such as aarch64, has none.
function(gru4rec_engine_flags variable engine)
  if(NOT engine IN_LIST gru4rec_known_engines)
    list(JOIN gru4rec_known_engines ", " known)
    message(FATAL_ERROR "gru4rec: there is no engine '${engine}' for this architecture, expected one of: ${known}")
  endif()
  if(engine STREQUAL CMAKE_SYSTEM_PROCESSOR)
    set(${variable} "" PARENT_SCOPE)
  else()
    set(${variable} -march=${engine} PARENT_SCOPE)
  endif()
endfunction()
