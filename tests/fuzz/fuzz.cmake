# Replays the corpus of every fuzz target; fuzz/run.sh is what looks for more inputs.

# gru4rec_add_replay(NAME [LIBRARY...])
function(gru4rec_add_replay name)
  set(program gru4rec_replay_${name})
  add_executable(${program} "${CMAKE_CURRENT_SOURCE_DIR}/fuzz/${name}.cpp" "${CMAKE_CURRENT_SOURCE_DIR}/fuzz/replay.cpp")
  target_include_directories(${program} PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}")
  target_link_libraries(${program} PRIVATE gru4rec::compiled gru4rec_dev nlohmann_json::nlohmann_json ${ARGN})
  add_dependencies(gru4rec_sanitized_tests ${program})
  add_test(NAME fuzz/${name} COMMAND ${program} "${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/${name}")
  set_tests_properties(fuzz/${name} PROPERTIES LABELS "fuzz;sanitized" TIMEOUT 300)
endfunction()

gru4rec_add_replay(session_lines)
if(TARGET gru4rec_program_tests)
  gru4rec_add_replay(container gru4rec_converters)
  gru4rec_add_replay(json_lines gru4rec_converters)
endif()
