# gru4rec_python_add_module(TARGET NAME LIBRARY): a module _core of the engine NAME, which links LIBRARY. Both must be
# compiled for the same vector instructions.
function(gru4rec_python_add_module target name library)
  set(folder "${CMAKE_CURRENT_FUNCTION_LIST_DIR}")
  file(GLOB sources CONFIGURE_DEPENDS "${folder}/src/*.cpp")
  nanobind_add_module(${target} NB_STATIC NOMINSIZE PROTECT_STACK ${sources})
  target_link_libraries(${target} PRIVATE ${library})
  target_compile_definitions(${target} PRIVATE "GRU4REC_ENGINE_NAME=\"${name}\"")
  target_include_directories(${target} PRIVATE "${folder}/../examples")
  set_target_properties(${target} PROPERTIES OUTPUT_NAME _core)
endfunction()
