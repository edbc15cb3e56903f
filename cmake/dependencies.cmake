# Gives the targets protobuf-c::protobuf-c and cmocka::cmocka. An installed library is taken first (find_package, then
# the compiler's own search paths: MSYS2, vcpkg, a distribution); where there is none, and always under sanitizers, the
# library's one source file is compiled, from the folder that `./dev setup` fills or that the cache variable names.

set(SHADOWPIPE_PROTOBUF_C_SOURCE "${PROJECT_SOURCE_DIR}/build/deps/protobuf-c"
    CACHE PATH "Source of protobuf-c, used when it is not installed for the target")
set(SHADOWPIPE_CMOCKA_SOURCE "${PROJECT_SOURCE_DIR}/build/deps/cmocka"
    CACHE PATH "Source of cmocka, used when it is not installed for the target")

# shadowpipe_find_installed(TARGET PACKAGE HEADER NAMES...): an imported TARGET if the library is installed.
function(shadowpipe_find_installed target package header)
  find_package(${package} CONFIG QUIET GLOBAL)
  if(TARGET ${target})
    return()
  endif()
  # A static library has to win on Windows: the binaries need no DLL beyond the system's.
  set(names ${ARGN})
  if(WIN32)
    list(TRANSFORM ARGN PREPEND lib OUTPUT_VARIABLE names)
    list(TRANSFORM names APPEND .a)
    list(APPEND names ${ARGN})
  endif()
  find_path(${package}_INCLUDE_DIR ${header})
  find_library(${package}_LIBRARY NAMES ${names})
  mark_as_advanced(${package}_INCLUDE_DIR ${package}_LIBRARY)
  if(${package}_INCLUDE_DIR AND ${package}_LIBRARY)
    add_library(${target} UNKNOWN IMPORTED GLOBAL)
    set_target_properties(${target} PROPERTIES
      IMPORTED_LOCATION "${${package}_LIBRARY}"
      INTERFACE_INCLUDE_DIRECTORIES "${${package}_INCLUDE_DIR}"
      INTERFACE_COMPILE_DEFINITIONS "$<$<STREQUAL:${package},cmocka>:CMOCKA_STATIC>")
  endif()
endfunction()

# Other people's code: its warnings are not ours to fix.
function(shadowpipe_add_foreign name file include)
  add_library(${name} STATIC "${file}")
  target_include_directories(${name} SYSTEM PUBLIC "${include}")
  target_compile_options(${name} PRIVATE -w)
  if(SHADOWPIPE_SANITIZE)
    # protobuf-c adds 0 to the NULL that stands for the fields of an empty message.
    target_compile_options(${name} PRIVATE -fno-sanitize=pointer-overflow)
  endif()
endfunction()

if(NOT SHADOWPIPE_SANITIZE)
  shadowpipe_find_installed(protobuf-c::protobuf-c protobuf-c protobuf-c/protobuf-c.h protobuf-c)
endif()
if(NOT TARGET protobuf-c::protobuf-c)
  if(EXISTS "${SHADOWPIPE_PROTOBUF_C_SOURCE}/protobuf-c/protobuf-c.c")
    shadowpipe_add_foreign(protobuf-c "${SHADOWPIPE_PROTOBUF_C_SOURCE}/protobuf-c/protobuf-c.c"
                           "${SHADOWPIPE_PROTOBUF_C_SOURCE}")
    add_library(protobuf-c::protobuf-c ALIAS protobuf-c)
  else()
    shadowpipe_find_installed(protobuf-c::protobuf-c protobuf-c protobuf-c/protobuf-c.h protobuf-c)
  endif()
endif()
if(NOT TARGET protobuf-c::protobuf-c)
  message(FATAL_ERROR "protobuf-c is not installed for this target. Install it, run ./dev setup, or set "
                      "SHADOWPIPE_PROTOBUF_C_SOURCE to its source folder.")
endif()

if(SHADOWPIPE_CLIENT_ONLY)
  return()
endif()

if(NOT SHADOWPIPE_SANITIZE)
  shadowpipe_find_installed(cmocka::cmocka cmocka cmocka.h cmocka)
endif()
if(NOT TARGET cmocka::cmocka)
  if(EXISTS "${SHADOWPIPE_CMOCKA_SOURCE}/src/cmocka.c")
    shadowpipe_add_foreign(cmocka "${SHADOWPIPE_CMOCKA_SOURCE}/src/cmocka.c" "${SHADOWPIPE_CMOCKA_SOURCE}/include")
    # What its configure step finds out, for C11 compilers on Windows and POSIX.
    target_compile_definitions(cmocka
      PUBLIC CMOCKA_STATIC
      PRIVATE HAVE_INTTYPES_H HAVE_SIGNAL_H HAVE_STRINGS_H HAVE_MALLOC_H HAVE_STRUCT_TIMESPEC HAVE_SNPRINTF
              HAVE_VSNPRINTF HAVE_GCC_THREAD_LOCAL_STORAGE __USE_MINGW_ANSI_STDIO=1
              "$<$<NOT:$<BOOL:${WIN32}>>:HAVE_SIGLONGJMP;HAVE_STRSIGNAL;HAVE_CLOCK_REALTIME>")
    add_library(cmocka::cmocka ALIAS cmocka)
  else()
    shadowpipe_find_installed(cmocka::cmocka cmocka cmocka.h cmocka)
  endif()
endif()
if(NOT TARGET cmocka::cmocka)
  message(FATAL_ERROR "cmocka is not installed for this target. Install it, run ./dev setup, or set "
                      "SHADOWPIPE_CMOCKA_SOURCE to its source folder.")
endif()
