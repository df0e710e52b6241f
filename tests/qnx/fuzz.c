/*
 * Every native kernel call with hostile arguments: wild, misaligned, the kernel's and unmapped
 * addresses, overflowing lengths, stale and foreign handles, every flag. An unprivileged child makes
 * them, and may die of what it does to itself; no call may fail with an errno that its row does not
 * document, none may hang, and afterwards the system has what it had before.
 *
 *   fuzz [SEED [CASES]]
 */
#include "qnx.h"
#include <sys/mman.h>

struct row {
    uint64_t number;
    const char *name;
    const char *types;
    int errnos[16];
};

static const struct row rows[] = {
#include "calls.inc"
};

enum { CASES_EACH = 400, SCRATCH = 4 * 4096, TIMEOUT_MS = 2000 };

/* What parent and child share. */
struct shared {
    volatile uint64_t cases;
    volatile uint64_t ok;
    volatile int failed;
    struct row row;
    uint64_t arguments[10];
    long result;
} *shared;

static char *scratch;
static int coid, chid, stale, object, timer;
static uint64_t state;

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * 0x2545f4914f6cdd1d;
}

static uint64_t pick(uint64_t count)
{
    return next_random() % count;
}

static uint64_t address(void)
{
    switch (pick(16)) {
    case 0: return 0;
    case 1: return 1;
    case 2: return (uint64_t)WILD;
    case 3: return (uint64_t)KERNELS;
    case 4: return 0xffff800000000000;
    case 5: return 0x800000000000;
    case 6: return 0x7ffffffff000;
    case 7: return ~0ull;
    case 8: return ~0ull - 7;
    case 9: return 0x8000000000000000;
    case 10: return (uint64_t)scratch + SCRATCH - pick(24);
    case 11: return (uint64_t)scratch + SCRATCH;
    case 12: return (uint64_t)scratch + pick(64);
    default: return (uint64_t)scratch + pick(SCRATCH / 8) * 8;
    }
}

static uint64_t number(void)
{
    switch (pick(10)) {
    case 0: return 0;
    case 1: return 1;
    case 2: return pick(64);
    case 3: return 1ull << pick(64);
    case 4: return (1ull << pick(64)) - 1;
    case 5: return 0x7fffffffffffffff;
    case 6: return 0x8000000000000000;
    case 7: return -pick(70000);
    case 8: return pick(4096);
    default: return next_random();
    }
}

static uint64_t small(void)
{
    switch (pick(12)) {
    case 0: return (uint64_t)coid;
    case 1: return (uint64_t)chid;
    case 2: return (uint64_t)stale;
    case 3: return (uint64_t)object;
    case 4: return (uint64_t)timer;
    case 5: return 3 + pick(8);
    case 6: return SYSMGR_COID + pick(24);
    case 7: return 1u << pick(32);
    case 8: return 0;
    case 9: return pick(80);
    case 10: return (uint32_t)next_random();
    default: return number();
    }
}

static void fill(void)
{
    uint64_t *words = (uint64_t *)scratch;
    for (int i = 0; i < 96; i++) {
        uint64_t place = pick(SCRATCH / 8);
        words[place] = pick(2) ? address() : small();
    }
}

/* Registers as the table's rows name them; results come back in them, too. */
static long native(uint64_t call, const uint64_t *a)
{
    register uint64_t r10 __asm__("r10") = a[3];
    register uint64_t r8 __asm__("r8") = a[4];
    register uint64_t r9 __asm__("r9") = a[5];
    register uint64_t r12 __asm__("r12") = a[6];
    register uint64_t r13 __asm__("r13") = a[7];
    register uint64_t r14 __asm__("r14") = a[8];
    register uint64_t r15 __asm__("r15") = a[9];
    uint64_t rdi = a[0], rsi = a[1], rdx = a[2];
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result), "+D"(rdi), "+S"(rsi), "+d"(rdx), "+r"(r10), "+r"(r8),
                       "+r"(r9), "+r"(r12), "+r"(r13), "+r"(r14), "+r"(r15)
                     : "a"(call)
                     : "rcx", "r11", "memory");
    return result;
}

