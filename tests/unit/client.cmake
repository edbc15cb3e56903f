# The client: the text side of the command line everywhere, the library and what maps letters as .exe files only.
foreach(part
    args
    display
    json
    places
  restore
    quote
    session
    request
    stored
    values
    watch
)
  shadowpipe_add_unit_test(client_${part} SOURCES client_${part}.c LIBRARIES shadowpipe_cli_text)
endforeach()
if(WIN32)
  target_link_libraries(client_quote PRIVATE shell32)
  foreach(part
      calls
      documents
      hold
      lease
      lib
      manage
      reconnect
  )
    shadowpipe_add_unit_test(client_${part} SOURCES client_${part}.c client_support.c client_fake_server.c
                             LIBRARIES shadowpipe_client)
  endforeach()
  shadowpipe_add_unit_test(client_run SOURCES client_run.c client_fake_server.c LIBRARIES shadowpipe_cli)
  shadowpipe_add_unit_test(client_session_run SOURCES client_session_run.c client_fake_server.c LIBRARIES shadowpipe_cli)
  shadowpipe_add_unit_test(client_commands SOURCES client_commands.c client_fake_server.c LIBRARIES shadowpipe_cli)
  shadowpipe_add_unit_test(client_file SOURCES client_file.c LIBRARIES shadowpipe_cli)
  shadowpipe_add_unit_test(client_pipe SOURCES client_pipe.c LIBRARIES shadowpipe_client)
  shadowpipe_add_unit_test(client_raw SOURCES client_raw.c client_fake_server.c LIBRARIES shadowpipe_client)
  # The same through the DLL, which has to lie beside the program.
  shadowpipe_add_unit_test(client_dll SOURCES client_raw.c client_fake_server.c LIBRARIES shadowpipe_dll shadowpipe_proto)
  target_compile_definitions(client_dll PRIVATE SHADOWPIPE_DLL)
  add_custom_command(TARGET client_dll POST_BUILD
    COMMAND ${CMAKE_COMMAND} -E copy_if_different $<TARGET_FILE:shadowpipe_dll> $<TARGET_FILE_DIR:client_dll>)
  if(SHADOWPIPE_CXX_PROGRAM)
    add_executable(client_cxx client_cxx.cpp)
    target_compile_options(client_cxx PRIVATE -Wall -Wextra -Wshadow $<$<BOOL:${SHADOWPIPE_WERROR}>:-Werror>)
    target_compile_definitions(client_cxx PRIVATE SHADOWPIPE_DLL)
    target_include_directories(client_cxx PRIVATE "${PROJECT_SOURCE_DIR}")
    target_link_libraries(client_cxx PRIVATE shadowpipe_dll)
    add_dependencies(client_cxx client_dll)
    add_test(NAME client_cxx COMMAND client_cxx)
  endif()
  shadowpipe_add_unit_test(client_windows SOURCES client_windows.c LIBRARIES shadowpipe_cli)
  set_tests_properties(client_windows PROPERTIES RESOURCE_LOCK drive_letters)
endif()
