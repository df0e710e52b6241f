/* Channels, connections, and the MsgSend family. */
#include "qnx.h"

static int chid, coid;

static void open_channel(unsigned flags)
{
    chid = ChannelCreate(flags);
    CHECK(chid > 0);
    coid = connect_self(chid);
}

/* Answers one message with its own bytes, backwards. */
static void *reverse(void *unused)
{
    (void)unused;
    union message message;
    struct _msg_info info;
    int rcvid = MsgReceive(chid, &message, sizeof message, &info);
    CHECK(rcvid > 0);
    CHECK(info.pid == getpid() && info.chid == chid && info.coid == coid);
    char answer[256];
    for (ssize_t i = 0; i < info.msglen; i++)
        answer[i] = message.text[info.msglen - 1 - i];
    CHECK(MsgReply(rcvid, info.msglen, answer, (size_t)info.msglen) == 0);
    return NULL;
}

static void every_form_of_send_carries_the_message_and_the_reply(void)
{
    open_channel(0);
    char text[] = "abcdef", back[16];
    iov_t sent[2], got[2];
    SETIOV(&sent[0], text, 2);
    SETIOV(&sent[1], text + 2, 4);
    SETIOV(&got[0], back, 3);
    SETIOV(&got[1], back + 3, 13);
    for (int form = 0; form < 8; form++) {
        pthread_t server = thread(reverse, NULL);
        long status = -1;
        memset(back, 0, sizeof back);
        switch (form) {
        case 0: status = MsgSend(coid, text, 6, back, sizeof back); break;
        case 1: status = MsgSendnc(coid, text, 6, back, sizeof back); break;
        case 2: status = MsgSendv(coid, sent, 2, got, 2); break;
        case 3: status = MsgSendvnc(coid, sent, 2, got, 2); break;
        case 4: status = MsgSendsv(coid, text, 6, got, 2); break;
        case 5: status = MsgSendsvnc(coid, text, 6, got, 2); break;
        case 6: status = MsgSendvs(coid, sent, 2, back, sizeof back); break;
        case 7: status = MsgSendvsnc(coid, sent, 2, back, sizeof back); break;
        }
        CHECK(status == 6 && strcmp(back, "fedcba") == 0);
        join(server);
    }
}

static void *reader_and_writer(void *unused)
{
    (void)unused;
    char head[4], rest[8];
    iov_t parts[2];
    struct _msg_info info;
    int rcvid = MsgReceive(chid, head, 4, &info);
    CHECK(rcvid > 0 && memcmp(head, "0123", 4) == 0);
    CHECK(info.msglen == 4 && info.srcmsglen == 10 && info.dstmsglen == 20);
    CHECK(MsgRead(rcvid, rest, sizeof rest, 8) == 2 && memcmp(rest, "89", 2) == 0);
    CHECK(MsgRead(rcvid, rest, sizeof rest, 10) == 0);
    SETIOV(&parts[0], rest, 1);
    SETIOV(&parts[1], rest + 1, 2);
    CHECK(MsgReadv(rcvid, parts, 2, 4) == 3 && memcmp(rest, "456", 3) == 0);
    CHECK(MsgWrite(rcvid, "XY", 2, 10) == 2);
    SETIOV(&parts[0], "a", 1);
    SETIOV(&parts[1], "bc", 2);
    CHECK(MsgWritev(rcvid, parts, 2, 12) == 3);
    CHECK_BOTH(MsgRead, EFAULT, rcvid, KERNELS, 4, 0);
    CHECK_BOTH(MsgWrite, EFAULT, rcvid, WILD, 4, 0);
    memset(&info, 0, sizeof info);
    CHECK(MsgInfo(rcvid, &info) == 0);
    CHECK(info.pid == getpid() && info.srcmsglen == 10);
    CHECK_BOTH(MsgInfo, EFAULT, rcvid, NULL);
    SETIOV(&parts[0], "1", 1);
    SETIOV(&parts[1], "23", 2);
    CHECK(MsgReplyv(rcvid, 7, parts, 2) == 0);
    CHECK_BOTH(MsgReply, ESRCH, rcvid, 0, NULL, 0);
    CHECK_BOTH(MsgError, ESRCH, rcvid, EIO);
    CHECK_BOTH(MsgRead, ESRCH, rcvid, rest, 1, 0);
    CHECK_BOTH(MsgInfo, ESRCH, rcvid, &info);
    CHECK_BOTH(MsgCurrent, ESRCH, rcvid);
    return NULL;
}

