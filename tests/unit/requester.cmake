# Tests of the requester. Those that start it as a process need the simulator, under its own name: Wine would take
# its own vssapi.dll for the other.
if(NOT WIN32)
  return()
endif()

shadowpipe_add_unit_test(requester_parts SOURCES requester_parts.c LIBRARIES shadowpipe_requester)
shadowpipe_add_unit_test(requester_async SOURCES requester_async.c LIBRARIES shadowpipe_requester)
target_compile_definitions(requester_async PRIVATE COBJMACROS)
shadowpipe_add_unit_test(requester_methods SOURCES requester_methods.c LIBRARIES shadowpipe_requester)
shadowpipe_add_unit_test(requester_storage SOURCES requester_storage.c LIBRARIES shadowpipe_requester ole32)

foreach(name IN ITEMS requester_calls requester_duties requester_leaks requester_snapshots)
  shadowpipe_add_unit_test(${name} SOURCES ${name}.c requester_service.c LIBRARIES shadowpipe_requester psapi)
  target_compile_definitions(${name} PRIVATE SIMULATOR_PATH="$<TARGET_FILE_DIR:vssapi>/shadowsim.dll")
  add_dependencies(${name} vssapi)
endforeach()
target_link_libraries(requester_snapshots PRIVATE shadowpipe_cli)
# It takes a free drive letter; so do others.
set_tests_properties(requester_snapshots PROPERTIES RESOURCE_LOCK drive_letters)
