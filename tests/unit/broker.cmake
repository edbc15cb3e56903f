# Tests of the broker: programs over a harness with virtual time, a host, clients and requesters.
add_library(broker_harness STATIC broker_harness.c broker_fakes.c broker_store.c existing.c fake_components.c vss_answers.c)
target_link_libraries(broker_harness PUBLIC shadowpipe_broker shadowpipe_proto cmocka::cmocka)
foreach(name IN ITEMS
    broker_administration
    broker_adoption
    broker_components
    broker_attach
    broker_checks
    broker_deletion
    broker_documents
    broker_faults
    broker_hold_points
    broker_jobs
    broker_leases
    broker_lease_watch
    broker_lane
    broker_lists
    broker_number_limits
    broker_persistent
    broker_queue
    broker_rights
    broker_sessions
    broker_snapshots
    broker_time_limits
    broker_sharing
    broker_volumes
    broker_warm
    broker_watch
    broker_wire
    )
  shadowpipe_add_unit_test(${name} SOURCES ${name}.c LIBRARIES broker_harness)
endforeach()
foreach(name IN ITEMS broker_memory broker_operation_memory)
  shadowpipe_add_unit_test(${name} SOURCES ${name}.c LIBRARIES broker_harness WRAP malloc calloc realloc)
endforeach()