static void a_server_reads_and_writes_its_client_at_offsets(void)
{
    open_channel(_NTO_CHF_SENDER_LEN | _NTO_CHF_REPLY_LEN);
    pthread_t server = thread(reader_and_writer, NULL);
    char back[20] = "....................";
    CHECK(MsgSend(coid, "0123456789", 10, back, sizeof back) == 7);
    CHECK(memcmp(back, "123.......XYabc.....", 20) == 0);
    join(server);
}

static void *refuser(void *error)
{
    char byte;
    int rcvid = MsgReceive(chid, &byte, 1, NULL);
    CHECK(rcvid > 0);
    CHECK(MsgError(rcvid, (int)(long)error) == 0);
    return NULL;
}

static void an_error_is_the_senders_errno_and_eok_is_success(void)
{
    open_channel(0);
    pthread_t server = thread(refuser, (void *)EDOM);
    CHECK_ERRNO(MsgSend(coid, "", 1, NULL, 0), EDOM);
    join(server);
    server = thread(refuser, (void *)EDOM);
    CHECK(MsgSend_r(coid, "", 1, NULL, 0) == -EDOM);
    join(server);
    server = thread(refuser, (void *)EOK);
    CHECK(MsgSend(coid, "", 1, NULL, 0) == 0);
    join(server);
}

static void pulses_come_by_priority_with_code_value_and_connection(void)
{
    open_channel(0);
    union message message;
    CHECK(MsgSendPulse(coid, 8, 5, -77) == 0);
    CHECK(MsgSendPulse(coid, 9, 127, 12) == 0);
    CHECK(MsgSendPulsePtr(coid, -1, 6, &message) == 0);
    CHECK(MsgReceive(chid, &message, sizeof message, NULL) == 0);
    CHECK(message.pulse.code == 6 && message.pulse.value.sival_ptr == &message);
    CHECK(MsgReceivePulse(chid, &message, sizeof message, NULL) == 0);
    CHECK(message.pulse.code == 127 && message.pulse.value.sival_int == 12);
    CHECK(message.pulse.type == 0 && message.pulse.subtype == 0);
    iov_t parts[2];
    SETIOV(&parts[0], &message, 6);
    SETIOV(&parts[1], message.text + 6, sizeof message - 6);
    CHECK(MsgReceivev(chid, parts, 2, NULL) == 0);
    CHECK(message.pulse.code == 5 && message.pulse.value.sival_int == -77);
    CHECK((message.pulse.scoid & _NTO_CONNECTION_SCOID) != 0);
    /* Closing the server's side closes none of the server's own descriptors. */
    CHECK(ConnectDetach(message.pulse.scoid) == 0);
    CHECK(MsgSendPulse(coid, 8, 1, 0) == 0);
    CHECK_BOTH(MsgSendPulse, EINVAL, coid, 256, 1, 0);
    CHECK_BOTH(MsgSendPulse, EINVAL, coid, 10, 128, 0);
    CHECK_BOTH(MsgSendPulse, EBADF, 999, 10, 1, 0);
    CHECK(MsgReceive(chid, &message, sizeof message, NULL) == 0);
    CHECK(MsgSendPulse(coid, 8, 1, 0) == 0);
    CHECK_ERRNO(MsgReceive(chid, &message, 8, NULL), EFAULT);
}

static void *sender(void *unused)
{
    (void)unused;
    CHECK(MsgSend(coid, "m", 1, NULL, 0) == 3);
    return NULL;
}

static void receive_pulse_leaves_messages_queued(void)
{
    open_channel(0);
    union message message;
    pthread_t client = thread(sender, NULL);
    sleep_ms(20);
    limit(_NTO_TIMEOUT_RECEIVE, 20);
    CHECK_ERRNO(MsgReceivePulse(chid, &message, sizeof message, NULL), ETIMEDOUT);
    int rcvid = MsgReceive(chid, &message, sizeof message, NULL);
    CHECK(rcvid > 0 && message.text[0] == 'm');
    CHECK(MsgReply(rcvid, 3, NULL, 0) == 0);
    join(client);
}

static void a_program_can_queue_only_so_many_pulses(void)
{
    open_channel(0);
    int sent = 0;
    while (sent < 1000000 && MsgSendPulse(coid, 10, 1, sent) == 0)
        sent++;
    CHECK(errno == EAGAIN && sent > 0);
    union message message;
    for (int i = 0; i < sent; i++)
        CHECK(MsgReceive(chid, &message, sizeof message, NULL) == 0 &&
              message.pulse.value.sival_int == i);
    CHECK(MsgSendPulse(coid, 10, 1, 0) == 0);
}

