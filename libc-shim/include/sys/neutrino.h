/*
 * QNX's kernel calls (QNX: <sys/neutrino.h>).
 *
 * Names, arguments and members are QNX's; error, signal and clock numbers are Linux's, as in the
 * whole system. Calls without a declaration of their arguments answer ENOSYS.
 */
#ifndef _NEUTRINO_SYS_NEUTRINO_H
#define _NEUTRINO_SYS_NEUTRINO_H

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/iomsg.h>
#include <sys/netmgr.h>
#include <sys/states.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef EOK
#define EOK 0
#endif

typedef struct iovec iov_t;
typedef int rcvid_t;

#define SETIOV(iov, base, length) \
    ((iov)->iov_base = (void *)(base), (iov)->iov_len = (length))
#define SETIOV_CONST SETIOV
#define GETIOVBASE(iov) ((iov)->iov_base)
#define GETIOVLEN(iov) ((iov)->iov_len)

/* Channels. */
#define _NTO_CHF_FIXED_PRIORITY 0x0001
#define _NTO_CHF_UNBLOCK 0x0002
#define _NTO_CHF_THREAD_DEATH 0x0004
#define _NTO_CHF_DISCONNECT 0x0008
#define _NTO_CHF_SENDER_LEN 0x0020
#define _NTO_CHF_COID_DISCONNECT 0x0040
#define _NTO_CHF_REPLY_LEN 0x0080
#define _NTO_CHF_PRIVATE 0x1000

/* Connections. */
#define _NTO_SIDE_CHANNEL 0x40000000
#define _NTO_CONNECTION_SCOID 0x10000
#define _NTO_COF_CLOEXEC 0x0001
#define _NTO_COF_DEAD 0x0002
#define _NTO_COF_NOSHARE 0x0040
#define _NTO_COF_NOEVENT 0x0800
#define SYSMGR_PID 1
#define SYSMGR_CHID 1
#define SYSMGR_COID _NTO_SIDE_CHANNEL

/* Messages. */
#define _NTO_MI_ENDIAN_BIG 0x0001
#define _NTO_MI_ENDIAN_DIFF 0x0002
#define _NTO_MI_UNBLOCK_REQ 0x0100
#define _NTO_MI_BITS_64 0x1000

struct _msg_info {
    uint32_t nd;
    uint32_t srcnd;
    pid_t pid;
    int32_t tid;
    int32_t chid;
    int32_t scoid;
    int32_t coid;
    int16_t priority;
    int16_t flags;
    ssize_t msglen;
    ssize_t srcmsglen;
    ssize_t dstmsglen;
    uint32_t type_id;
    uint32_t reserved;
};
#define _server_info _msg_info

struct _cred_info {
    uid_t ruid, euid, suid;
    gid_t rgid, egid, sgid;
    uint32_t ngroups;
    gid_t grouplist[8];
};

struct _client_info {
    uint32_t nd;
    pid_t pid;
    pid_t sid;
    uint32_t flags;
    struct _cred_info cred;
};

struct _client_able {
    uint32_t ability;
    uint32_t flags;
    uint64_t range_lo;
    uint64_t range_hi;
};

#define _NTO_CI_UNABLE 0x100
#define _NTO_CLIENTINFO_GETGROUPS 1
#define _NTO_CLIENTINFO_GETTYPEID 2

/* Pulses. */
struct _pulse {
    uint16_t type;
    uint16_t subtype;
    int8_t code;
    uint8_t zero[3];
    union sigval value;
    int32_t scoid;
};

#define _PULSE_TYPE 0
#define _PULSE_SUBTYPE 0
#define _PULSE_CODE_UNBLOCK (-32)
#define _PULSE_CODE_DISCONNECT (-33)
#define _PULSE_CODE_THREADDEATH (-34)
#define _PULSE_CODE_COIDDEATH (-35)
#define _PULSE_CODE_MINAVAIL 0
#define _PULSE_CODE_MAXAVAIL 127

/* Time-outs. */
#define _NTO_TIMEOUT_SEND (1 << STATE_SEND)
#define _NTO_TIMEOUT_RECEIVE (1 << STATE_RECEIVE)
#define _NTO_TIMEOUT_REPLY (1 << STATE_REPLY)
#define _NTO_TIMEOUT_SIGSUSPEND (1 << STATE_SIGSUSPEND)
#define _NTO_TIMEOUT_SIGWAITINFO (1 << STATE_SIGWAITINFO)
#define _NTO_TIMEOUT_NANOSLEEP (1 << STATE_NANOSLEEP)
#define _NTO_TIMEOUT_MUTEX (1 << STATE_MUTEX)
#define _NTO_TIMEOUT_CONDVAR (1 << STATE_CONDVAR)
#define _NTO_TIMEOUT_JOIN (1 << STATE_JOIN)
#define _NTO_TIMEOUT_INTR (1 << STATE_INTR)
#define _NTO_TIMEOUT_SEM (1 << STATE_SEM)
#define _NTO_TIMEOUT_ACTIVE (1 << STATE_MAX)

