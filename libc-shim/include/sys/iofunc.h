/*
 * The POSIX layer of resource managers (QNX: <sys/iofunc.h>).
 *
 * To extend a structure, define IOFUNC_ATTR_T or IOFUNC_OCB_T before this is included: as a structure
 * that begins with iofunc_attr_t or iofunc_ocb_t.
 */
#ifndef _NEUTRINO_SYS_IOFUNC_H
#define _NEUTRINO_SYS_IOFUNC_H
#include <stdint.h>
#include <sys/types.h>

struct _iofunc_attr;
struct _iofunc_ocb;
#ifndef RESMGR_HANDLE_T
#ifdef IOFUNC_ATTR_T
#define RESMGR_HANDLE_T IOFUNC_ATTR_T
#else
#define RESMGR_HANDLE_T struct _iofunc_attr
#endif
#endif
#ifndef RESMGR_OCB_T
#ifdef IOFUNC_OCB_T
#define RESMGR_OCB_T IOFUNC_OCB_T
#else
#define RESMGR_OCB_T struct _iofunc_ocb
#endif
#endif
#include <sys/resmgr.h>

typedef struct _iofunc_attr iofunc_attr_t;
typedef struct _iofunc_ocb iofunc_ocb_t;
typedef struct _iofunc_mount iofunc_mount_t;
typedef struct _iofunc_funcs iofunc_funcs_t;
#ifndef IOFUNC_ATTR_T
#define IOFUNC_ATTR_T iofunc_attr_t
#endif
#ifndef IOFUNC_OCB_T
#define IOFUNC_OCB_T iofunc_ocb_t
#endif
#ifndef IOFUNC_MOUNT_T
#define IOFUNC_MOUNT_T iofunc_mount_t
#endif

struct _iofunc_mount {
    uint32_t flags; /* _MOUNT_READONLY … */
    uint32_t conf;  /* IOFUNC_PC_* */
    dev_t dev;
    int32_t blocksize;
    iofunc_funcs_t *funcs;
    void *power;
    size_t size;
    uint32_t ext_flags;
    uint32_t timeres;
    uint64_t reserved[4];
};
#define IOFUNC_MOUNT_32BIT 0x0100
#define IOFUNC_PC_CHOWN_RESTRICTED 0x0001
#define IOFUNC_PC_NO_TRUNC 0x0002
#define IOFUNC_PC_SYNC_IO 0x0004
#define IOFUNC_PC_LINK_DIR 0x0008
#define IOFUNC_PC_ACL 0x0010

struct _iofunc_funcs {
    unsigned nfuncs;
    IOFUNC_OCB_T *(*ocb_calloc)(resmgr_context_t *, IOFUNC_ATTR_T *);
    void (*ocb_free)(IOFUNC_OCB_T *);
    int (*attr_lock)(IOFUNC_ATTR_T *);
    int (*attr_unlock)(IOFUNC_ATTR_T *);
    int (*attr_trylock)(IOFUNC_ATTR_T *);
};
#define _IOFUNC_NFUNCS 5

struct _iofunc_attr {
    IOFUNC_MOUNT_T *mount;
    uint32_t flags; /* IOFUNC_ATTR_* */
    int32_t lock_tid;
    uint16_t lock_count;
    uint16_t count; /* OCBs; those for reading, for writing */
    uint16_t rcount;
    uint16_t wcount;
    uint16_t rlocks;
    uint16_t wlocks;
    struct _iofunc_mmap_list *mmap_list;
    struct _iofunc_lock_list *lock_list;
    void *list;
    uint32_t list_size;
    off_t nbytes;
    ino_t inode;
    uid_t uid;
    gid_t gid;
    time_t mtime;
    time_t atime;
    time_t ctime;
    mode_t mode;
    nlink_t nlink;
    dev_t rdev;
    unsigned mtime_ns;
    unsigned atime_ns;
    unsigned ctime_ns;
};
#define IOFUNC_ATTR_MTIME 0x0001
#define IOFUNC_ATTR_ATIME 0x0002
#define IOFUNC_ATTR_CTIME 0x0004
#define IOFUNC_ATTR_DIRTY_SIZE 0x0010
#define IOFUNC_ATTR_DIRTY_OWNER 0x0020
#define IOFUNC_ATTR_DIRTY_TIME 0x0040
#define IOFUNC_ATTR_DIRTY_MODE 0x0080
#define IOFUNC_ATTR_DIRTY_NLINK 0x0100
#define IOFUNC_ATTR_DIRTY_RDEV 0x0200
#define IOFUNC_ATTR_DIRTY_MASK 0x0ff0
#define IOFUNC_ATTR_PRIVATE 0xffff0000