static void bad_arguments_of_messages_have_their_errnos(void)
{
    open_channel(0);
    CHECK_BOTH(ChannelCreate, EINVAL, 0x80000000);
    CHECK_BOTH(ChannelDestroy, EINVAL, 999);
    CHECK_BOTH(ChannelDestroy, EINVAL, -1);
    CHECK_BOTH(MsgSend, EBADF, 999, "", 1, NULL, 0);
    CHECK_BOTH(MsgSend, EBADF, -1, "", 1, NULL, 0);
    CHECK_BOTH(MsgReceive, ESRCH, 999, NULL, 0, NULL);
    CHECK_BOTH(MsgReceive, ESRCH, -1, NULL, 0, NULL);
    CHECK_BOTH(MsgSendv, EFAULT, coid, WILD, 2, NULL, 0);
    CHECK_BOTH(MsgSend, EOVERFLOW, coid, "", (size_t)1 << 63, NULL, 0);
    CHECK_BOTH(MsgReply, ESRCH, 77, 0, NULL, 0);
    CHECK_BOTH(MsgReply, ESRCH, -1, 0, NULL, 0);
    CHECK_BOTH(ConnectAttach, ESRCH, 0, 0, 999, 0, 0);
    CHECK_BOTH(ConnectAttach, ESRCH, 0, 30000, 1, 0, 0);
    CHECK_BOTH(ConnectAttach, EINVAL, 1, 0, chid, 0, 0);
    CHECK_BOTH(ConnectDetach, EINVAL, 999);
    CHECK_BOTH(ConnectDetach, EPERM, SYSMGR_COID);
    CHECK_BOTH(ConnectFlags, EBADF, 0, 999, 0, 0);
    CHECK_BOTH(ConnectFlags, EPERM, 1, 0, 0, 0);
    CHECK_BOTH(ConnectFlags, ESRCH, 30000, 0, 0, 0);
    CHECK_BOTH(ConnectServerInfo, EFAULT, 0, coid, NULL);
    CHECK_BOTH(ConnectClientInfo, EINVAL, 999, NULL, 0);
    CHECK(MsgReceivePulsev() == -1 && errno == ENOSYS);
    CHECK(MsgReadiov() == -1 && errno == ENOSYS);
}

static void *dead_sender(void *expected)
{
    CHECK_ERRNO(MsgSend(coid, "x", 1, NULL, 0), (int)(long)expected);
    return NULL;
}

static void a_channel_that_goes_frees_senders_and_kills_connections(void)
{
    open_channel(0);
    char byte;
    pthread_t answered = thread(dead_sender, (void *)ESRCH);
    CHECK(MsgReceive(chid, &byte, 1, NULL) > 0);
    pthread_t queued = thread(dead_sender, (void *)ESRCH);
    sleep_ms(20);
    CHECK(ChannelDestroy(chid) == 0);
    join(answered);
    join(queued);
    CHECK((ConnectFlags(0, coid, 0, 0) & _NTO_COF_DEAD) != 0);
    CHECK_ERRNO(MsgSend(coid, "", 1, NULL, 0), ESRCH);
    CHECK(ConnectDetach(coid) == 0);
}

static void connections_can_be_descriptors_and_have_flags(void)
{
    open_channel(0);
    int fd = ConnectAttach(0, getpid(), chid, 5, _NTO_COF_CLOEXEC);
    CHECK(fd >= 5 && fd < 1024);
    CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
    CHECK(ConnectFlags(0, fd, _NTO_COF_CLOEXEC, 0) == _NTO_COF_CLOEXEC);
    CHECK(fcntl(fd, F_GETFD) == 0);
    struct _server_info info;
    CHECK(ConnectServerInfo(0, fd, &info) == fd);
    CHECK(info.pid == getpid() && info.chid == chid && info.coid == fd);
    CHECK(ConnectDetach(fd) == 0);
    CHECK(ConnectServerInfo(0, fd, &info) != fd);
    int manager = ConnectAttach(0, SYSMGR_PID, SYSMGR_CHID, _NTO_SIDE_CHANNEL, 0);
    CHECK(manager > SYSMGR_COID && ConnectDetach(manager) == 0);
}

static const struct test tests[] = {
    TEST(every_form_of_send_carries_the_message_and_the_reply),
    TEST(a_server_reads_and_writes_its_client_at_offsets),
    TEST(an_error_is_the_senders_errno_and_eok_is_success),
    TEST(pulses_come_by_priority_with_code_value_and_connection),
    TEST(receive_pulse_leaves_messages_queued),
    TEST(a_program_can_queue_only_so_many_pulses),
    TEST(bad_arguments_of_messages_have_their_errnos),
    TEST(a_channel_that_goes_frees_senders_and_kills_connections),
    TEST(connections_can_be_descriptors_and_have_flags),
};
RUN(tests)