#define TIMER_PRECISE 0x40000

struct _itimer {
    uint64_t nsec;
    uint64_t interval_nsec;
};

struct _timer_info {
    struct _itimer itime;
    struct _itimer otime;
    uint32_t flags;
    int32_t tid;
    uint32_t notify;
    clockid_t clockid;
    uint32_t overruns;
    uint32_t zero;
};

#define _NTO_TI_ACTIVE 1
#define _NTO_TIMER_SEARCH 1

struct _clockperiod {
    uint32_t nsec;
    int32_t fract;
};

struct _clockadjust {
    uint32_t tick_count;
    int32_t tick_nsec_inc;
};

/* Scheduling. */
struct _sched_info {
    int priority_min;
    int priority_max;
    uint64_t interval;
    int priority_priv;
};

/* Threads. */
struct _thread_attr {
    int __flags;
    size_t __stacksize;
    void *__stackaddr;
    void (*__exitfunc)(void *);
    int __policy;
    struct sched_param __param;
    unsigned __guardsize;
    unsigned __prealloc;
    int __spare[2];
};

/* In __flags. */
#define _NTO_THREAD_DETACHED 1
#define _NTO_THREAD_EXPLICIT_SCHED 2

#define _NTO_TCTL_IO_PRIV 1
#define _NTO_TCTL_THREADS_HOLD 2
#define _NTO_TCTL_THREADS_CONT 3
#define _NTO_TCTL_RUNMASK 4
#define _NTO_TCTL_ALIGN_FAULT 5
#define _NTO_TCTL_RUNMASK_GET_AND_SET 6
#define _NTO_TCTL_ONE_THREAD_HOLD 8
#define _NTO_TCTL_ONE_THREAD_CONT 9
#define _NTO_TCTL_RUNMASK_GET_AND_SET_INHERIT 10
#define _NTO_TCTL_NAME 11
#define _NTO_TCTL_IO 14
#define _NTO_TCTL_ADD_EXIT_EVENT 17
#define _NTO_TCTL_DEL_EXIT_EVENT 18
#define _NTO_TCTL_IO_LEVEL 19
#define _NTO_THREAD_NAME_MAX 16

struct _thread_name {
    int new_name_len;
    int name_buf_len;
    char name_buf[];
};

/* Synchronization. All zeros is a free mutex with inheritance. */
typedef struct _sync {
    uint32_t __word;
    uint32_t __kind;
    uint32_t __count;
    uint32_t __ceiling;
    uint64_t __next;
    uint32_t __policy;
    uint32_t __base;
} sync_t;

#define _NTO_SYNC_MUTEX_FREE 0
#define _NTO_SYNC_SEM 1
#define _NTO_SYNC_COND 2

struct _sync_attr {
    int __protocol; /* PTHREAD_PRIO_* */
    int __flags;    /* _NTO_SYNC_SHARED, _NTO_SYNC_RECURSIVE, _NTO_SYNC_ROBUST */
    int __prioceiling;
    int __clockid;
    int __count;
    int __reserved[3];
};

#define _NTO_SYNC_SHARED 1
#define _NTO_SYNC_RECURSIVE 2
#define _NTO_SYNC_ROBUST 4

#define _NTO_SCTL_SETPRIOCEILING 1
#define _NTO_SCTL_GETPRIOCEILING 2
#define _NTO_SCTL_SETEVENT 3
#define _NTO_SCTL_MUTEX_WAKEUP 4
#define _NTO_SCTL_MUTEX_CONSISTENT 5
#define _NTO_SCTL_SEM_VALUE 6

/* Interrupts. */
#define _NTO_INTR_FLAGS_END 1
#define _NTO_INTR_FLAGS_NO_UNMASK 2
#define _NTO_INTR_FLAGS_PROCESS 4
#define _NTO_INTR_FLAGS_TRK_MSK 8

/* X, which sets errno, and X_r, which returns the error. */
#define __NEUTRINO_CALL(type, name, ...) type name(__VA_ARGS__); type name##_r(__VA_ARGS__)
#define __NEUTRINO_REFUSED(name) long name()

__NEUTRINO_CALL(int, ChannelCreate, unsigned);
__NEUTRINO_CALL(int, ChannelDestroy, int);

