/* Adaptive partitions. */
#include "qnx.h"
#include <sys/sched_aps.h>

#define DO(command, data) SchedCtl(command, (data), sizeof *(data))

static int create(const char *name, int percent)
{
    sched_aps_create_parms parms;
    APS_INIT_DATA(&parms);
    parms.name = name;
    parms.budget_percent = percent;
    CHECK(DO(SCHED_APS_CREATE_PARTITION, &parms) == 0);
    return parms.id;
}

static void partitions_are_made_found_and_changed(void)
{
    sched_aps_info info;
    CHECK(DO(SCHED_APS_QUERY_PARMS, &info) == 0);
    unsigned before = info.num_partitions;
    CHECK(info.max_partitions == APS_MAX_PARTITIONS && info.cycles_per_ms == 1000000);
    CHECK(info.windowsize_cycles == 100 * info.cycles_per_ms);
    int id = create("made", 20);
    CHECK(DO(SCHED_APS_QUERY_PARMS, &info) == 0 && info.num_partitions == before + 1);
    sched_aps_lookup_parms lookup = { .name = "made" };
    CHECK(DO(SCHED_APS_LOOKUP, &lookup) == 0 && lookup.id == id);
    lookup.name = "none";
    CHECK_BOTH(SchedCtl, EINVAL, SCHED_APS_LOOKUP, &lookup, sizeof lookup);
    sched_aps_modify_parms modify = { .id = id, .new_budget_percent = 30 };
    CHECK(DO(SCHED_APS_MODIFY_PARTITION, &modify) == 0);
    modify.new_budget_percent = 101;
    CHECK_BOTH(SchedCtl, EDOM, SCHED_APS_MODIFY_PARTITION, &modify, sizeof modify);
    sched_aps_partition_info partition = { .id = id };
    CHECK(DO(SCHED_APS_QUERY_PARTITION, &partition) == 0);
    CHECK(partition.budget_percent == 30 && partition.parent_id == 0);
    CHECK(strcmp(partition.name, "made") == 0);
    sched_aps_create_parms again = { .name = "made", .budget_percent = 1 };
    CHECK_BOTH(SchedCtl, EEXIST, SCHED_APS_CREATE_PARTITION, &again, sizeof again);
    again.name = "a name that is too long";
    CHECK_BOTH(SchedCtl, EINVAL, SCHED_APS_CREATE_PARTITION, &again, sizeof again);
    again.name = WILD;
    CHECK_BOTH(SchedCtl, EFAULT, SCHED_APS_CREATE_PARTITION, &again, sizeof again);
    CHECK_BOTH(SchedCtl, EINVAL, SCHED_APS_CREATE_PARTITION, &again, 4);
    CHECK_BOTH(SchedCtl, EFAULT, SCHED_APS_QUERY_PARMS, WILD, sizeof info);
    CHECK_BOTH(SchedCtl, ENOSYS, SCHED_APS_MARK_CRITICAL, NULL, 0);
    CHECK_BOTH(SchedCtl, EINVAL, 0, NULL, 0);
    CHECK_BOTH(SchedCtl, EINVAL, 99, NULL, 0);
}

static void children_are_in_the_partition_of_their_parent(void)
{
    int id = create("children", 10);
    sched_aps_join_parms join = { .id = id };
    CHECK(DO(SCHED_APS_JOIN_PARTITION, &join) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        sched_aps_query_thread_parms mine = { 0 };
        CHECK(DO(SCHED_APS_QUERY_THREAD, &mine) == 0 && mine.id == id && mine.inherited_id == id);
        _exit(0);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    join.pid = 1;
    CHECK_BOTH(SchedCtl, EACCES, SCHED_APS_JOIN_PARTITION, &join, sizeof join);
    join.pid = 0;
    join.id = 7;
    CHECK_BOTH(SchedCtl, EINVAL, SCHED_APS_JOIN_PARTITION, &join, sizeof join);
    join.id = 0;
    CHECK(DO(SCHED_APS_JOIN_PARTITION, &join) == 0);
}

static uint64_t run_time(int id)
{
    sched_aps_partition_stats stats = { .id = id };
    CHECK(DO(SCHED_APS_PARTITION_STATS, &stats) == 0);
    return stats.total_cycles;
}

static void nap(long ms)
{
    struct timespec time = { .tv_nsec = ms * 1000000 };
    nanosleep(&time, NULL);
}

static pid_t busy(int id, int priority)
{
    pid_t pid = fork();
    if (pid == 0) {
        sched_aps_join_parms join = { .id = id };
        struct sched_param param = { .sched_priority = priority };
        CHECK(DO(SCHED_APS_JOIN_PARTITION, &join) == 0);
        CHECK(SchedSet(0, 0, SCHED_FIFO, &param) == 0);
        for (;;)
            ;
    }
    return pid;
}

static void a_less_important_partition_gets_its_share_under_overload(void)
{
    int high = create("high", 20), low = create("low", 30);
    pid_t pids[] = { busy(high, 12), busy(low, 8) };
    nap(50);
    uint64_t before = run_time(low);
    nap(900);
    uint64_t ran = run_time(low) - before;
    /* At least 30 % of 900 ms; it may get some of what System leaves. */
    CHECK(ran > 250 * 1000000ull && run_time(high) > 150 * 1000000ull);
    for (int i = 0; i < 2; i++)
        CHECK(kill(pids[i], SIGKILL) == 0 && waitpid(pids[i], NULL, 0) == pids[i]);
}

static const struct test tests[] = {
    TEST(partitions_are_made_found_and_changed),
    TEST(children_are_in_the_partition_of_their_parent),
    TEST(a_less_important_partition_gets_its_share_under_overload),
};
RUN(tests)
