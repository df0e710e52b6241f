/*
 * A small file system in memory, mounted at /dev/ramdir: directories, files, symbolic and hard links.
 * Names are kept with their whole path; a link to a link leads on through the client.
 */
struct node;
#define IOFUNC_ATTR_T struct node
#include "server.h"
#include <dirent.h>

struct node {
    iofunc_attr_t base;
    char data[1024]; /* contents, or where a link leads */
};
static struct name {
    char path[128];
    struct node *node;
} names[64];
static struct node root;
static ino_t next_inode = 2;

static struct name *find(const char *path)
{
    for (struct name *name = names; name < names + 64; name++)
        if (name->node != NULL && strcmp(name->path, path) == 0)
            return name;
    return NULL;
}

static struct node *node_at(const char *path)
{
    struct name *name = find(path);
    return path[0] == '\0' ? &root : name != NULL ? name->node : NULL;
}

/* The directory that a path is in; NULL if there is none. */
static struct node *parent_of(const char *path)
{
    char above[128];
    const char *slash = strrchr(path, '/');
    snprintf(above, sizeof above, "%.*s", slash ? (int)(slash - path) : 0, path);
    struct node *node = node_at(above);
    return node != NULL && S_ISDIR(node->base.mode) ? node : NULL;
}

static int add(const char *path, struct node *node)
{
    for (struct name *name = names; name < names + 64; name++)
        if (name->node == NULL) {
            snprintf(name->path, sizeof name->path, "%s", path);
            name->node = node;
            return EOK;
        }
    return ENOSPC;
}

static struct node *new_node(void)
{
    struct node *node = calloc(1, sizeof *node);
    return node;
}

static int enter(const char *path, struct node *node)
{
    node->base.inode = next_inode++;
    return add(path, node);
}

static int is_within(const char *path, const char *directory)
{
    size_t length = strlen(directory);
    return strncmp(path, directory, length) == 0 && path[length] == '/';
}

static int is_empty(const char *path)
{
    for (struct name *name = names; name < names + 64; name++)
        if (name->node != NULL && is_within(name->path, path))
            return 0;
    return 1;
}

static int lead_on(resmgr_context_t *ctp, struct _io_connect_link_reply *reply, const char *to)
{
    memset(reply, 0, sizeof *reply);
    reply->path_len = strlen(to) + 1;
    strcpy((char *)(reply + 1), to);
    _IO_SET_CONNECT_RET(ctp, _IO_CONNECT_RET_LINK);
    return _RESMGR_PTR(ctp, reply, sizeof *reply + reply->path_len);
}

static int ram_open(resmgr_context_t *ctp, io_open_t *msg, RESMGR_HANDLE_T *handle, void *extra)
{
    (void)handle, (void)extra;
    const char *path = msg->connect.path;
    struct node *node = node_at(path), *directory = parent_of(path);
    int status;
    if (node != NULL && S_ISLNK(node->base.mode) && !S_ISLNK(msg->connect.mode) &&
        !(msg->connect.ioflag & O_NOFOLLOW))
        return lead_on(ctp, &msg->link_reply, node->data);
    if (node != NULL)
        return iofunc_open_default(ctp, msg, &node->base, extra);
    if (directory == NULL || !(msg->connect.ioflag & O_CREAT))
        return ENOENT;
    if ((node = new_node()) == NULL)
        return ENOMEM;
    status = iofunc_open(ctp, msg, &node->base, &directory->base, NULL);
    if (status == EOK)
        status = iofunc_ocb_attach(ctp, msg, NULL, &node->base, NULL);
    return status == EOK ? enter(path, node) : status;
}

static int ram_mknod(resmgr_context_t *ctp, io_mknod_t *msg, RESMGR_HANDLE_T *handle, void *reserved)
{
    (void)handle, (void)reserved;
    struct node *directory = parent_of(msg->connect.path), *node = new_node();
    if (node_at(msg->connect.path) != NULL)
        return EEXIST;
    if (directory == NULL || node == NULL)
        return ENOENT;
    int status = iofunc_mknod(ctp, msg, &node->base, &directory->base, NULL);
    return status == EOK ? enter(msg->connect.path, node) : status;
}

static int ram_unlink(resmgr_context_t *ctp, io_unlink_t *msg, RESMGR_HANDLE_T *handle, void *reserved)
{
    (void)handle, (void)reserved;
    struct name *name = find(msg->connect.path);
    if (name == NULL)
        return ENOENT;
    if (!is_empty(name->path))
        return ENOTEMPTY;
    int status =
        iofunc_unlink(ctp, msg, &name->node->base, &parent_of(name->path)->base, NULL);
    if (status == EOK)
        name->node = NULL;
    return status;
}

static int ram_rename(resmgr_context_t *ctp, io_rename_t *msg, RESMGR_HANDLE_T *handle,
                      io_rename_extra_t *extra)
{
    (void)handle;
    const char *new_path = msg->connect.path, *old_path = extra->path;
    struct name *old = find(old_path), *new = find(new_path);
    struct node *directory = parent_of(new_path);
    char moved[128];
    if (old == NULL || directory == NULL)
        return ENOENT;
    int status = iofunc_rename(ctp, msg, &old->node->base, &parent_of(old_path)->base,
                               new != NULL ? &new->node->base : NULL, &directory->base, NULL);
    if (status != EOK)
        return status;
    if (new != NULL)
        new->node = NULL;
    snprintf(moved, sizeof moved, "%s", old_path);
    for (struct name *name = names; name < names + 64; name++)
        if (name->node != NULL && (name == old || is_within(name->path, moved))) {
            char path[128];
            snprintf(path, sizeof path, "%.60s%.60s", new_path, name->path + strlen(moved));
            strcpy(name->path, path);
        }
    return EOK;
}

