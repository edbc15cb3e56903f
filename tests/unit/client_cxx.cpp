// The public header as C++ sees it, and every function that it declares, from the DLL.
#include <cstdio>
#include <cstring>

#include "client/lib/shadowpipe.h"

typedef void (*function)();

static const function functions[] = {
#define F(name) reinterpret_cast<function>(name)
    F(sp_version),
    F(sp_error_free),
    F(sp_connect),
    F(sp_close),
    F(sp_get_server),
    F(sp_wait_closed),
    F(sp_cancel_create),
    F(sp_cancel_now),
    F(sp_cancel_free),
    F(sp_create_snapshot),
    F(sp_snapshot_free),
    F(sp_check_snapshot),
    F(sp_attach_snapshot),
    F(sp_finish),
    F(sp_finish_backup),
    F(sp_finished_free),
    F(sp_list_leases),
    F(sp_leases_free),
    F(sp_attach_lease),
    F(sp_renew_lease),
    F(sp_watch_lease),
    F(sp_list_components),
    F(sp_list_snapshots),
    F(sp_stored_snapshots_free),
    F(sp_delete_snapshots),
    F(sp_deleted_free),
    F(sp_expose_snapshot),
    F(sp_unexpose_snapshot),
    F(sp_break_set),
    F(sp_import_set),
    F(sp_revert_volume),
    F(sp_list_volumes),
    F(sp_volumes_free),
    F(sp_list_writers),
    F(sp_writers_free),
    F(sp_list_providers),
    F(sp_providers_free),
    F(sp_read_document),
    F(sp_document_free),
    F(sp_put_document),
    F(sp_string_free),
    F(sp_call_start),
    F(sp_call_wait),
    F(sp_call_free),
#undef F
};

int main()
{
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        if (!functions[i]) {
            std::printf("function %u is missing\n", static_cast<unsigned>(i));
            return 1;
        }
    }
    return std::strcmp(sp_version(), SP_VERSION) == 0 ? 0 : 1;
}
