#include "service/broker/broker.h"

enum {
    SECONDS = 1000,
    MINUTES = 60 * SECONDS,
    HOURS = 60 * MINUTES,
    DAYS = 24 * HOURS,
    KIB = 1024,
    MIB = 1024 * KIB
};

void broker_config_init(struct broker_config *config)
{
    *config = (struct broker_config){
        .server_version = "",
        .os_build = "",
        .vss_library = "",
        .max_connections = 256,
        .max_connections_per_owner = 64,
        .reserved_connections = 4,
        .max_sets = 16,
        .max_shared_volumes = 8,
        .max_queue = 256,
        .max_in_flight = 16,
        .max_client_accessible = 64,
        .output_soft_limit_bytes = 256 * KIB,
        .output_hard_limit_bytes = 32 * MIB,
        .handshake_timeout_ms = 5 * SECONDS,
        .frame_timeout_ms = 30 * SECONDS,
        .default_timeout_ms = 30 * MINUTES,
        .max_timeout_ms = 24 * HOURS,
        .requester_start_ms = 30 * SECONDS,
        .gather_ms = 300 * SECONDS,
        .call_ms = 60 * SECONDS,
        .prepare_ms = 300 * SECONDS,
        .create_ms = 600 * SECONDS,
        .status_ms = 120 * SECONDS,
        .complete_ms = 300 * SECONDS,
        .abort_ms = 60 * SECONDS,
        .release_ms = 240 * SECONDS,
        .cancel_grace_ms = 10 * SECONDS,
        .gate_hold_ms = 10 * MINUTES,
        .hold_point_ms = 30 * SECONDS,
        .gate_idle_ms = 30 * SECONDS,
        .in_progress_retry_ms = 1 * SECONDS,
        .retry_later_ms = 10 * MINUTES,
        .max_retries_later = 3,
        .freeze_pause_ms = 60 * SECONDS,
        .complete_within_ms = 60 * MINUTES,
        .lease_ttl_ms = 20 * MINUTES,
        .lease_check_ms = 20 * SECONDS,
        .max_lease_ttl_ms = 7 * DAYS,
        .cache_ms = 5 * SECONDS,
        .orphan_grace_ms = 10 * MINUTES,
        .stop_create_ms = 75 * SECONDS,
        .stop_all_ms = 180 * SECONDS,
    };
}
