/* How a program outside of the simulator takes part in a snapshot as a writer. Shared by the engine and the
 * program. The scenario names it: "[writer:Ledger]" with "hook=NAME". The program (the participant) creates,
 * before it reports that it is ready, the four objects below and waits for the request event; the engine only
 * opens them, so a program that is not running is a writer that is not installed: it does not answer
 * Identify.
 *
 * For each event the engine takes the turn mutex, writes phase, adds 1 to sequence and sets the request
 * event. The participant does what the phase asks, writes result, copies sequence to answered, and sets the
 * answer event. HOOK_FREEZE: bring the files into agreement, write nothing from now on, then answer.
 * HOOK_THAW and HOOK_ABORT: go on. A participant thaws by itself after freeze_limit_ms, and then answers
 * HOOK_THAW with VSS_E_WRITERERROR_TIMEOUT. All names are in the Global namespace: on Windows the engine may
 * live in a service, the participant in a session. */
#pragma once
#include <windows.h>

#define HOOK_MAPPING  L"Global\\ShadowSim-%ls"
#define HOOK_REQUEST  L"Global\\ShadowSim-%ls-request"
#define HOOK_ANSWER   L"Global\\ShadowSim-%ls-answer"
#define HOOK_TURN     L"Global\\ShadowSim-%ls-turn"
#define HOOK_STOP     L"Global\\ShadowSim-%ls-stop" /* an event: ends the participant */
#define HOOK_NAME_MAX 60

enum hook_phase {
    HOOK_PREPARE_SNAPSHOT = 1,
    HOOK_FREEZE = 2,
    HOOK_THAW = 3,
    HOOK_POST_SNAPSHOT = 4,
    HOOK_ABORT = 5
};

struct hook_block {
    DWORD size; /* sizeof(struct hook_block), to notice two builds that do not fit */
    DWORD participant_pid;
    DWORD freeze_limit_ms; /* written by the engine before HOOK_FREEZE */
    LONG phase;
    LONG sequence;
    LONG answered;
    HRESULT result; /* S_OK, or the VSS_E_WRITERERROR_... by which the writer fails at this phase */
};
