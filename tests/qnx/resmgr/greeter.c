/* A server with a name and a loop of its own, which tells its client of an event. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/dispatch.h>

struct greeting {
    uint16_t type, subtype;
    struct sigevent event;
};

int main(void)
{
    name_attach_t *name = name_attach(NULL, "greeter", 0);
    union {
        struct _pulse pulse;
        struct _io_msg_header hdr;
        struct greeting greeting;
    } msg;
    if (name == NULL) {
        perror("greeter: name_attach");
        return EXIT_FAILURE;
    }
    for (;;) {
        int rcvid = MsgReceive(name->chid, &msg, sizeof msg, NULL);
        if (rcvid == -1)
            break;
        if (rcvid == 0)
            continue;
        if (msg.hdr.type == _IO_CONNECT)
            MsgReply(rcvid, EOK, NULL, 0);
        else if (msg.hdr.type > _IO_BASE && msg.hdr.type <= _IO_MAX)
            MsgError(rcvid, ENOSYS);
        else if (MsgDeliverEvent(rcvid, &msg.greeting.event) == -1)
            MsgError(rcvid, errno);
        else
            MsgReply(rcvid, 11, "hello", 6);
    }
    name_detach(name, 0);
    return EXIT_SUCCESS;
}