static int ram_link(resmgr_context_t *ctp, io_link_t *msg, RESMGR_HANDLE_T *handle,
                    io_link_extra_t *extra)
{
    (void)handle;
    const char *path = msg->connect.path;
    struct node *directory = parent_of(path), *node;
    int status;
    if (directory == NULL)
        return ENOENT;
    if (node_at(path) != NULL)
        return EEXIST;
    if (msg->connect.extra_type == _IO_CONNECT_EXTRA_LINK) {
        node = ((iofunc_ocb_t *)extra->ocb)->attr;
        status = iofunc_link(ctp, msg, &node->base, &directory->base, NULL);
        return status == EOK ? add(path, node) : status;
    }
    if ((node = new_node()) == NULL)
        return ENOMEM;
    iofunc_attr_init(&node->base, S_IFLNK | 0777, &directory->base, NULL);
    snprintf(node->data, sizeof node->data, "%s", extra->path);
    return enter(path, node);
}

static int ram_readlink(resmgr_context_t *ctp, io_readlink_t *msg, RESMGR_HANDLE_T *handle,
                        void *reserved)
{
    (void)handle, (void)reserved;
    struct node *node = node_at(msg->connect.path);
    int status = node == NULL ? ENOENT : iofunc_readlink(ctp, msg, &node->base, NULL);
    return status == EOK ? lead_on(ctp, &msg->link_reply, node->data) : status;
}

static int read_directory(resmgr_context_t *ctp, io_read_t *msg, iofunc_ocb_t *ocb)
{
    static char reply[4096];
    const char *path = "";
    size_t used = 0, room = msg->i.nbytes;
    if (room > sizeof reply)
        room = sizeof reply;
    for (struct name *name = names; name < names + 64; name++)
        if (name->node == ocb->attr)
            path = name->path;
    for (; ocb->offset < 64; ocb->offset++) {
        struct name *name = &names[ocb->offset];
        size_t above = strlen(path) + (path[0] != '\0');
        if (name->node == NULL || (above > 0 && !is_within(name->path, path)) ||
            strchr(name->path + above, '/') != NULL)
            continue;
        struct dirent *entry = (struct dirent *)(reply + used);
        const char *last = name->path + above;
        size_t size = (sizeof *entry + strlen(last) + 7) & ~7u;
        if (used + size > room)
            break;
        entry->d_ino = name->node->base.inode;
        entry->d_offset = ocb->offset;
        entry->d_namelen = strlen(last);
        entry->d_reclen = size;
        strcpy(entry->d_name, last);
        used += size;
    }
    _IO_SET_READ_NBYTES(ctp, used);
    return used > 0 ? _RESMGR_PTR(ctp, reply, used) : EOK;
}

static int ram_read(resmgr_context_t *ctp, io_read_t *msg, RESMGR_OCB_T *ocb)
{
    int status = iofunc_read_verify(ctp, msg, ocb, NULL);
    if (status != EOK)
        return status;
    struct node *node = ocb->attr;
    return S_ISDIR(node->base.mode) ? read_directory(ctp, msg, ocb) : give(ctp, msg, ocb, node->data);
}

static int ram_write(resmgr_context_t *ctp, io_write_t *msg, RESMGR_OCB_T *ocb)
{
    int status = iofunc_write_verify(ctp, msg, ocb, NULL);
    if (status != EOK)
        return status;
    struct node *node = ocb->attr;
    if (ocb->offset + msg->i.nbytes >= (off_t)sizeof node->data)
        return ENOSPC;
    if (node->base.nbytes == 0)
        memset(node->data, 0, sizeof node->data);
    resmgr_msgread(ctp, node->data + ocb->offset, msg->i.nbytes, sizeof msg->i);
    ocb->offset += msg->i.nbytes;
    if (node->base.nbytes < ocb->offset)
        node->base.nbytes = ocb->offset;
    node->base.flags |= IOFUNC_ATTR_MTIME | IOFUNC_ATTR_CTIME;
    _IO_SET_WRITE_NBYTES(ctp, msg->i.nbytes);
    return EOK;
}

int main(void)
{
    dispatch_t *dpp = begin();
    connect_funcs.open = ram_open;
    connect_funcs.mknod = ram_mknod;
    connect_funcs.unlink = ram_unlink;
    connect_funcs.rename = ram_rename;
    connect_funcs.link = ram_link;
    connect_funcs.readlink = ram_readlink;
    io_funcs.read = ram_read;
    io_funcs.write = ram_write;
    iofunc_attr_init(&root.base, S_IFDIR | 0777, NULL, NULL);
    root.base.inode = 1;
    attach(dpp, "/dev/ramdir", _RESMGR_FLAG_DIR, &root);
    return serve(dpp);
}