struct _iofunc_ocb {
    IOFUNC_ATTR_T *attr;
    int32_t ioflag; /* open's flags, access modes from 1 */
    off_t offset;
    uint16_t sflag;
    uint16_t flags;
    void *reserved;
};
#define IOFUNC_OCB_PRIVILEGED 0x0001
#define IOFUNC_OCB_MMAP 0x0002
#define IOFUNC_OCB_FLAGS_PRIVATE 0xf000
#define IOFUNC_OCB_LAST_INUSE 0x0001
#define IOFUNC_OCB_LAST_READER 0x0002
#define IOFUNC_OCB_LAST_WRITER 0x0004

/* Who waits for input, output, out-of-band data: an array of three. */
typedef struct _iofunc_notify {
    int cnt;
    struct _iofunc_notify_event *list;
} iofunc_notify_t;
#define IOFUNC_NOTIFY_INPUT 0
#define IOFUNC_NOTIFY_OUTPUT 1
#define IOFUNC_NOTIFY_OBAND 2
#define _NEUTRINO_NOTIFY_NOBODY 0x7fffffff
#define IOFUNC_NOTIFY_INIT(nop) \
    ((nop)[0].cnt = (nop)[1].cnt = (nop)[2].cnt = _NEUTRINO_NOTIFY_NOBODY, \
     (nop)[0].list = (nop)[1].list = (nop)[2].list = 0)
#define IOFUNC_NOTIFY_DISARM(nop, index) ((nop)[index].cnt = _NEUTRINO_NOTIFY_NOBODY)
#define IOFUNC_NOTIFY_INPUT_CHECK(nop, count, tran) \
    ((void)(tran), (nop)[IOFUNC_NOTIFY_INPUT].cnt <= (count))
#define IOFUNC_NOTIFY_OUTPUT_CHECK(nop, count) ((nop)[IOFUNC_NOTIFY_OUTPUT].cnt <= (count))
#define IOFUNC_NOTIFY_OBAND_CHECK(nop, count, tran) \
    ((void)(tran), (nop)[IOFUNC_NOTIFY_OBAND].cnt <= (count))

