/* Servers and their clients in other processes: connections, names, unblocking, death. */
#include "qnx.h"

static int chid, coid;
static int ready[2];

/* A child that connects to the parent's channel. */
static pid_t client(void (*body)(int coid))
{
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        alarm(TIME_LIMIT_S);
        int to_parent = ConnectAttach(0, getppid(), chid, _NTO_SIDE_CHANNEL, 0);
        CHECK(to_parent >= _NTO_SIDE_CHANNEL);
        body(to_parent);
        _exit(0);
    }
    return pid;
}

static void ended_well(pid_t pid)
{
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static void send_hello(int to)
{
    char back[8];
    CHECK(MsgSend(to, "hello", 6, back, sizeof back) == 1 && strcmp(back, "world") == 0);
}

static void another_process_is_reached_by_pid_and_chid(void)
{
    chid = ChannelCreate(0);
    pid_t pid = client(send_hello);
    char text[8];
    struct _msg_info info;
    int rcvid = MsgReceive(chid, text, sizeof text, &info);
    CHECK(rcvid > 0 && info.pid == pid && strcmp(text, "hello") == 0);
    struct _client_info who, *allocated;
    CHECK(ConnectClientInfo(info.scoid, &who, 8) == 0);
    CHECK(who.pid == pid && who.sid == getsid(0) && who.cred.euid == geteuid());
    CHECK(ConnectClientInfoExt(info.scoid, &allocated, _NTO_CLIENTINFO_GETGROUPS) == 0);
    CHECK(allocated->pid == pid && ClientInfoExtFree(&allocated) == 0 && allocated == NULL);
    struct _client_able able = { 1, 0, 0, 0 };
    CHECK(ConnectClientInfoAble(info.scoid, &allocated, 0, &able, 1) == 0);
    CHECK((allocated->flags & _NTO_CI_UNABLE) == (geteuid() == 0 ? 0 : _NTO_CI_UNABLE));
    CHECK(ClientInfoExtFree(&allocated) == 0);
    CHECK(MsgReply(rcvid, 1, "world", 6) == 0);
    CHECK_BOTH(ConnectClientInfo, EINVAL, info.scoid, &who, 8);
    ended_well(pid);
}


static void a_private_channel_is_its_own_processs(void)
{
    chid = ChannelCreate(_NTO_CHF_PRIVATE);
    CHECK(connect_self(chid) > 0);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK_BOTH(ConnectAttach, EPERM, 0, getppid(), chid, 0, 0);
        CHECK_BOTH(ConnectAttach, ESRCH, 0, getppid(), chid + 77, 0, 0);
        _exit(0);
    }
    ended_well(pid);
}

static void stay_until_killed(int to)
{
    CHECK(MsgSend(to, "", 0, NULL, 0) == 0);
}

static void the_last_close_is_a_disconnect_pulse(void)
{
    chid = ChannelCreate(_NTO_CHF_DISCONNECT);
    pid_t pid = client(stay_until_killed);
    union message message;
    struct _msg_info info;
    int rcvid = MsgReceive(chid, &message, sizeof message, &info);
    CHECK(rcvid > 0);
    CHECK(MsgReply(rcvid, 0, NULL, 0) == 0);
    CHECK(MsgReceive(chid, &message, sizeof message, NULL) == 0);
    CHECK(message.pulse.code == _PULSE_CODE_DISCONNECT && message.pulse.scoid == info.scoid);
    CHECK(ConnectDetach(message.pulse.scoid) == 0);
    ended_well(pid);
}

static void a_killed_client_asks_to_be_let_go(void)
{
    chid = ChannelCreate(_NTO_CHF_UNBLOCK);
    pid_t pid = client(stay_until_killed);
    union message message;
    struct _msg_info info;
    int rcvid = MsgReceive(chid, &message, sizeof message, &info);
    CHECK(rcvid > 0 && (info.flags & _NTO_MI_UNBLOCK_REQ) == 0);
    /* SIGTERM has its default: the client is gone at once, the server's answer is late. */
    CHECK(kill(pid, SIGKILL) == 0);
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && killed_by(status, SIGKILL));
    CHECK_BOTH(MsgReply, ESRCH, rcvid, 0, NULL, 0);
}

static void nothing(int signal)
{
    (void)signal;
}

