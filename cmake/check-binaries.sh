#!/usr/bin/env bash
# check-binaries.sh FOLDER...: what the Windows binaries below FOLDER promise. They need no DLL beyond the system's,
# can be loaded anywhere (ASLR), have no executable data (NX); the service stays below 1 MiB. The simulator exports what
# vssapi.dll does, undecorated, for x64 and x86.
system_dlls=' advapi32 authz bcrypt cfgmgr32 crypt32 kernel32 mpr msvcrt netapi32 ntdll ole32 oleaut32 psapi rpcrt4
 secur32 setupapi shell32 shlwapi user32 userenv uuid version virtdisk ws2_32 wtsapi32 '
status=0
count=0
vss_exports='CreateVssBackupComponents CreateVssExamineWriterMetadata IsVolumeSnapshotted VssFreeSnapshotProperties
 GetProviderMgmtInterface ShouldBlockRevert'

complain() {
    echo "$1" >&2
    status=1
}

while IFS= read -r file; do
    count=$((count + 1))
    report=$(x86_64-w64-mingw32-objdump -p "$file") || complain "$file: objdump cannot read it"
    for dll in $(echo "$report" | sed -n 's/^[[:space:]]*DLL Name: //p' | tr '[:upper:]' '[:lower:]'); do
        case $(echo "$system_dlls" | tr '\n' ' ') in
        *" ${dll%.dll} "*) continue ;;
        esac
        case $file:$dll in
        */tests/*:shadowpipe.dll) ;; # a test of that DLL
        *) complain "$file: needs $dll, which is no DLL of the system's" ;;
        esac
    done
    for flag in DYNAMIC_BASE NX_COMPAT; do
        echo "$report" | grep -q "$flag" || complain "$file: is linked without $flag"
    done
    case $file in
    */vssapi.dll)
        exports=$(echo "$report" | sed -n 's/^[[:space:]]*\[ *[0-9]*\] \(.*\)/\1/p')
        for name in $vss_exports; do
            for export in "$name" "${name}Internal"; do
                echo "$exports" | grep -qx "$export" || complain "$file: does not export $export"
            done
        done
        for name in CreateVssBackupComponents CreateVssExamineWriterMetadata; do
            echo "$exports" | grep -q "^?$name@@Y" || complain "$file: does not export $name by its C++ name"
        done
        ;;
    */shadowpiped.exe)
        size=$(wc -c <"$file")
        [ "$size" -lt 1048576 ] || complain "$file: $size bytes, more than 1 MiB"
        ;;
    esac
done < <(find "$@" -name CMakeFiles -prune -o \( -name '*.exe' -o -name '*.dll' \) -print)

[ "$count" -gt 0 ] || complain "no Windows binary below $*"
[ "$status" = 0 ] && echo "$count binaries: system DLLs only, ASLR and NX on"
exit "$status"
