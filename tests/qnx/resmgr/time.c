/* A directory of one file: /dev/time/now tells the time when it was opened. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct time_ocb;
#define IOFUNC_OCB_T struct time_ocb
#include <sys/iofunc.h>
#include <sys/dispatch.h>

struct time_ocb {
    iofunc_ocb_t base;
    char text[64];
};

static iofunc_attr_t directory, now;

static struct time_ocb *time_ocb_calloc(resmgr_context_t *ctp, iofunc_attr_t *attr)
{
    (void)ctp, (void)attr;
    struct time_ocb *ocb = calloc(1, sizeof *ocb);
    if (ocb != NULL) {
        time_t seconds = time(NULL);
        struct tm parts;
        strftime(ocb->text, sizeof ocb->text, "%Y-%m-%d %H:%M:%S\n", gmtime_r(&seconds, &parts));
    }
    return ocb;
}

static void time_ocb_free(struct time_ocb *ocb)
{
    free(ocb);
}

static int time_open(resmgr_context_t *ctp, io_open_t *msg, RESMGR_HANDLE_T *handle, void *extra)
{
    (void)handle;
    if (msg->connect.path[0] == '\0')
        return iofunc_open_default(ctp, msg, &directory, extra);
    if (strcmp(msg->connect.path, "now") == 0)
        return iofunc_open_default(ctp, msg, &now, extra);
    return ENOENT;
}

static int read_directory(resmgr_context_t *ctp, io_read_t *msg, struct time_ocb *ocb)
{
    struct dirent *entry = (struct dirent *)ocb->text;
    if (ocb->base.offset > 0 || msg->i.nbytes < 32) {
        _IO_SET_READ_NBYTES(ctp, 0);
        return EOK;
    }
    memset(ocb->text, 0, sizeof ocb->text);
    entry->d_ino = 2;
    entry->d_offset = 0;
    strcpy(entry->d_name, "now");
    entry->d_namelen = 3;
    entry->d_reclen = 32;
    ocb->base.offset = 1;
    _IO_SET_READ_NBYTES(ctp, 32);
    return _RESMGR_PTR(ctp, entry, 32);
}

static int time_read(resmgr_context_t *ctp, io_read_t *msg, RESMGR_OCB_T *ocb)
{
    int status = iofunc_read_verify(ctp, msg, &ocb->base, NULL);
    if (status != EOK)
        return status;
    if (S_ISDIR(ocb->base.attr->mode))
        return read_directory(ctp, msg, ocb);
    if ((msg->i.xtype & _IO_XTYPE_MASK) != _IO_XTYPE_NONE)
        return ENOSYS;
    size_t left = strlen(ocb->text) - (size_t)ocb->base.offset;
    size_t count = left < (size_t)msg->i.nbytes ? left : (size_t)msg->i.nbytes;
    _IO_SET_READ_NBYTES(ctp, count);
    char *start = ocb->text + ocb->base.offset;
    ocb->base.offset += count;
    ocb->base.attr->flags |= IOFUNC_ATTR_ATIME;
    return count > 0 ? _RESMGR_PTR(ctp, start, count) : EOK;
}

static iofunc_funcs_t ocb_funcs = { .nfuncs = _IOFUNC_NFUNCS, .ocb_calloc = time_ocb_calloc,
                                    .ocb_free = time_ocb_free };
static iofunc_mount_t mount = { .funcs = &ocb_funcs };

int main(void)
{
    static resmgr_connect_funcs_t connect_funcs;
    static resmgr_io_funcs_t io_funcs;
    dispatch_t *dpp = dispatch_create();
    iofunc_func_init(_RESMGR_CONNECT_NFUNCS, &connect_funcs, _RESMGR_IO_NFUNCS, &io_funcs);
    connect_funcs.open = time_open;
    io_funcs.read = time_read;
    iofunc_attr_init(&directory, S_IFDIR | 0555, NULL, NULL);
    iofunc_attr_init(&now, S_IFREG | 0444, NULL, NULL);
    directory.mount = now.mount = &mount;
    directory.inode = 1;
    now.inode = 2;
    if (resmgr_attach(dpp, NULL, "/dev/time", _FTYPE_ANY, _RESMGR_FLAG_DIR, &connect_funcs,
                      &io_funcs, &directory) == -1) {
        perror("time: resmgr_attach");
        return EXIT_FAILURE;
    }
    dispatch_context_t *ctp = dispatch_context_alloc(dpp);
    while ((ctp = dispatch_block(ctp)) != NULL)
        dispatch_handler(ctp);
    perror("time: dispatch_block");
    return EXIT_FAILURE;
}
