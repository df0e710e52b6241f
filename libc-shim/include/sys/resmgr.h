/* Resource managers (QNX: <sys/resmgr.h>). Include <sys/iofunc.h> first to have its structures. */
#ifndef _NEUTRINO_SYS_RESMGR_H
#define _NEUTRINO_SYS_RESMGR_H
#include <pthread.h>
#include <sys/iomsg.h>
#include <sys/neutrino.h>

typedef struct _pulse io_pulse_t;
struct _dispatch;
typedef struct _dispatch dispatch_t;

typedef union _resmgr_iomsgs {
    uint16_t type;
    io_pulse_t pulse;
    struct _io_connect connect;
    io_open_t open;
    io_unlink_t unlink;
    io_rename_t rename;
    io_mknod_t mknod;
    io_readlink_t readlink;
    io_link_t link;
    io_mount_t mount;
    struct _io_combine combine;
    io_close_t close;
    io_write_t write;
    io_read_t read;
    io_stat_t stat;
    io_notify_t notify;
    io_devctl_t devctl;
    io_pathconf_t pathconf;
    io_lseek_t lseek;
    io_chmod_t chmod;
    io_chown_t chown;
    io_utime_t utime;
    io_openfd_t openfd;
    io_fdinfo_t fdinfo;
    io_lock_t lock;
    io_space_t space;
    io_shutdown_t shutdown;
    io_msg_t msg;
    io_mmap_t mmap;
    io_dup_t dup;
    io_sync_t sync;
    io_power_t power;
} resmgr_iomsgs_t;

typedef struct _resmgr_context {
    int rcvid;
    struct _msg_info info;
    resmgr_iomsgs_t *msg;
    dispatch_t *dpp;
    int id;
    unsigned tid;
    size_t msg_max_size;
    long status;
    size_t offset;
    size_t size;
    iov_t iov[1]; /* resmgr_attr_t's nparts_max of them */
} resmgr_context_t;

#ifndef RESMGR_HANDLE_T
#define RESMGR_HANDLE_T void
#endif
#ifndef RESMGR_OCB_T
#define RESMGR_OCB_T void
#endif

typedef struct _resmgr_connect_funcs {
    unsigned nfuncs;
    int (*open)(resmgr_context_t *, io_open_t *, RESMGR_HANDLE_T *, void *extra);
    int (*unlink)(resmgr_context_t *, io_unlink_t *, RESMGR_HANDLE_T *, void *reserved);
    int (*rename)(resmgr_context_t *, io_rename_t *, RESMGR_HANDLE_T *, io_rename_extra_t *);
    int (*mknod)(resmgr_context_t *, io_mknod_t *, RESMGR_HANDLE_T *, void *reserved);
    int (*readlink)(resmgr_context_t *, io_readlink_t *, RESMGR_HANDLE_T *, void *reserved);
    int (*link)(resmgr_context_t *, io_link_t *, RESMGR_HANDLE_T *, io_link_extra_t *);
    int (*unblock)(resmgr_context_t *, io_pulse_t *, RESMGR_HANDLE_T *, void *reserved);
    int (*mount)(resmgr_context_t *, io_mount_t *, RESMGR_HANDLE_T *, io_mount_extra_t *);
} resmgr_connect_funcs_t;
#define _RESMGR_CONNECT_NFUNCS 8

typedef struct _resmgr_io_funcs {
    unsigned nfuncs;
    int (*read)(resmgr_context_t *, io_read_t *, RESMGR_OCB_T *);
    int (*write)(resmgr_context_t *, io_write_t *, RESMGR_OCB_T *);
    int (*close_ocb)(resmgr_context_t *, void *reserved, RESMGR_OCB_T *);
    int (*stat)(resmgr_context_t *, io_stat_t *, RESMGR_OCB_T *);
    int (*notify)(resmgr_context_t *, io_notify_t *, RESMGR_OCB_T *);
    int (*devctl)(resmgr_context_t *, io_devctl_t *, RESMGR_OCB_T *);
    int (*unblock)(resmgr_context_t *, io_pulse_t *, RESMGR_OCB_T *);
    int (*pathconf)(resmgr_context_t *, io_pathconf_t *, RESMGR_OCB_T *);
    int (*lseek)(resmgr_context_t *, io_lseek_t *, RESMGR_OCB_T *);
    int (*chmod)(resmgr_context_t *, io_chmod_t *, RESMGR_OCB_T *);
    int (*chown)(resmgr_context_t *, io_chown_t *, RESMGR_OCB_T *);
    int (*utime)(resmgr_context_t *, io_utime_t *, RESMGR_OCB_T *);
    int (*openfd)(resmgr_context_t *, io_openfd_t *, RESMGR_OCB_T *);
    int (*fdinfo)(resmgr_context_t *, io_fdinfo_t *, RESMGR_OCB_T *);
    int (*lock)(resmgr_context_t *, io_lock_t *, RESMGR_OCB_T *);
    int (*space)(resmgr_context_t *, io_space_t *, RESMGR_OCB_T *);
    int (*shutdown)(resmgr_context_t *, io_shutdown_t *, RESMGR_OCB_T *);
    int (*mmap)(resmgr_context_t *, io_mmap_t *, RESMGR_OCB_T *);
    int (*msg)(resmgr_context_t *, io_msg_t *, RESMGR_OCB_T *);
    int (*reserved)(resmgr_context_t *, void *, RESMGR_OCB_T *);
    int (*dup)(resmgr_context_t *, io_dup_t *, RESMGR_OCB_T *);
    int (*close_dup)(resmgr_context_t *, io_close_t *, RESMGR_OCB_T *);
    int (*lock_ocb)(resmgr_context_t *, void *reserved, RESMGR_OCB_T *);
    int (*unlock_ocb)(resmgr_context_t *, void *reserved, RESMGR_OCB_T *);
    int (*sync)(resmgr_context_t *, io_sync_t *, RESMGR_OCB_T *);
    int (*power)(resmgr_context_t *, io_power_t *, RESMGR_OCB_T *);
    int (*acl)(resmgr_context_t *, io_acl_t *, RESMGR_OCB_T *);
} resmgr_io_funcs_t;
#define _RESMGR_IO_NFUNCS 27

