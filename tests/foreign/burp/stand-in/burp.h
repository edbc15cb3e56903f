/* Instead of burp's own header of this name, for its VSS client alone: what vss.cpp, vss_generic.cpp and
 * alist.c take from the rest of that program. */
#pragma once
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

/* Before the sources give the names of annotations other meanings. */
#include <vss.h>
#include <vswriter.h>
#include <vsbackup.h>

/* These stand for src/asfd.h, src/cntr.h and src/log.h, which are found by their place and need all of burp.
 */
#define _ASFD_H
#define _COUNTER_H
#define _LOG_ROUTINES
struct asfd;
struct cntr;
int logw(struct asfd *, struct cntr *, const char *format, ...);

typedef BOOL(WINAPI *get_volume_path_name)(LPCWSTR, LPWSTR, DWORD);
typedef BOOL(WINAPI *get_volume_name)(LPCWSTR, LPWSTR, DWORD);
extern get_volume_path_name p_GetVolumePathNameW;
extern get_volume_name p_GetVolumeNameForVolumeMountPointW;
extern DWORD g_MajorVersion, g_MinorVersion;
int wchar_2_UTF8(char *utf8, const WCHAR *wide, int room);

typedef BOOL (*t_pVSSPathConvert)(const char *, char *, int);
typedef BOOL (*t_pVSSPathConvertW)(const wchar_t *, wchar_t *, int);
inline void SetVSSPathConvert(t_pVSSPathConvert, t_pVSSPathConvertW)
{
}
