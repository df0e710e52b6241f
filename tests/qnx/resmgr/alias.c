/* Links: /dev/alias/up leads to /tmp, /dev/alias/next to a file beside it; both can be read. */
#include "server.h"

static iofunc_attr_t directory, file, link_attr;

static const char *target(const char *path)
{
    return strncmp(path, "up", 2) == 0 && (path[2] == '/' || path[2] == '\0') ? "/tmp"
           : strcmp(path, "next") == 0                                        ? "file"
                                                                              : NULL;
}

static int lead_on(resmgr_context_t *ctp, struct _io_connect_link_reply *reply, const char *to,
                   const char *rest)
{
    memset(reply, 0, sizeof *reply);
    char *path = (char *)(reply + 1);
    reply->path_len = sprintf(path, "%s%s", to, rest) + 1;
    _IO_SET_CONNECT_RET(ctp, _IO_CONNECT_RET_LINK);
    return _RESMGR_PTR(ctp, reply, sizeof *reply + reply->path_len);
}

static int alias_open(resmgr_context_t *ctp, io_open_t *msg, RESMGR_HANDLE_T *handle, void *extra)
{
    const char *path = msg->connect.path, *to = target(path);
    char rest[256];
    if (to != NULL && S_ISLNK(msg->connect.mode) && strchr(path, '/') == NULL)
        return iofunc_open_default(ctp, msg, &link_attr, extra);
    if (to != NULL) {
        snprintf(rest, sizeof rest, "%s", path + strcspn(path, "/"));
        return lead_on(ctp, &msg->link_reply, to, rest);
    }
    if (path[0] == '\0')
        return iofunc_open_default(ctp, msg, handle, extra);
    return strcmp(path, "file") == 0 ? iofunc_open_default(ctp, msg, &file, extra) : ENOENT;
}

static int alias_readlink(resmgr_context_t *ctp, io_readlink_t *msg, RESMGR_HANDLE_T *handle,
                          void *reserved)
{
    (void)handle, (void)reserved;
    const char *to = target(msg->connect.path);
    return to != NULL ? lead_on(ctp, &msg->link_reply, to, "") : EINVAL;
}

static int file_read(resmgr_context_t *ctp, io_read_t *msg, RESMGR_OCB_T *ocb)
{
    return give(ctp, msg, ocb, "the file\n");
}

int main(void)
{
    dispatch_t *dpp = begin();
    connect_funcs.open = alias_open;
    connect_funcs.readlink = alias_readlink;
    io_funcs.read = file_read;
    iofunc_attr_init(&directory, S_IFDIR | 0755, NULL, NULL);
    iofunc_attr_init(&file, S_IFREG | 0444, NULL, NULL);
    iofunc_attr_init(&link_attr, S_IFLNK | 0777, NULL, NULL);
    attach(dpp, "/dev/alias", _RESMGR_FLAG_DIR, &directory);
    return serve(dpp);
}