static const struct row *find(const char *name)
{
    for (size_t i = 0; i < COUNT(rows); i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    CHECK(!"a row of this name");
    return NULL;
}

static int is_one_of(const struct row *row, const char *const *names)
{
    for (; *names; names++)
        if (row == find(*names))
            return 1;
    return 0;
}

/* Calls after which a child has little chance to go on: they come less often. */
static const char *const deadly[] = { "ThreadDestroy", "SignalReturn", "PersonalityAttach",
    "MemUnmap", "MemProtect", "MemRemap", "ThreadCtl", "MemAdvise", "SignalKill", "ConnectDupTo",
    "ThreadCreate", "SignalProcmask", "SignalAction", "MemMap", NULL };
/* Calls whose errnos are a server's, too. */
static const char *const answered[] = { "MsgSend", "MsgSendRegisters", "ConnectClose", NULL };

static int documented(const struct row *row, long errno_number)
{
    for (size_t i = 0; i < COUNT(row->errnos); i++)
        if (row->errnos[i] == errno_number)
            return 1;
    return 0;
}

static void make_arguments(const struct row *row, uint64_t *arguments)
{
    const char *at = row->types;
    for (int i = 0; i < 10; i++)
        arguments[i] = next_random();
    for (int i = 0; *at; i++) {
        at++;
        if (*at == 'u' && at[1] == '6')
            arguments[i] = pick(3) ? address() : number();
        else if (at[1] == '6')
            arguments[i] = pick(2) ? number() : pick(2) ? -pick(4096) : pick(5);
        else
            arguments[i] = pick(8) ? (uint32_t)small() : number();
        while (*at && *at != ' ')
            at++;
    }
    /* Not to fill the log, nor to hold the only thread. */
    if (row == find("DebugWrite"))
        arguments[0] = 0xffff800000000000;
    if (row == find("ThreadCtl") && arguments[2] == 8)
        arguments[2] = 77;
}

static void one_case(void)
{
    static const struct row *limit_row;
    const struct row *row = &rows[pick(COUNT(rows))];
    while (is_one_of(row, deadly) && pick(16))
        row = &rows[pick(COUNT(rows))];
    uint64_t arguments[10];
    fill();
    make_arguments(row, arguments);
    if (!limit_row)
        limit_row = find("TimerTimeout");
    const uint64_t at_once[10] = { 0xffffffff, pick(2) * 1000 };
    native(limit_row->number, at_once);
    shared->row = *row;
    memcpy(shared->arguments, arguments, sizeof arguments);
    long result = native(row->number, arguments);
    shared->cases++;
    if (result >= 0)
        shared->ok++;
    if (result >= 0 || result < -4095 || is_one_of(row, answered) || documented(row, -result))
        return;
    shared->result = result;
    shared->failed = 1;
    _exit(1);
}

static void run_at(int policy, int priority)
{
    struct sched_param param = { .sched_priority = priority };
    CHECK(SchedSet(0, 0, policy, &param) == 0);
}

static void child(void)
{
    run_at(SCHED_OTHER, 10);
    if (geteuid() == 0)
        CHECK(setuid(1000) == 0);
    char *area = mmap(NULL, SCRATCH + 2 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(area != MAP_FAILED);
    scratch = area + 4096;
    CHECK(mprotect(scratch, SCRATCH, PROT_READ | PROT_WRITE) == 0);
    chid = ChannelCreate(0);
    coid = connect_self(chid);
    stale = connect_self(chid);
    CHECK(ConnectDetach(stale) == 0);
    struct sigevent event;
    SIGEV_PULSE_INIT(&event, coid, 10, 1, 0);
    timer = TimerCreate(CLOCK_MONOTONIC, &event);
    const uint64_t kind[10] = { 0, 4096 };
    object = (int)native(find("MemObjectCreate")->number, kind);
    for (int i = 0; i < CASES_EACH; i++)
        one_case();
    _exit(0);
}

static void report(const char *what)
{
    dprintf(2, "fuzz: %s: %s(", what, shared->row.name);
    for (int i = 0; i < 10; i++)
        dprintf(2, "%s%#lx", i ? ", " : "", shared->arguments[i]);
    dprintf(2, ") gave %ld\n", shared->result);
}

/* As /proc tells it: R for one that runs, T for one that is stopped. */
static char process_state(pid_t pid)
{
    char path[32], text[256], *end;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    read_file(path, text, sizeof text);
    end = strrchr(text, ')');
    return end && end[1] ? end[2] : '?';
}

/* Runs one child to its end, however it comes; 0: as it may. */
static int run_child(void)
{
    fflush(NULL);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        child();
        _exit(0);
    }
    for (int ms = 0; ms < TIMEOUT_MS; ms += 2) {
        int status;
        pid_t done = waitpid(pid, &status, WNOHANG | WUNTRACED);
        CHECK(done >= 0);
        if (done == pid && !WIFSTOPPED(status)) {
            if (shared->failed)
                report("an errno that is not documented");
            return shared->failed;
        }
        if (done == pid)
            break;
        sleep_ms(ms < 20 ? 1 : 2);
    }
    /* It stopped itself, runs in a circle of its own making, or hangs. */
    char state_now = process_state(pid);
    int status;
    CHECK(kill(pid, SIGKILL) == 0);
    CHECK(waitpid(pid, &status, 0) == pid);
    if (state_now == 'R' || state_now == 'T')
        return 0;
    report("no end");
    return 1;
}

struct counts { uint32_t of[8]; };

static struct counts objects(void)
{
    struct { uint64_t pages[3]; struct counts counts; uint64_t rest[8]; } info;
    const uint64_t arguments[10] = { (uint64_t)&info };
    CHECK(native(find("SystemInfo")->number, arguments) == 0);
    return info.counts;
}

int main(int argc, char **argv)
{
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 20240101;
    uint64_t wanted = argc > 2 ? strtoull(argv[2], NULL, 0) : 100000;
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    state = seed | 1;
    /* Above whatever a child can make of itself, which may be a circle at its highest priority. */
    if (geteuid() == 0)
        run_at(SCHED_FIFO, 70);
    /* The first child is where whatever is made once is made. */
    int failed = run_child();
    struct counts before = objects();
    uint64_t children = 1;
    while (!failed && shared->cases < wanted) {
        state = seed + 0x9e3779b97f4a7c15 * ++children;
        failed = run_child();
    }
    if (argc > 1)
        printf("%lu cases in %lu processes, %lu calls succeeded\n", shared->cases, children,
               shared->ok);
    if (failed)
        return 1;
    sleep_ms(100);
    struct counts after = objects();
    static const char *const names[] = { "threads", "processes", "channels", "connections",
        "memory objects", "address spaces", "mappings", "timers" };
    for (size_t i = 0; i < COUNT(names); i++)
        if (before.of[i] != after.of[i]) {
            dprintf(2, "fuzz: %s: %u before, %u after\n", names[i], before.of[i], after.of[i]);
            failed = 1;
        }
    return failed;
}
