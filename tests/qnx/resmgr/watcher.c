/* A descriptor in the loop: what comes through a FIFO is what /dev/watcher tells. */
#include "server.h"

static iofunc_attr_t attr;
static char text[128];

static int came(select_context_t *ctp, int fd, unsigned flags, void *handle)
{
    (void)ctp, (void)handle;
    if (flags & SELECT_FLAG_READ) {
        ssize_t got = read(fd, text, sizeof text - 1);
        text[got > 0 ? got : 0] = '\0';
    }
    return 0;
}

static int text_read(resmgr_context_t *ctp, io_read_t *msg, RESMGR_OCB_T *ocb)
{
    return give(ctp, msg, ocb, text);
}

int main(int argc, char **argv)
{
    dispatch_t *dpp = begin();
    int fd = open(argc > 1 ? argv[1] : "/tmp/watched", O_RDWR | O_NONBLOCK);
    if (fd == -1 ||
        select_attach(dpp, NULL, fd, SELECT_FLAG_READ | SELECT_FLAG_REARM, came, NULL) == -1) {
        perror("watcher");
        return EXIT_FAILURE;
    }
    io_funcs.read = text_read;
    iofunc_attr_init(&attr, S_IFCHR | 0444, NULL, NULL);
    attach(dpp, "/dev/watcher", 0, &attr);
    return serve(dpp);
}
