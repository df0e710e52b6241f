/* The greeter's client: the event is a pulse to a channel of its own. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/dispatch.h>

int main(void)
{
    struct {
        uint16_t type, subtype;
        struct sigevent event;
    } msg = { .type = _IO_MAX + 1 };
    struct _pulse pulse;
    char reply[16];
    int chid = ChannelCreate(0);
    int self = ConnectAttach(ND_LOCAL_NODE, 0, chid, _NTO_SIDE_CHANNEL, 0);
    int coid = name_open("greeter", 0);
    SIGEV_PULSE_INIT(&msg.event, self, 10, 3, 99);
    if (coid == -1 || MsgSend(coid, &msg, sizeof msg, reply, sizeof reply) != 11) {
        perror("caller");
        return EXIT_FAILURE;
    }
    if (MsgReceivePulse(chid, &pulse, sizeof pulse, NULL) == -1 || pulse.code != 3)
        return EXIT_FAILURE;
    printf("%s %d\n", reply, pulse.value.sival_int);
    name_close(coid);
    return EXIT_SUCCESS;
}
