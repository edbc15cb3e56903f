/* VSS_SNAPSHOT_PROP and VSS_PROVIDER_PROP: their strings are the caller's, each from CoTaskMemAlloc. */
#pragma once
#include "engine/engine.h"

HRESULT properties_text(const wchar_t *text, VSS_PWSZ *out);
HRESULT properties_of_copy(const struct copy_info *info, VSS_SNAPSHOT_PROP *prop);
/* 0: the system's; 1: the hardware provider. */
HRESULT properties_of_provider(unsigned index, VSS_PROVIDER_PROP *prop);
void properties_free_copy(VSS_SNAPSHOT_PROP *prop);
void properties_free_provider(VSS_PROVIDER_PROP *prop);
