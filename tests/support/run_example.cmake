# cmake -DPROGRAM=... -DOUTPUT=REGULAR_EXPRESSION -P run_example.cmake: CTest's own PASS_REGULAR_EXPRESSION ignores the
# exit status.
execute_process(COMMAND "${PROGRAM}" OUTPUT_VARIABLE printed RESULT_VARIABLE status)
message("${printed}")
if(NOT status EQUAL 0)
  message(FATAL_ERROR "${PROGRAM}: exit status ${status}")
endif()
if(NOT printed MATCHES "${OUTPUT}")
  message(FATAL_ERROR "${PROGRAM}: the output does not match ${OUTPUT}")
endif()
