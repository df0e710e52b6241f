/* A file of one server: attributes of its own hold the contents; read, write, size, positions. */
struct file_attr;
#define IOFUNC_ATTR_T struct file_attr
#include "server.h"

struct file_attr {
    iofunc_attr_t base;
    char data[64 * 1024];
};
static struct file_attr file;

static int file_read(resmgr_context_t *ctp, io_read_t *msg, RESMGR_OCB_T *ocb)
{
    int status = iofunc_read_verify(ctp, msg, ocb, NULL);
    if (status != EOK)
        return status;
    off_t offset = ocb->offset;
    int moves = 1;
    switch (msg->i.xtype & _IO_XTYPE_MASK) {
    case _IO_XTYPE_NONE: break;
    case _IO_XTYPE_OFFSET:
        offset = ((struct _xtype_offset *)(&msg->i + 1))->offset;
        moves = 0;
        break;
    default: return ENOSYS;
    }
    off_t left = offset < file.base.nbytes ? file.base.nbytes - offset : 0;
    size_t count = left < msg->i.nbytes ? left : msg->i.nbytes;
    _IO_SET_READ_NBYTES(ctp, count);
    if (moves)
        ocb->offset += count;
    if (count > 0)
        file.base.flags |= IOFUNC_ATTR_ATIME;
    return count > 0 ? _RESMGR_PTR(ctp, file.data + offset, count) : EOK;
}

static int file_write(resmgr_context_t *ctp, io_write_t *msg, RESMGR_OCB_T *ocb)
{
    int status = iofunc_write_verify(ctp, msg, ocb, NULL);
    if (status != EOK)
        return status;
    off_t offset = ocb->offset;
    size_t skip = 0, count = msg->i.nbytes;
    if ((msg->i.xtype & _IO_XTYPE_MASK) == _IO_XTYPE_OFFSET) {
        offset = ((struct _xtype_offset *)(&msg->i + 1))->offset;
        skip = sizeof(struct _xtype_offset);
    } else if ((msg->i.xtype & _IO_XTYPE_MASK) != _IO_XTYPE_NONE) {
        return ENOSYS;
    }
    if (offset >= (off_t)sizeof file.data)
        return ENOSPC;
    if (count > sizeof file.data - offset)
        count = sizeof file.data - offset;
    ssize_t got = resmgr_msgread(ctp, file.data + offset, count, sizeof msg->i + skip);
    if (got == -1)
        return errno;
    if (skip == 0)
        ocb->offset += got;
    if (offset + got > file.base.nbytes)
        file.base.nbytes = offset + got;
    file.base.flags |= IOFUNC_ATTR_MTIME | IOFUNC_ATTR_CTIME;
    _IO_SET_WRITE_NBYTES(ctp, got);
    return EOK;
}

static int file_space(resmgr_context_t *ctp, io_space_t *msg, RESMGR_OCB_T *ocb)
{
    int status = iofunc_space_verify(ctp, msg, ocb, NULL);
    if (status != EOK)
        return status;
    off_t size = msg->i.start + msg->i.len;
    if (size < 0 || size > (off_t)sizeof file.data)
        return EFBIG;
    if (msg->i.subtype == F_ALLOCSP && size < file.base.nbytes)
        return EOK;
    if (size > file.base.nbytes)
        memset(file.data + file.base.nbytes, 0, size - file.base.nbytes);
    file.base.nbytes = size;
    file.base.flags |= IOFUNC_ATTR_MTIME | IOFUNC_ATTR_CTIME;
    return EOK;
}

int main(void)
{
    dispatch_t *dpp = begin();
    io_funcs.read = file_read;
    io_funcs.write = file_write;
    io_funcs.space = file_space;
    iofunc_attr_init(&file.base, S_IFREG | 0666, NULL, NULL);
    attach(dpp, "/dev/buffer", 0, &file);
    return serve(dpp);
}
