/* musl's <sched.h>, with QNX's member of struct sched_param over a reserved one. */
#include_next <sched.h>

#ifndef _NEUTRINO_SCHED_H
#define _NEUTRINO_SCHED_H
#define sched_curpriority __reserved1
#endif