#ifdef __cplusplus
extern "C" {
#endif
int iofunc_func_init(unsigned nconnect, resmgr_connect_funcs_t *, unsigned nio,
                     resmgr_io_funcs_t *);
int iofunc_mount_init(iofunc_mount_t *, size_t);
void iofunc_attr_init(iofunc_attr_t *, mode_t, iofunc_attr_t *dattr, struct _client_info *);
int iofunc_attr_lock(iofunc_attr_t *);
int iofunc_attr_trylock(iofunc_attr_t *);
int iofunc_attr_unlock(iofunc_attr_t *);
int iofunc_time_update(iofunc_attr_t *);

IOFUNC_OCB_T *iofunc_ocb_calloc(resmgr_context_t *, IOFUNC_ATTR_T *);
void iofunc_ocb_free(IOFUNC_OCB_T *);
int iofunc_ocb_attach(resmgr_context_t *, io_open_t *, iofunc_ocb_t *, iofunc_attr_t *,
                      const resmgr_io_funcs_t *);
int iofunc_ocb_detach(resmgr_context_t *, iofunc_ocb_t *);

int iofunc_check_access(resmgr_context_t *, const iofunc_attr_t *, mode_t,
                        const struct _client_info *);
int iofunc_client_info(resmgr_context_t *, int ioflag, struct _client_info *);
int iofunc_client_info_ext(resmgr_context_t *, int ioflag, struct _client_info **, int flags);
int iofunc_client_info_ext_free(struct _client_info **);
int iofunc_client_info_able(resmgr_context_t *, int ioflag, struct _client_info **, int flags,
                            struct _client_able *, int nable);

int iofunc_open(resmgr_context_t *, io_open_t *, iofunc_attr_t *, iofunc_attr_t *dattr,
                struct _client_info *);
int iofunc_open_default(resmgr_context_t *, io_open_t *, iofunc_attr_t *, void *extra);
int iofunc_unlink(resmgr_context_t *, io_unlink_t *, iofunc_attr_t *, iofunc_attr_t *dattr,
                  struct _client_info *);
int iofunc_link(resmgr_context_t *, io_link_t *, iofunc_attr_t *, iofunc_attr_t *dattr,
                struct _client_info *);
int iofunc_rename(resmgr_context_t *, io_rename_t *, iofunc_attr_t *oldattr,
                  iofunc_attr_t *olddattr, iofunc_attr_t *newattr, iofunc_attr_t *newdattr,
                  struct _client_info *);
int iofunc_mknod(resmgr_context_t *, io_mknod_t *, iofunc_attr_t *, iofunc_attr_t *dattr,
                 struct _client_info *);
int iofunc_readlink(resmgr_context_t *, io_readlink_t *, iofunc_attr_t *, struct _client_info *);

int iofunc_read_verify(resmgr_context_t *, io_read_t *, iofunc_ocb_t *, int *nonblock);
int iofunc_read_default(resmgr_context_t *, io_read_t *, iofunc_ocb_t *);
int iofunc_write_verify(resmgr_context_t *, io_write_t *, iofunc_ocb_t *, int *nonblock);
int iofunc_write_default(resmgr_context_t *, io_write_t *, iofunc_ocb_t *);
int iofunc_close_ocb_default(resmgr_context_t *, void *reserved, iofunc_ocb_t *);
int iofunc_close_dup(resmgr_context_t *, io_close_t *, iofunc_ocb_t *, iofunc_attr_t *);
int iofunc_close_dup_default(resmgr_context_t *, io_close_t *, iofunc_ocb_t *);
int iofunc_lock_ocb_default(resmgr_context_t *, void *reserved, iofunc_ocb_t *);
int iofunc_unlock_ocb_default(resmgr_context_t *, void *reserved, iofunc_ocb_t *);
int iofunc_stat(resmgr_context_t *, iofunc_attr_t *, struct stat *);
int iofunc_stat_default(resmgr_context_t *, io_stat_t *, iofunc_ocb_t *);
int iofunc_devctl(resmgr_context_t *, io_devctl_t *, iofunc_ocb_t *, iofunc_attr_t *);
int iofunc_devctl_default(resmgr_context_t *, io_devctl_t *, iofunc_ocb_t *);
int iofunc_unblock(resmgr_context_t *, io_pulse_t *, iofunc_ocb_t *, iofunc_attr_t *);
int iofunc_unblock_default(resmgr_context_t *, io_pulse_t *, iofunc_ocb_t *);
int iofunc_pathconf(resmgr_context_t *, io_pathconf_t *, iofunc_ocb_t *, iofunc_attr_t *);
int iofunc_pathconf_default(resmgr_context_t *, io_pathconf_t *, iofunc_ocb_t *);
int iofunc_lseek(resmgr_context_t *, io_lseek_t *, iofunc_ocb_t *, iofunc_attr_t *);
int iofunc_lseek_default(resmgr_context_t *, io_lseek_t *, iofunc_ocb_t *);
int iofunc_chmod(resmgr_context_t *, io_chmod_t *, iofunc_ocb_t *, iofunc_attr_t *,
                 struct _client_info *);
int iofunc_chmod_default(resmgr_context_t *, io_chmod_t *, iofunc_ocb_t *);
int iofunc_chown(resmgr_context_t *, io_chown_t *, iofunc_ocb_t *, iofunc_attr_t *,
                 struct _client_info *);
int iofunc_chown_default(resmgr_context_t *, io_chown_t *, iofunc_ocb_t *);
int iofunc_utime(resmgr_context_t *, io_utime_t *, iofunc_ocb_t *, iofunc_attr_t *,
                 struct _client_info *);
int iofunc_utime_default(resmgr_context_t *, io_utime_t *, iofunc_ocb_t *);
int iofunc_openfd(resmgr_context_t *, io_openfd_t *, iofunc_ocb_t *, iofunc_attr_t *);
int iofunc_openfd_default(resmgr_context_t *, io_openfd_t *, iofunc_ocb_t *);
int iofunc_fdinfo(resmgr_context_t *, iofunc_ocb_t *, iofunc_attr_t *, struct _fdinfo *);
int iofunc_fdinfo_default(resmgr_context_t *, io_fdinfo_t *, iofunc_ocb_t *);
int iofunc_lock(resmgr_context_t *, io_lock_t *, iofunc_ocb_t *, iofunc_attr_t *);
int iofunc_lock_default(resmgr_context_t *, io_lock_t *, iofunc_ocb_t *);
int iofunc_space_verify(resmgr_context_t *, io_space_t *, iofunc_ocb_t *, int *nonblock);
int iofunc_mmap(resmgr_context_t *, io_mmap_t *, iofunc_ocb_t *, iofunc_attr_t *);
int iofunc_mmap_default(resmgr_context_t *, io_mmap_t *, iofunc_ocb_t *);
int iofunc_sync(resmgr_context_t *, io_sync_t *, iofunc_ocb_t *, int *op);
int iofunc_sync_verify(resmgr_context_t *, io_sync_t *, iofunc_ocb_t *);
int iofunc_sync_default(resmgr_context_t *, io_sync_t *, iofunc_ocb_t *);

int iofunc_notify(resmgr_context_t *, io_notify_t *, iofunc_notify_t *, int trig,
                  const int *counts, int *armed);
void iofunc_notify_trigger(iofunc_notify_t *, int count, int index);
void iofunc_notify_trigger_strict(resmgr_context_t *, iofunc_notify_t *, int count, int index);
void iofunc_notify_remove(resmgr_context_t *, iofunc_notify_t *);
void iofunc_notify_remove_strict(resmgr_context_t *, iofunc_notify_t *, int lists);
#ifdef __cplusplus
}
#endif
#endif
