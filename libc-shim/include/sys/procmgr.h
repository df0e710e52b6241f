/* The process manager's services for servers (QNX: <sys/procmgr.h>). What has no arguments declared
 * answers ENOSYS. */
#ifndef _NEUTRINO_SYS_PROCMGR_H
#define _NEUTRINO_SYS_PROCMGR_H
#include <sys/neutrino.h>

#define PROCMGR_DAEMON_NOCHDIR 1
#define PROCMGR_DAEMON_NOCLOSE 2
#define PROCMGR_DAEMON_NODEVNULL 4
#define PROCMGR_DAEMON_KEEPUMASK 8

#define PROCMGR_EVENT_SYNC 1
#define PROCMGR_EVENT_SYSCONF 2
#define PROCMGR_EVENT_CONFSTR 4
#define PROCMGR_EVENT_DAEMON_DEATH 8
#define PROCMGR_EVENT_PATHSPACE 16
#define PROCMGR_EVENT_PROCESS_DEATH 32
#define PROCMGR_EVENT_PROCESS_CREATE 64

#define PROCMGR_AID_EOL 0
#define PROCMGR_AID_PATHSPACE 1
#define PROCMGR_AID_PUBLIC_CHANNEL 2
#define PROCMGR_AID_INTERRUPT 3
#define PROCMGR_AID_IO 4
#define PROCMGR_AID_PRIORITY 5
#define PROCMGR_AID_SETUID 6
#define PROCMGR_AID_SPAWN 7
#define PROCMGR_AOP_DENY 0x10000
#define PROCMGR_AOP_ALLOW 0x20000
#define PROCMGR_AOP_SUBRANGE 0x40000
#define PROCMGR_AOP_LOCK 0x80000
#define PROCMGR_ADN_ROOT 0x100000
#define PROCMGR_ADN_NONROOT 0x200000

#ifdef __cplusplus
extern "C" {
#endif
int procmgr_daemon(int status, unsigned flags);
int procmgr_ability(pid_t, unsigned ability, ...);
#if !defined __cplusplus && (!defined __STDC_VERSION__ || __STDC_VERSION__ < 202311L)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
long procmgr_ability_create();
long procmgr_ability_lookup();
long procmgr_event_notify();
long procmgr_event_notify_add();
long procmgr_event_notify_delete();
long procmgr_event_trigger();
long procmgr_guardian();
long procmgr_session();
long procmgr_timer_tolerance();
#pragma GCC diagnostic pop
#endif
#ifdef __cplusplus
}
#endif
#endif