typedef struct _resmgr_attr {
    unsigned flags;
    unsigned nparts_max;
    size_t msg_max_size;
    int (*other_func)(resmgr_context_t *, void *msg);
    unsigned reserved[4];
} resmgr_attr_t;
#define RESMGR_FLAG_NO_DEFAULT_FUNC 0x0001
#define RESMGR_FLAG_ATTACH_LOCAL 0x0002
#define RESMGR_FLAG_ATTACH_OTHERFUNC 0x0004
#define RESMGR_FLAG_CROSS_ENDIAN 0x0008

/* What a handler returns: EOK, an error, or one of these. */
#define _RESMGR_NOREPLY ((int)0x80000000)
#define _RESMGR_DEFAULT ((int)0x80000001)
#define _RESMGR_NPARTS(count) (-(count))
#define _RESMGR_ERRNO(error) (error)
#define _RESMGR_PTR(ctp, address, length) \
    (SETIOV(&(ctp)->iov[0], (address), (length)), _RESMGR_NPARTS(1))
#define _RESMGR_STATUS(ctp, value) ((void)((ctp)->status = (value)))

/* Flags of resmgr_attach(). */
#define _RESMGR_FLAG_BEFORE 0x0001
#define _RESMGR_FLAG_AFTER 0x0002
#define _RESMGR_FLAG_OPAQUE 0x0004
#define _RESMGR_FLAG_FTYPEONLY 0x0008
#define _RESMGR_FLAG_FTYPEALL 0x0010
#define _RESMGR_FLAG_DIR 0x0100
#define _RESMGR_FLAG_SELF 0x0200
#define _RESMGR_FLAG_RCM 0x0400

/* And of resmgr_detach(). */
#define _RESMGR_DETACH_ALL 0x0000
#define _RESMGR_DETACH_PATHNAME 0x0001
#define _RESMGR_DETACH_CLOSE 0x8000

#ifdef __cplusplus
extern "C" {
#endif
int resmgr_attach(dispatch_t *, resmgr_attr_t *, const char *path, enum _file_type, unsigned flags,
                  const resmgr_connect_funcs_t *, const resmgr_io_funcs_t *, RESMGR_HANDLE_T *);
int resmgr_detach(dispatch_t *, int id, unsigned flags);
int resmgr_devino(int id, dev_t *, ino_t *);
int resmgr_open_bind(resmgr_context_t *, RESMGR_OCB_T *, const resmgr_io_funcs_t *);
int resmgr_unbind(resmgr_context_t *);
int resmgr_handle_grow(unsigned);
int resmgr_msg_again(resmgr_context_t *, int rcvid);
void *resmgr_ocb(resmgr_context_t *);
const resmgr_io_funcs_t *resmgr_iofuncs(resmgr_context_t *);
int resmgr_pathname(int id, unsigned flags, char *path, int size);

ssize_t resmgr_msgread(resmgr_context_t *, void *, size_t size, size_t offset);
ssize_t resmgr_msgreadv(resmgr_context_t *, const iov_t *, size_t parts, size_t offset);
ssize_t resmgr_msgget(resmgr_context_t *, void *, size_t size, size_t offset);
ssize_t resmgr_msggetv(resmgr_context_t *, const iov_t *, size_t parts, size_t offset);
ssize_t resmgr_msgwrite(resmgr_context_t *, const void *, size_t size, size_t offset);
ssize_t resmgr_msgwritev(resmgr_context_t *, const iov_t *, size_t parts, size_t offset);
int resmgr_msgreply(resmgr_context_t *, const void *, size_t size);
int resmgr_msgreplyv(resmgr_context_t *, const iov_t *, size_t parts);
#ifdef __cplusplus
}
#endif

/* Names of before. */
#define _resmgr_ocb resmgr_ocb
#define _resmgr_iofuncs resmgr_iofuncs
#define _resmgr_handle_grow resmgr_handle_grow
#define resmgr_context_alloc(dpp) ((resmgr_context_t *)dispatch_context_alloc(dpp))
#define resmgr_context_free(ctp) dispatch_context_free((void *)(ctp))
#define resmgr_block(ctp) ((resmgr_context_t *)dispatch_block((void *)(ctp)))
#define resmgr_handler(ctp) dispatch_handler((void *)(ctp))
#define resmgr_unblock(ctp) dispatch_unblock((void *)(ctp))

#ifndef THREAD_POOL_PARAM_T
#define THREAD_POOL_PARAM_T resmgr_context_t
#endif

#endif