__NEUTRINO_CALL(int, ConnectAttach, uint32_t, pid_t, int, unsigned, int);
__NEUTRINO_CALL(int, ConnectDetach, int);
__NEUTRINO_CALL(int, ConnectFlags, pid_t, int, unsigned, unsigned);
__NEUTRINO_CALL(int, ConnectServerInfo, pid_t, int, struct _server_info *);
__NEUTRINO_CALL(int, ConnectClientInfo, int, struct _client_info *, int);
__NEUTRINO_CALL(int, ConnectClientInfoExt, int, struct _client_info **, int);
int ConnectClientInfoAble(int, struct _client_info **, int, struct _client_able *, int);
int ClientInfoExtFree(struct _client_info **);

__NEUTRINO_CALL(long, MsgSend, int, const void *, size_t, void *, size_t);
__NEUTRINO_CALL(long, MsgSendnc, int, const void *, size_t, void *, size_t);
__NEUTRINO_CALL(long, MsgSendv, int, const iov_t *, size_t, const iov_t *, size_t);
__NEUTRINO_CALL(long, MsgSendvnc, int, const iov_t *, size_t, const iov_t *, size_t);
__NEUTRINO_CALL(long, MsgSendsv, int, const void *, size_t, const iov_t *, size_t);
__NEUTRINO_CALL(long, MsgSendsvnc, int, const void *, size_t, const iov_t *, size_t);
__NEUTRINO_CALL(long, MsgSendvs, int, const iov_t *, size_t, void *, size_t);
__NEUTRINO_CALL(long, MsgSendvsnc, int, const iov_t *, size_t, void *, size_t);
__NEUTRINO_CALL(int, MsgSendPulse, int, int, int, int);
__NEUTRINO_CALL(int, MsgSendPulsePtr, int, int, int, void *);

__NEUTRINO_CALL(int, MsgReceive, int, void *, size_t, struct _msg_info *);
__NEUTRINO_CALL(int, MsgReceivev, int, const iov_t *, size_t, struct _msg_info *);
__NEUTRINO_CALL(int, MsgReceivePulse, int, void *, size_t, struct _msg_info *);
__NEUTRINO_CALL(int, MsgReply, int, long, const void *, size_t);
__NEUTRINO_CALL(int, MsgReplyv, int, long, const iov_t *, size_t);
__NEUTRINO_CALL(int, MsgError, int, int);
__NEUTRINO_CALL(ssize_t, MsgRead, int, void *, size_t, size_t);
__NEUTRINO_CALL(ssize_t, MsgReadv, int, const iov_t *, size_t, size_t);
__NEUTRINO_CALL(ssize_t, MsgWrite, int, const void *, size_t, size_t);
__NEUTRINO_CALL(ssize_t, MsgWritev, int, const iov_t *, size_t, size_t);
__NEUTRINO_CALL(int, MsgInfo, int, struct _msg_info *);
__NEUTRINO_CALL(int, MsgCurrent, int);
__NEUTRINO_CALL(int, MsgDeliverEvent, int, const struct sigevent *);
__NEUTRINO_CALL(int, MsgVerifyEvent, int, const struct sigevent *);

__NEUTRINO_CALL(int, SignalKill, uint32_t, pid_t, int, int, int, int);
__NEUTRINO_CALL(int, SignalKillSigval, uint32_t, pid_t, int, int, int, const union sigval *);
__NEUTRINO_CALL(int, SignalAction, pid_t, void (*)(void), int, const struct sigaction *, struct sigaction *);
__NEUTRINO_CALL(int, SignalProcmask, pid_t, int, int, const sigset_t *, sigset_t *);
__NEUTRINO_CALL(int, SignalSuspend, const sigset_t *);
__NEUTRINO_CALL(int, SignalWaitinfo, const sigset_t *, siginfo_t *);

__NEUTRINO_CALL(int, ThreadCreate, pid_t, void *(*)(void *), void *, const struct _thread_attr *);
__NEUTRINO_CALL(int, ThreadDestroy, int, int, void *);
__NEUTRINO_CALL(int, ThreadDetach, int);
__NEUTRINO_CALL(int, ThreadJoin, int, void **);
__NEUTRINO_CALL(int, ThreadCancel, int, void (*)(void));
__NEUTRINO_CALL(int, ThreadCtl, int, void *);

__NEUTRINO_CALL(int, SchedGet, pid_t, int, struct sched_param *);
__NEUTRINO_CALL(int, SchedSet, pid_t, int, int, const struct sched_param *);
__NEUTRINO_CALL(int, SchedInfo, pid_t, int, struct _sched_info *);
__NEUTRINO_CALL(int, SchedYield, void);
__NEUTRINO_CALL(int, SchedCtl, int, void *, int);
int SchedGetCpuNum(void);

