/* Messages of the server's own beside a device: sums of numbers, for whoever opens its name. */
#include "server.h"

#define SUM_TYPE (_IO_MAX + 1)
struct sum_message {
    uint16_t type, subtype;
    int32_t a, b;
};
static iofunc_attr_t attr;
static int sums;
static char text[32];

static int sum(message_context_t *ctp, int code, unsigned flags, void *handle)
{
    struct sum_message *msg = (struct sum_message *)ctp->msg;
    (void)flags;
    if (ctp->size < sizeof *msg || code != SUM_TYPE) {
        MsgError(ctp->rcvid, EBADMSG);
        return 0;
    }
    int32_t result = msg->a + msg->b;
    ++*(int *)handle;
    MsgReply(ctp->rcvid, EOK, &result, sizeof result);
    return 0;
}

static int count_read(resmgr_context_t *ctp, io_read_t *msg, RESMGR_OCB_T *ocb)
{
    snprintf(text, sizeof text, "%d\n", sums);
    return give(ctp, msg, ocb, text);
}

int main(void)
{
    dispatch_t *dpp = begin();
    io_funcs.read = count_read;
    iofunc_attr_init(&attr, S_IFCHR | 0444, NULL, NULL);
    if (message_attach(dpp, NULL, SUM_TYPE, SUM_TYPE + 1, sum, &sums) == -1 ||
        message_attach(dpp, NULL, SUM_TYPE + 1, SUM_TYPE + 3, sum, NULL) != -1 ||
        name_attach(dpp, "sums", 0) == NULL) {
        perror("message");
        return EXIT_FAILURE;
    }
    attach(dpp, "/dev/sums", 0, &attr);
    return serve(dpp);
}
