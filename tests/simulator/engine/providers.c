#include "providers.h"

#include <vsserror.h>

const GUID providers_system = {0xb5946137, 0x7b9f, 0x4925, {0xaf, 0x80, 0x51, 0xab, 0xd6, 0x0b, 0x20, 0xd5}};
const GUID providers_hardware = {0x53484457, 0x0003, 0x4000, {0x80, 0, 0, 0, 0, 0, 0, 7}};

BOOL providers_have_hardware(const struct scenario *scenario)
{
    return scenario_number(scenario, L"machine", L"hardware_provider", 0) != 0;
}

static BOOL is_on_hardware(const struct scenario *scenario, const struct volume *volume)
{
    const wchar_t *volumes = scenario_string(scenario, L"volumes", L"hardware", NULL);
    return providers_have_hardware(scenario) &&
           (!volumes || scenario_lists(volumes, volume->root) || scenario_lists(volumes, volume->name));
}

HRESULT providers_choose(const struct scenario *scenario, const struct volume *volume, const GUID *provider,
                         LONG context, BOOL *hardware)
{
    const LONG hardware_only = VSS_VOLSNAP_ATTR_TRANSPORTABLE | VSS_VOLSNAP_ATTR_PLEX;
    BOOL any = IsEqualGUID(provider, &GUID_NULL);
    BOOL by_hardware = is_on_hardware(scenario, volume), by_system = TRUE;
    *hardware = IsEqualGUID(provider, &providers_hardware);
    if (!any && !IsEqualGUID(provider, &providers_system) &&
        !(*hardware && providers_have_hardware(scenario)))
        return VSS_E_PROVIDER_NOT_REGISTERED;
    if (context != (LONG)VSS_CTX_ALL) {
        by_system = !(context & hardware_only);
        by_hardware = by_hardware && !(context & VSS_VOLSNAP_ATTR_CLIENT_ACCESSIBLE);
    }
    if (any)
        *hardware = by_hardware;
    if (volume_is_supported(scenario, volume) && (*hardware ? by_hardware : by_system))
        return S_OK;
    return any ? VSS_E_VOLUME_NOT_SUPPORTED : VSS_E_VOLUME_NOT_SUPPORTED_BY_PROVIDER;
}

BOOL copy_is_hardware(const struct copy_info *info)
{
    return (info->attributes & VSS_VOLSNAP_ATTR_HARDWARE_ASSISTED) != 0;
}
