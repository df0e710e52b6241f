/* musl's <sched.h>, with QNX's members of struct sched_param over reserved ones (musl keeps two times
   and room for two numbers there, as POSIX has it), and the policy that they belong to. */
#ifndef _NEUTRINO_SCHED_H
#define _NEUTRINO_SCHED_H
#define __reserved1 tv_sec
#define __reserved2 tv_nsec
#define __reserved3 sched_ss_low_priority, sched_ss_max_repl
#include_next <sched.h>
#undef __reserved1
#undef __reserved2
#undef __reserved3

#define sched_curpriority tv_sec
#define sched_ss_repl_period tv_nsec[0]
#define sched_ss_init_budget tv_nsec[1]

#define SCHED_SPORADIC 4
#define SS_REPL_MAX 16
#else
#include_next <sched.h>
#endif
