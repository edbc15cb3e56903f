# Clang where there is one: its sanitizers come with libFuzzer, which the fuzz targets need.
find_program(SHADOWPIPE_CLANG clang)
if(SHADOWPIPE_CLANG AND NOT DEFINED ENV{CC})
  set(CMAKE_C_COMPILER "${SHADOWPIPE_CLANG}")
endif()