__NEUTRINO_CALL(int, SyncTypeCreate, unsigned, sync_t *, const struct _sync_attr *);
__NEUTRINO_CALL(int, SyncDestroy, sync_t *);
__NEUTRINO_CALL(int, SyncCtl, int, sync_t *, void *);
__NEUTRINO_CALL(int, SyncMutexLock, sync_t *);
__NEUTRINO_CALL(int, SyncMutexUnlock, sync_t *);
__NEUTRINO_CALL(int, SyncCondvarWait, sync_t *, sync_t *);
__NEUTRINO_CALL(int, SyncCondvarSignal, sync_t *, int);
__NEUTRINO_CALL(int, SyncSemPost, sync_t *);
__NEUTRINO_CALL(int, SyncSemWait, sync_t *, int);

__NEUTRINO_CALL(int, ClockTime, clockid_t, const uint64_t *, uint64_t *);
__NEUTRINO_CALL(int, ClockPeriod, clockid_t, const struct _clockperiod *, struct _clockperiod *, int);
__NEUTRINO_CALL(int, ClockId, pid_t, int);
uint64_t ClockCycles(void);

__NEUTRINO_CALL(int, TimerCreate, clockid_t, const struct sigevent *);
__NEUTRINO_CALL(int, TimerDestroy, int);
__NEUTRINO_CALL(int, TimerSettime, int, int, const struct _itimer *, struct _itimer *);
__NEUTRINO_CALL(int, TimerInfo, pid_t, int, int, struct _timer_info *);
__NEUTRINO_CALL(int, TimerAlarm, clockid_t, const struct _itimer *, struct _itimer *);
__NEUTRINO_CALL(int, TimerTimeout, clockid_t, int, const struct sigevent *, const uint64_t *, uint64_t *);
__NEUTRINO_CALL(int, timer_timeout, clockid_t, int, const struct sigevent *, const struct timespec *, struct timespec *);

__NEUTRINO_CALL(int, InterruptAttachEvent, int, const struct sigevent *, unsigned);
__NEUTRINO_CALL(int, InterruptAttachThread, int, unsigned);
__NEUTRINO_CALL(int, InterruptDetach, int);
__NEUTRINO_CALL(int, InterruptWait, int, const uint64_t *);
int InterruptMask(int, int);
int InterruptUnmask(int, int);

#if !defined __cplusplus && (!defined __STDC_VERSION__ || __STDC_VERSION__ < 202311L)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
__NEUTRINO_REFUSED(ChannelConnectAttr);
__NEUTRINO_REFUSED(ChannelCreateExt);
__NEUTRINO_REFUSED(ChannelCreatePulsePool);
__NEUTRINO_REFUSED(ClockAdjust);
__NEUTRINO_REFUSED(ConnectAttachExt);
__NEUTRINO_REFUSED(ConnectClientInfoExtraArgs);
__NEUTRINO_REFUSED(InterruptAttach);
__NEUTRINO_REFUSED(InterruptAttachArray);
__NEUTRINO_REFUSED(InterruptAttachEventPriority);
__NEUTRINO_REFUSED(InterruptCharacteristic);
__NEUTRINO_REFUSED(InterruptHookIdle);
__NEUTRINO_REFUSED(InterruptHookIdle2);
__NEUTRINO_REFUSED(InterruptHookOverdriveEvent);
__NEUTRINO_REFUSED(InterruptHookTrace);
__NEUTRINO_REFUSED(MsgKeyData);
__NEUTRINO_REFUSED(MsgPause);
__NEUTRINO_REFUSED(MsgQueueOpen);
__NEUTRINO_REFUSED(MsgQueueReceive);
__NEUTRINO_REFUSED(MsgQueueSend);
__NEUTRINO_REFUSED(MsgReadiov);
__NEUTRINO_REFUSED(MsgReceiveAsync);
__NEUTRINO_REFUSED(MsgReceiveAsyncGbl);
__NEUTRINO_REFUSED(MsgReceivePulsev);
__NEUTRINO_REFUSED(MsgRegisterEvent);
__NEUTRINO_REFUSED(MsgSendAsync);
__NEUTRINO_REFUSED(MsgSendAsyncGbl);
__NEUTRINO_REFUSED(MsgUnregisterEvent);
__NEUTRINO_REFUSED(SchedJobCreate);
__NEUTRINO_REFUSED(SchedJobDestroy);
__NEUTRINO_REFUSED(SchedWaypoint);
__NEUTRINO_REFUSED(SignalFault);
__NEUTRINO_REFUSED(SignalWaitinfoMask);
__NEUTRINO_REFUSED(SyncMutexEvent);
__NEUTRINO_REFUSED(SyncMutexRevive);
__NEUTRINO_REFUSED(ThreadCtlExt);
__NEUTRINO_REFUSED(TraceEvent);
#pragma GCC diagnostic pop
#endif

#undef __NEUTRINO_CALL
#undef __NEUTRINO_REFUSED

#ifdef __cplusplus
}
#endif
#endif
