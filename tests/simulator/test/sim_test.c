/* Tests of the simulator as a program that loads it. */
#define INITGUID
#include "support.h"

#include <wchar.h>

int wmain(int argc, wchar_t **argv);
int wmain(int argc, wchar_t **argv)
{
    if (!machine_open()) {
        fputs("the test machine cannot be set up: see test/support.h\n", stderr);
        return 2;
    }
    if (argc == 3 && wcscmp(argv[1], L"--child") == 0)
        return child_main(argv[2]);
    static char pattern[100]; /* of the tests to run: * and ? */
    if (argc == 2 && snprintf(pattern, sizeof pattern, "%ls", argv[1]) > 0)
        cmocka_set_test_filter(pattern);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    int failed = run_abi_tests() + run_sequence_tests() + run_async_tests() + run_writer_tests() +
                 run_writer_state_tests() + run_hook_tests() + run_snapshot_tests() + run_machine_tests() +
                 run_component_tests() + run_restore_tests() + run_administration_tests() + run_slot_tests() +
                 run_accident_tests() + run_storage_tests() + run_hardware_tests() + run_revert_tests();
    if (!machine_close()) {
        fputs("the test's volumes cannot be removed\n", stderr);
        return 1;
    }
    return failed ? 1 : 0;
}
