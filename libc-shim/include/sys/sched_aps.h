/* QNX's <sys/sched_aps.h>: adaptive partitions. Times in "cycles" are nanoseconds here. */
#ifndef _SYS_SCHED_APS_H
#define _SYS_SCHED_APS_H

#include <string.h>
#include <sys/neutrino.h>

#ifdef __cplusplus
extern "C" {
#endif

#define APS_SYSTEM_PARTITION_ID 0
#define APS_SYSTEM_PARTITION_NAME "System"
#define APS_MAX_PARTITIONS 8
#define APS_PARTITION_NAME_LENGTH 15
#define APS_INIT_DATA(data) memset((data), 0, sizeof *(data))

enum {
    SCHED_APS_QUERY_PARMS = 1,
    SCHED_APS_SET_PARMS,
    SCHED_APS_CREATE_PARTITION,
    SCHED_APS_MODIFY_PARTITION,
    SCHED_APS_JOIN_PARTITION,
    SCHED_APS_LOOKUP,
    SCHED_APS_QUERY_PARTITION,
    SCHED_APS_PARTITION_STATS,
    SCHED_APS_QUERY_THREAD,
    /* These answer ENOSYS. */
    SCHED_APS_QUERY_PROCESS,
    SCHED_APS_OVERALL_STATS,
    SCHED_APS_MARK_CRITICAL,
    SCHED_APS_CLEAR_CRITICAL,
    SCHED_APS_ADD_SECURITY,
    SCHED_APS_ATTACH_EVENTS,
};

#define APS_CREATE_FLAGS_USE_PARENT_ID 1

typedef struct {
    uint64_t cycles_per_ms, windowsize_cycles;
    uint32_t num_partitions, max_partitions;
} sched_aps_info;

typedef struct {
    int32_t windowsize_ms;
    int32_t reserved;
} sched_aps_parms;

typedef struct {
    const char *name;
    int32_t budget_percent, critical_budget_ms;
    int32_t parent_id;
    uint32_t aps_create_flags;
    int32_t id; /* set */
    int32_t reserved;
} sched_aps_create_parms;

typedef struct {
    int32_t id;
    int32_t new_budget_percent, new_critical_budget_ms;
} sched_aps_modify_parms;

/* A pid of 0 is the caller's process, a tid of 0 the calling thread, -1 whoever receives pulses. */
typedef struct {
    int32_t id;
    pid_t pid;
    int32_t tid;
} sched_aps_join_parms;

typedef struct {
    const char *name;
    int32_t id; /* set */
    int32_t reserved;
} sched_aps_lookup_parms;

typedef struct {
    int32_t id;
    int32_t parent_id, budget_percent, critical_budget_ms;
    uint64_t budget_cycles;
    char name[APS_PARTITION_NAME_LENGTH + 1];
} sched_aps_partition_info;

typedef struct {
    int32_t id;
    int32_t reserved;
    uint64_t run_time_cycles; /* in the last window */
    uint64_t total_cycles;    /* ever; not QNX's */
} sched_aps_partition_stats;

typedef struct {
    pid_t pid;
    int32_t tid;
    int32_t id, inherited_id; /* set */
} sched_aps_query_thread_parms;

#ifdef __cplusplus
}
#endif
#endif
