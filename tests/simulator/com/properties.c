#include "properties.h"
#include "engine/providers.h"
#include "ownership.h"

#include <objbase.h>
#include <string.h>
#include <wchar.h>

HRESULT properties_text(const wchar_t *text, VSS_PWSZ *out)
{
    size_t size = (wcslen(text) + 1) * sizeof *text;
    *out = CoTaskMemAlloc(size);
    if (!*out)
        return E_OUTOFMEMORY;
    memcpy(*out, text, size);
    ownership_give(*out);
    return S_OK;
}

static HRESULT machine_name(VSS_PWSZ *out)
{
    wchar_t name[256];
    DWORD n = ARRAYSIZE(name);
    if (!GetComputerNameExW(ComputerNameDnsHostname, name, &n))
        return VSS_E_UNEXPECTED;
    return properties_text(name, out);
}

HRESULT properties_of_copy(const struct copy_info *info, VSS_SNAPSHOT_PROP *prop)
{
    memset(prop, 0, sizeof *prop);
    prop->m_SnapshotId = info->id;
    prop->m_SnapshotSetId = info->set;
    prop->m_lSnapshotsCount = info->set_size;
    prop->m_ProviderId = copy_is_hardware(info) ? providers_hardware : providers_system;
    prop->m_lSnapshotAttributes = info->attributes;
    prop->m_tsCreationTimestamp = info->created;
    prop->m_eStatus = VSS_SS_CREATED;
    HRESULT hr = properties_text(info->device, &prop->m_pwszSnapshotDeviceObject);
    if (SUCCEEDED(hr))
        hr = properties_text(info->volume, &prop->m_pwszOriginalVolumeName);
    if (SUCCEEDED(hr))
        hr = machine_name(&prop->m_pwszOriginatingMachine);
    if (SUCCEEDED(hr))
        hr = machine_name(&prop->m_pwszServiceMachine);
    if (SUCCEEDED(hr) && info->exposed[0])
        hr = properties_text(info->exposed, &prop->m_pwszExposedName);
    if (SUCCEEDED(hr) && info->exposed_path[0])
        hr = properties_text(info->exposed_path, &prop->m_pwszExposedPath);
    if (FAILED(hr))
        properties_free_copy(prop);
    return hr;
}

HRESULT properties_of_provider(unsigned index, VSS_PROVIDER_PROP *prop)
{
    static const struct {
        const GUID *id;
        VSS_PROVIDER_TYPE type;
        const wchar_t *name, *version;
    } providers[] = {
        {&providers_system, VSS_PROV_SYSTEM, L"Microsoft Software Shadow Copy provider 1.0", L"1.0.0.7"},
        {&providers_hardware, VSS_PROV_HARDWARE, L"Simulated hardware provider", L"1.0"},
    };
    memset(prop, 0, sizeof *prop);
    prop->m_ProviderId = *providers[index].id;
    prop->m_eProviderType = providers[index].type;
    prop->m_ProviderVersionId = (GUID){0x53484457, 0x0001, 0x4000, {0x80, 0, 0, 0, 0, 0, 0, 7}};
    prop->m_ClassId = (GUID){0x53484457, 0x0002, 0x4000, {0x80, 0, 0, 0, 0, 0, 0, 7}};
    prop->m_ProviderVersionId.Data3 = prop->m_ClassId.Data3 = (unsigned short)(0x4000 + index);
    HRESULT hr = properties_text(providers[index].name, &prop->m_pwszProviderName);
    if (SUCCEEDED(hr))
        hr = properties_text(providers[index].version, &prop->m_pwszProviderVersion);
    if (FAILED(hr))
        properties_free_provider(prop);
    return hr;
}

static void give_back(VSS_PWSZ text)
{
    if (ownership_take(text, L"VssFreeSnapshotProperties of what is not, or no longer, the caller's"))
        CoTaskMemFree(text);
}

void properties_free_copy(VSS_SNAPSHOT_PROP *prop)
{
    give_back(prop->m_pwszSnapshotDeviceObject);
    give_back(prop->m_pwszOriginalVolumeName);
    give_back(prop->m_pwszOriginatingMachine);
    give_back(prop->m_pwszServiceMachine);
    give_back(prop->m_pwszExposedName);
    give_back(prop->m_pwszExposedPath);
    memset(prop, 0, sizeof *prop);
}

void properties_free_provider(VSS_PROVIDER_PROP *prop)
{
    CoTaskMemFree(prop->m_pwszProviderName);
    CoTaskMemFree(prop->m_pwszProviderVersion);
    memset(prop, 0, sizeof *prop);
}
