#!/bin/sh
# Runs a Windows program in the project's own Wine prefix, whatever WINEPREFIX the caller's shell has.
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
WINEPREFIX=${SHADOWPIPE_WINEPREFIX:-$root/build/wine}
WINEDEBUG=${WINEDEBUG--all}
WINEDLLOVERRIDES=${WINEDLLOVERRIDES-mscoree=;mshtml=;winemenubuilder.exe=;vssapi=n,b}
export WINEPREFIX WINEDEBUG WINEDLLOVERRIDES
exec wine "$@"
