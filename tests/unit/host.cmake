# The host's modules, one program each. They use Windows, so they are .exe files only.
if(NOT TARGET shadowpipe_host)
  return()
endif()
set(host_child_wrap calloc)
set(host_host_wrap broker_start broker_stop listener_stop)
set(host_log_wrap eventlog_write)
set(host_metrics_wrap log_write)
set(host_scm_wrap eventlog_write host_create host_free host_request_stop host_run host_start image_set_aside image_sweep
                  loop_now_ms text_of_error)
foreach(module
    access
    caller
    child
    config
    eventlog
    helper
    host
    image
    listener
    log
    loop
    metrics
    peer
    scm
    store
)
  shadowpipe_add_unit_test(host_${module} SOURCES host_${module}.c LIBRARIES shadowpipe_host
                           WRAP ${host_${module}_wrap})
endforeach()
