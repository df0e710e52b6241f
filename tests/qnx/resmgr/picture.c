/* A file that clients map: its contents are in a shared object. */
#include "server.h"
#include <sys/mman.h>

#define SIZE 8192
static iofunc_attr_t attr;
static int object;
static char *contents;

static int picture_mmap(resmgr_context_t *ctp, io_mmap_t *msg, RESMGR_OCB_T *ocb)
{
    int status = iofunc_mmap(ctp, msg, ocb, ocb->attr);
    if (status != EOK)
        return status;
    memset(&msg->o, 0, sizeof msg->o);
    msg->o.allowed_prot = PROT_READ | PROT_WRITE;
    msg->o.coid = object;
    return _RESMGR_PTR(ctp, &msg->o, sizeof msg->o);
}

static int picture_read(resmgr_context_t *ctp, io_read_t *msg, RESMGR_OCB_T *ocb)
{
    return give(ctp, msg, ocb, contents);
}

int main(void)
{
    dispatch_t *dpp = begin();
    object = shm_open("/picture", O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (object == -1 || ftruncate(object, SIZE) == -1) {
        perror("picture: shm_open");
        return EXIT_FAILURE;
    }
    shm_unlink("/picture");
    contents = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, object, 0);
    strcpy(contents, "a picture");
    io_funcs.mmap = picture_mmap;
    io_funcs.read = picture_read;
    iofunc_attr_init(&attr, S_IFREG | 0666, NULL, NULL);
    attr.nbytes = SIZE;
    attach(dpp, "/dev/picture", 0, &attr);
    return serve(dpp);
}
