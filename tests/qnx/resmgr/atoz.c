/* Twenty-six devices in one directory, whose entries the read handler sends by MsgReply. */
#include "server.h"
#include <dirent.h>

static iofunc_attr_t directory, letters[26];

static int letter_open(resmgr_context_t *ctp, io_open_t *msg, RESMGR_HANDLE_T *handle, void *extra)
{
    const char *path = msg->connect.path;
    if (path[0] == '\0')
        return iofunc_open_default(ctp, msg, handle, extra);
    if (path[0] < 'a' || path[0] > 'z' || path[1] != '\0')
        return ENOENT;
    return iofunc_open_default(ctp, msg, &letters[path[0] - 'a'], extra);
}

static int read_directory(resmgr_context_t *ctp, io_read_t *msg, iofunc_ocb_t *ocb)
{
    const size_t size = sizeof(struct dirent) + 8;
    size_t room = msg->i.nbytes, used = 0;
    char *reply = calloc(1, room + size);
    if (reply == NULL)
        return ENOMEM;
    while (ocb->offset < 26 && used + size <= room) {
        struct dirent *entry = (struct dirent *)(reply + used);
        entry->d_ino = letters[ocb->offset].inode;
        entry->d_offset = ocb->offset;
        entry->d_name[0] = 'a' + ocb->offset;
        entry->d_name[1] = '\0';
        entry->d_namelen = 1;
        entry->d_reclen = size;
        used += size;
        ocb->offset++;
    }
    MsgReply(ctp->rcvid, used, reply, used);
    free(reply);
    return _RESMGR_NOREPLY;
}

static int letter_read(resmgr_context_t *ctp, io_read_t *msg, RESMGR_OCB_T *ocb)
{
    int status = iofunc_read_verify(ctp, msg, ocb, NULL);
    if (status != EOK)
        return status;
    if (S_ISDIR(ocb->attr->mode))
        return read_directory(ctp, msg, ocb);
    if ((msg->i.xtype & _IO_XTYPE_MASK) != _IO_XTYPE_NONE)
        return ENOSYS;
    if (ocb->offset > 0 || msg->i.nbytes == 0)
        return EOK;
    ocb->offset = 1;
    char letter = 'a' + (ocb->attr - letters);
    MsgReply(ctp->rcvid, 1, &letter, 1);
    return _RESMGR_NOREPLY;
}

int main(void)
{
    dispatch_t *dpp = begin();
    connect_funcs.open = letter_open;
    io_funcs.read = letter_read;
    iofunc_attr_init(&directory, S_IFDIR | 0755, NULL, NULL);
    directory.inode = 1;
    for (int i = 0; i < 26; i++) {
        iofunc_attr_init(&letters[i], S_IFCHR | 0444, NULL, NULL);
        letters[i].inode = i + 2;
        letters[i].nbytes = 1;
    }
    attach(dpp, "/dev/atoz", _RESMGR_FLAG_DIR, &directory);
    return serve(dpp);
}