static void *interrupted_sender(void *unused)
{
    (void)unused;
    struct sigaction action = { .sa_handler = nothing };
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    CHECK_ERRNO(MsgSend(coid, "", 0, NULL, 0), EINTR);
    return NULL;
}

static void unblocking_is_the_servers_to_allow(void)
{
    chid = ChannelCreate(_NTO_CHF_UNBLOCK);
    coid = connect_self(chid);
    pthread_t client = thread(interrupted_sender, NULL);
    union message message;
    struct _msg_info info;
    int rcvid = MsgReceive(chid, &message, sizeof message, NULL);
    CHECK(rcvid > 0);
    CHECK(pthread_kill(client, SIGUSR1) == 0);
    CHECK(MsgReceive(chid, &message, sizeof message, NULL) == 0);
    CHECK(message.pulse.code == _PULSE_CODE_UNBLOCK);
    CHECK(message.pulse.value.sival_int == rcvid);
    /* It still waits, marked, until the server lets it go. */
    CHECK(MsgInfo(rcvid, &info) == 0 && (info.flags & _NTO_MI_UNBLOCK_REQ) != 0);
    CHECK(MsgError(rcvid, EINTR) == 0);
    join(client);
}

static void without_unblock_a_signal_ends_the_send(void)
{
    chid = ChannelCreate(0);
    coid = connect_self(chid);
    pthread_t client = thread(interrupted_sender, NULL);
    char byte;
    int rcvid = MsgReceive(chid, &byte, 1, NULL);
    CHECK(rcvid > 0);
    CHECK(pthread_kill(client, SIGUSR1) == 0);
    join(client);
    CHECK_BOTH(MsgReply, ESRCH, rcvid, 0, NULL, 0);
}

static void serve_one_then_die(int unused)
{
    (void)unused;
    int own = ChannelCreate(0);
    CHECK(write(ready[1], &own, sizeof own) == sizeof own);
    char byte;
    CHECK(MsgReceive(own, &byte, 1, NULL) > 0);
    _exit(0);
}

static void a_server_that_dies_frees_its_client_and_tells_of_the_coid(void)
{
    chid = ChannelCreate(_NTO_CHF_COID_DISCONNECT);
    CHECK(pipe(ready) == 0);
    pid_t pid = client(serve_one_then_die);
    int theirs;
    CHECK(read(ready[0], &theirs, sizeof theirs) == sizeof theirs);
    int to = ConnectAttach(0, pid, theirs, _NTO_SIDE_CHANNEL, 0);
    CHECK(to > 0);
    CHECK_ERRNO(MsgSend(to, "x", 1, NULL, 0), ESRCH);
    union message message;
    CHECK(MsgReceive(chid, &message, sizeof message, NULL) == 0);
    CHECK(message.pulse.code == _PULSE_CODE_COIDDEATH && message.pulse.value.sival_int == to);
    CHECK(ConnectDetach(to) == 0);
    ended_well(pid);
}

static void *short_life(void *unused)
{
    return unused;
}

static void the_death_of_a_thread_is_a_pulse(void)
{
    chid = ChannelCreate(_NTO_CHF_THREAD_DEATH);
    int tid = ThreadCreate(0, short_life, NULL, NULL);
    CHECK(tid > 0);
    union message message;
    CHECK(MsgReceive(chid, &message, sizeof message, NULL) == 0);
    CHECK(message.pulse.code == _PULSE_CODE_THREADDEATH && message.pulse.value.sival_int == tid);
    CHECK(ThreadJoin(tid, NULL) == 0);
}

static void by_name(int unused)
{
    (void)unused;
    int to = name_open("qnx-test/one", 0);
    CHECK(to >= _NTO_SIDE_CHANNEL);
    CHECK(MsgSend(to, "", 0, NULL, 0) == 4);
    CHECK(name_close(to) == 0);
}

