/* The scenario: what goes wrong, and how slowly, in the simulated machine. An INI file named by
 * SHADOWSIM_SCENARIO, else <store>\scenario.ini; no file means that all goes well. docs/simulator.md lists
 * sections and keys. It is read afresh for each VSS object, and then never changes; sessions and writer lists
 * share it by reference. */
#pragma once
#include <windows.h>

struct scenario;

/* Never fails for what the file says: unknown sections and keys are named in events.log and left out of
 * account. */
HRESULT scenario_load(struct scenario **scenario);
struct scenario *scenario_hold(struct scenario *scenario);
void scenario_drop(struct scenario *scenario);

/* Strings live as long as the scenario. */
const wchar_t *scenario_string(const struct scenario *scenario, const wchar_t *section, const wchar_t *key,
                               const wchar_t *otherwise);
unsigned long scenario_number(const struct scenario *scenario, const wchar_t *section, const wchar_t *key,
                              unsigned long otherwise);
/* Another number after each change of the file. */
unsigned long long scenario_stamp(const struct scenario *scenario);
BOOL scenario_has(const struct scenario *scenario, const wchar_t *section);

/* What stands behind a prefix ("writer:", "component:") in section names, by index, in the file's order; NULL
 * past the last. */
const wchar_t *scenario_section(const struct scenario *scenario, const wchar_t *prefix, unsigned index);

/* Is the item in a list whose members are separated by ';'? Case does not matter. */
BOOL scenario_lists(const wchar_t *list, const wchar_t *item);

/* What [method:NAME] wants of the call that is being made now. */
struct fault {
    HRESULT result;       /* of the call; S_OK: none */
    HRESULT async_result; /* by QueryStatus; S_OK: none */
    unsigned long delay_ms;
    const wchar_t *hold; /* a file, as long as which exists the call is held; NULL: none */
    enum {
        FAULT_EXIT_NONE,
        FAULT_EXIT_CALL,
        FAULT_EXIT_ASYNC
    } exit;
};
struct fault scenario_fault(const struct scenario *scenario, const wchar_t *method);
