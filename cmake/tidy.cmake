# The target `tidy` runs clang-tidy over this project's own sources. A file is looked at again when an object file of
# its target, or .clang-tidy, has changed, so a second run costs nothing. The portable folders are looked at natively.
find_program(SHADOWPIPE_CLANG_TIDY clang-tidy)

function(shadowpipe_collect_targets folder out)
  get_property(targets DIRECTORY "${folder}" PROPERTY BUILDSYSTEM_TARGETS)
  get_property(subfolders DIRECTORY "${folder}" PROPERTY SUBDIRECTORIES)
  foreach(subfolder IN LISTS subfolders)
    shadowpipe_collect_targets("${subfolder}" more)
    list(APPEND targets ${more})
  endforeach()
  set(${out} "${targets}" PARENT_SCOPE)
endfunction()

# The sources of a target that are ours: C files below the source folder, none that were generated or fetched.
function(shadowpipe_own_sources target out)
  get_target_property(folder ${target} SOURCE_DIR)
  get_target_property(sources ${target} SOURCES)
  set(own)
  foreach(source IN LISTS sources)
    if(NOT source MATCHES "\\.c$")
      continue()
    endif()
    cmake_path(ABSOLUTE_PATH source BASE_DIRECTORY "${folder}" NORMALIZE)
    cmake_path(IS_PREFIX PROJECT_SOURCE_DIR "${source}" NORMALIZE inside)
    if(WIN32 AND source MATCHES "^${PROJECT_SOURCE_DIR}/(proto|service/broker|tests/unit)/")
      continue()
    endif()
    if(inside AND NOT source MATCHES "^${PROJECT_SOURCE_DIR}/build/")
      list(APPEND own "${source}")
    endif()
  endforeach()
  set(${out} "${own}" PARENT_SCOPE)
endfunction()

function(shadowpipe_add_tidy_target)
  if(NOT SHADOWPIPE_CLANG_TIDY OR NOT CMAKE_EXPORT_COMPILE_COMMANDS)
    return()
  endif()
  set(stamps)
  set(seen)
  shadowpipe_collect_targets("${PROJECT_SOURCE_DIR}" targets)
  foreach(target IN LISTS targets)
    get_target_property(type ${target} TYPE)
    if(NOT type MATCHES "EXECUTABLE|LIBRARY" OR type STREQUAL "INTERFACE_LIBRARY")
      continue()
    endif()
    shadowpipe_own_sources(${target} sources)
    list(REMOVE_ITEM sources ${seen})
    list(APPEND seen ${sources})
    foreach(source IN LISTS sources)
      cmake_path(RELATIVE_PATH source BASE_DIRECTORY "${PROJECT_SOURCE_DIR}" OUTPUT_VARIABLE name)
      string(REPLACE "/" "_" stamp "${name}")
      set(stamp "${PROJECT_BINARY_DIR}/tidy/${stamp}.ok")
      add_custom_command(
        OUTPUT "${stamp}"
        COMMAND ${SHADOWPIPE_CLANG_TIDY} -p "${PROJECT_BINARY_DIR}" --quiet --warnings-as-errors=*
                --extra-arg=-Wno-ignored-attributes "${source}" # gnu_printf is gcc's
        COMMAND ${CMAKE_COMMAND} -E touch "${stamp}"
        DEPENDS "${source}" "${PROJECT_SOURCE_DIR}/.clang-tidy" "$<TARGET_OBJECTS:${target}>"
        COMMENT "clang-tidy ${name}"
        VERBATIM)
      list(APPEND stamps "${stamp}")
    endforeach()
  endforeach()
  file(MAKE_DIRECTORY "${PROJECT_BINARY_DIR}/tidy")
  add_custom_target(tidy DEPENDS ${stamps})
endfunction()
