/*
 * Private to lib/hook: which services are left alone for the moment.
 */
#ifndef LIB_HOOK_GATE_H
#define LIB_HOOK_GATE_H

#include "lib/hook/hook.h"

/* May it be asked now?  ERR_BUSY while it is left alone. */
int hook_gate_enter(struct hook_gate *, enum hook_kind);
void hook_gate_leave(struct hook_gate *, enum hook_kind, bool answered);

#endif