static void names_lead_to_channels(void)
{
    chid = ChannelCreate(0);
    name_attach_t *attached = name_attach(NULL, "qnx-test/one", 0);
    CHECK(attached != NULL);
    CHECK(name_attach(NULL, "qnx-test/one", 0) == NULL && errno == EEXIST);
    CHECK(name_attach(NULL, "/absolute", 0) == NULL && errno == EINVAL);
    CHECK(name_attach(NULL, "", 0) == NULL && errno == EINVAL);
    CHECK(name_attach(NULL, NULL, 0) == NULL && errno == EFAULT);
    CHECK(name_attach(NULL, "global", NAME_FLAG_ATTACH_GLOBAL) == NULL && errno == ENOTSUP);
    CHECK_ERRNO(name_open("qnx-test/two", 0), ENOENT);
    pid_t pid = client(by_name);
    union message message;
    int rcvid = MsgReceive(attached->chid, &message, sizeof message, NULL);
    CHECK(rcvid > 0 && MsgReply(rcvid, 4, NULL, 0) == 0);
    CHECK(MsgReceive(attached->chid, &message, sizeof message, NULL) == 0);
    CHECK(message.pulse.code == _PULSE_CODE_DISCONNECT);
    ended_well(pid);
    CHECK(name_detach(attached, 0) == 0);
    CHECK_ERRNO(name_open("qnx-test/one", 0), ENOENT);
}

static void only_who_may_attaches_names(void)
{
    if (geteuid() == 0)
        CHECK(setuid(1000) == 0);
    CHECK(name_attach(NULL, "qnx-test/mine", 0) == NULL && errno == EPERM);
    CHECK_ERRNO(name_open("qnx-test/mine", 0), ENOENT);
}

static void *low_client(void *unused)
{
    (void)unused;
    struct sched_param param = { .sched_priority = 5 };
    CHECK(SchedSet(0, 0, SCHED_FIFO, &param) == 0);
    CHECK(MsgSend(coid, "", 0, NULL, 0) == 0);
    return NULL;
}

static int priority_now(void)
{
    struct sched_param param;
    CHECK(SchedGet(0, 0, &param) >= 0);
    return param.sched_curpriority;
}

static void a_server_runs_at_its_clients_priority_unless_the_channel_is_fixed(void)
{
    for (unsigned flags = 0; flags <= _NTO_CHF_FIXED_PRIORITY; flags++) {
        chid = ChannelCreate(flags);
        coid = connect_self(chid);
        pthread_t client = thread(low_client, NULL);
        char byte;
        struct _msg_info info;
        int rcvid = MsgReceive(chid, &byte, 1, &info);
        CHECK(rcvid > 0 && info.priority == 5);
        CHECK(priority_now() == (flags ? 10 : 5));
        CHECK(MsgReply(rcvid, 0, NULL, 0) == 0);
        join(client);
        if (!flags) {
            /* Kept after the reply, and what a pulse says after the next receive. */
            CHECK(priority_now() == 5);
            union message message;
            CHECK(MsgSendPulse(coid, 11, 1, 0) == 0);
            CHECK(MsgReceive(chid, &message, sizeof message, NULL) == 0);
            CHECK(priority_now() == 11);
        }
    }
}

static int second_rcvid;

static void *second_server(void *unused)
{
    (void)unused;
    char byte;
    second_rcvid = MsgReceive(chid, &byte, 1, NULL);
    CHECK(second_rcvid > 0 && priority_now() == 5);
    sleep_ms(50);
    /* The other has taken over. */
    return NULL;
}

static void msg_current_takes_over_a_clients_priority(void)
{
    chid = ChannelCreate(0);
    coid = connect_self(chid);
    pthread_t server = thread(second_server, NULL);
    sleep_ms(10);
    pthread_t client = thread(low_client, NULL);
    sleep_ms(20);
    CHECK(second_rcvid > 0 && priority_now() == 10);
    CHECK(MsgCurrent(second_rcvid) == 0 && priority_now() == 5);
    CHECK(MsgReply(second_rcvid, 0, NULL, 0) == 0);
    join(client);
    join(server);
}

static const struct test tests[] = {
    TEST(another_process_is_reached_by_pid_and_chid),
    TEST(a_private_channel_is_its_own_processs),
    TEST(the_last_close_is_a_disconnect_pulse),
    TEST(a_killed_client_asks_to_be_let_go),
    TEST(unblocking_is_the_servers_to_allow),
    TEST(without_unblock_a_signal_ends_the_send),
    TEST(a_server_that_dies_frees_its_client_and_tells_of_the_coid),
    TEST(the_death_of_a_thread_is_a_pulse),
    TEST(names_lead_to_channels),
    TEST(only_who_may_attaches_names),
    TEST(a_server_runs_at_its_clients_priority_unless_the_channel_is_fixed),
    TEST(msg_current_takes_over_a_clients_priority),
};
RUN(tests)
