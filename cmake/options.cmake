# shadowpipe_options: what every target of this project compiles and links with.

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
# No -DNDEBUG: a service that goes on after a broken invariant may hold a machine's writers frozen; one that dies is
# restarted, and its requesters clean up by themselves.
set(CMAKE_C_FLAGS_RELEASE "-O2")

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

# Also for the libraries that are not ours: sanitizers and sections work best when everything has them.
if(SHADOWPIPE_SANITIZE)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()
if(MINGW)
  add_compile_options(-ffunction-sections -fdata-sections)
  add_link_options(-static -Wl,--gc-sections -Wl,--dynamicbase -Wl,--nxcompat
                   $<$<CONFIG:Release>:-s>)
  if(CMAKE_SIZEOF_VOID_P EQUAL 8)
    add_link_options(-Wl,--high-entropy-va)
  endif()
endif()

add_library(shadowpipe_options INTERFACE)
target_compile_options(shadowpipe_options INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 -Wundef
  $<$<BOOL:${SHADOWPIPE_WERROR}>:-Werror>
  $<$<NOT:$<BOOL:${SHADOWPIPE_SANITIZE}>>:-fstack-protector-strong>)
# At the link too: mingw's stack protector lives in a library of its own.
target_link_options(shadowpipe_options INTERFACE
  $<$<NOT:$<BOOL:${SHADOWPIPE_SANITIZE}>>:-fstack-protector-strong>)
target_include_directories(shadowpipe_options INTERFACE "${PROJECT_SOURCE_DIR}")
target_compile_definitions(shadowpipe_options INTERFACE SHADOWPIPE_VERSION="${PROJECT_VERSION}")
if(WIN32)
  target_compile_definitions(shadowpipe_options INTERFACE
    UNICODE _UNICODE _WIN32_WINNT=0x0A00 NTDDI_VERSION=0x0A000000 __USE_MINGW_ANSI_STDIO=1)
endif()
