# Charts as SVG, and the page of a report, for the programs; the tests include this file, too, as they are built without
# these as well. Neither takes time to make, so they are compiled with less optimisation, which is faster.
include_guard(GLOBAL)

set(gru4rec_little_optimisation "")
if(NOT GRU4REC_SANITIZE AND NOT MSVC)
  set(gru4rec_little_optimisation -O1)
endif()
add_library(gru4rec_charts OBJECT "${CMAKE_CURRENT_LIST_DIR}/support/chart.cpp")
target_compile_options(gru4rec_charts PRIVATE ${gru4rec_little_optimisation})
target_include_directories(gru4rec_charts PUBLIC "${CMAKE_CURRENT_LIST_DIR}")
target_compile_features(gru4rec_charts PUBLIC cxx_std_20)
target_link_libraries(gru4rec_charts PRIVATE gru4rec_dev)
if(TARGET nlohmann_json::nlohmann_json)
  set(gru4rec_report_page_folder "${CMAKE_CURRENT_LIST_DIR}/cli/report_page")
  add_library(gru4rec_report_page OBJECT "${gru4rec_report_page_folder}/figures.cpp"
              "${gru4rec_report_page_folder}/page.cpp" "${gru4rec_report_page_folder}/run.cpp")
  target_compile_options(gru4rec_report_page PRIVATE ${gru4rec_little_optimisation})
  target_include_directories(gru4rec_report_page PUBLIC "${CMAKE_CURRENT_LIST_DIR}")
  target_link_libraries(gru4rec_report_page PUBLIC gru4rec::compiled nlohmann_json::nlohmann_json PRIVATE gru4rec_dev)
endif()
