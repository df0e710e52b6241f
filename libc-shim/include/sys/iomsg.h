/*
 * Messages of resource managers (QNX: <sys/iomsg.h>): types up to _IO_MAX are the system's.
 *
 * This is what a handler sees in ctp->msg. On the wire go the system's own messages; the library
 * translates.
 */
#ifndef _NEUTRINO_SYS_IOMSG_H
#define _NEUTRINO_SYS_IOMSG_H
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ftype.h>
#include <sys/stat.h>
#include <sys/types.h>

#define _IO_BASE 0x100
#define _IO_CONNECT 0x100
#define _IO_READ 0x101
#define _IO_READ64 _IO_READ
#define _IO_WRITE 0x102
#define _IO_WRITE64 _IO_WRITE
#define _IO_CLOSE 0x103
#define _IO_CLOSE_DUP _IO_CLOSE
#define _IO_STAT 0x104
#define _IO_NOTIFY 0x105
#define _IO_NOTIFY64 _IO_NOTIFY
#define _IO_DEVCTL 0x106
#define _IO_PATHCONF 0x107
#define _IO_LSEEK 0x109
#define _IO_CHMOD 0x10a
#define _IO_CHOWN 0x10b
#define _IO_UTIME 0x10c
#define _IO_UTIME64 _IO_UTIME
#define _IO_OPENFD 0x10d
#define _IO_FDINFO 0x10e
#define _IO_LOCK 0x10f
#define _IO_SPACE 0x110
#define _IO_SHUTDOWN 0x111
#define _IO_MMAP 0x112
#define _IO_MSG 0x113
#define _IO_DUP 0x115
#define _IO_SYNC 0x117
#define _IO_POWER 0x11a
#define _IO_ACL 0x11b
#define _IO_MAX 0x1ff

#define _IO_COMBINE_FLAG 0x8000

/* Subtypes of _IO_CONNECT. */
#define _IO_CONNECT_COMBINE_CLOSE 0
#define _IO_CONNECT_COMBINE 1
#define _IO_CONNECT_OPEN 2
#define _IO_CONNECT_UNLINK 3
#define _IO_CONNECT_RENAME 4
#define _IO_CONNECT_MKNOD 5
#define _IO_CONNECT_READLINK 6
#define _IO_CONNECT_LINK 7
#define _IO_CONNECT_RSVD_UNBLOCK 8
#define _IO_CONNECT_MOUNT 9

/* extra_type: what extra is. */
#define _IO_CONNECT_EXTRA_NONE 0
#define _IO_CONNECT_EXTRA_LINK 1
#define _IO_CONNECT_EXTRA_SYMLINK 2
#define _IO_CONNECT_EXTRA_MOUNT 4
#define _IO_CONNECT_EXTRA_RENAME 5

#define _IO_CONNECT_EFLAG_DIR 1 /* the path ended with a slash */

/* The status of a reply that is another path. */
#define _IO_CONNECT_RET_MSG 0x20000000
#define _IO_CONNECT_RET_LINK 0x40000000
#define _IO_SET_CONNECT_RET(ctp, value) _RESMGR_STATUS(ctp, value)

/* ioflag: open's flags, where access modes count from 1. */
#define _IO_FLAG_RD 1
#define _IO_FLAG_WR 2
#define _IO_FLAG_MASK 3

struct _io_msg_header {
    uint16_t type;
    uint16_t subtype;
};

struct _io_connect {
    uint16_t type;
    uint16_t subtype;
    uint32_t file_type;
    uint16_t reply_max;
    uint16_t entry_max;
    uint32_t key;
    uint32_t handle;
    uint32_t ioflag;
    uint32_t mode;
    uint16_t sflag;
    uint16_t access;
    uint16_t zero;
    uint16_t path_len;
    uint8_t eflag;
    uint8_t extra_type;
    uint16_t extra_len;
    char path[1];
};

struct _io_connect_link_reply {
    uint32_t reserved1;
    uint32_t file_type;
    uint8_t eflag;
    uint8_t reserved2[1];
    uint16_t chroot_len;
    uint32_t umask;
    uint16_t nentries;
    uint16_t path_len;
    /* char path[path_len]; */
};

struct _io_connect_ftype_reply {
    uint16_t status;
    uint16_t reserved;
    uint32_t file_type;
};

#define _NEUTRINO_CONNECT_MESSAGE(name) \
    typedef union { \
        struct _io_connect connect; \
        struct _io_connect_link_reply link_reply; \
        struct _io_connect_ftype_reply ftype_reply; \
    } name
_NEUTRINO_CONNECT_MESSAGE(io_open_t);
_NEUTRINO_CONNECT_MESSAGE(io_unlink_t);
_NEUTRINO_CONNECT_MESSAGE(io_rename_t);
_NEUTRINO_CONNECT_MESSAGE(io_mknod_t);
_NEUTRINO_CONNECT_MESSAGE(io_readlink_t);
_NEUTRINO_CONNECT_MESSAGE(io_link_t);
_NEUTRINO_CONNECT_MESSAGE(io_mount_t);
#undef _NEUTRINO_CONNECT_MESSAGE

typedef union _io_rename_extra {
    char path[1]; /* the old name */
} io_rename_extra_t;

typedef union _io_link_extra {
    void *ocb;    /* _IO_CONNECT_EXTRA_LINK: what gets another name */
    char path[1]; /* _IO_CONNECT_EXTRA_SYMLINK: where the link leads */
} io_link_extra_t;

typedef union _io_mount_extra {
    uint32_t flags;
} io_mount_extra_t;

/* Types of transfers. */
#define _IO_XTYPE_NONE 0
#define _IO_XTYPE_READCOND 1
#define _IO_XTYPE_MQUEUE 2
#define _IO_XTYPE_TCPIP 3
#define _IO_XTYPE_TCPIP_MSG 4
#define _IO_XTYPE_OFFSET 5
#define _IO_XTYPE_REGISTRY 6
#define _IO_XTYPE_READDIR 9
#define _IO_XTYPE_MASK 0xff
#define _IO_XFLAG_DIR_EXTRA_HINT 0x100
#define _IO_XFLAG_NONBLOCK 0x200
#define _IO_XFLAG_BLOCK 0x400

struct _xtype_offset {
    off_t offset;
};

struct _xtype_readcond {
    int32_t min;
    int32_t time;
    int32_t timeout;
};

struct _io_read {
    uint16_t type;
    uint16_t combine_len;
    int32_t nbytes;
    uint32_t xtype;
    uint32_t zero;
    uint64_t reserved;
};
typedef union {
    struct _io_read i;
} io_read_t;
#define _IO_READ_GET_NBYTES(msg) ((size_t)(msg)->i.nbytes)
#define _IO_SET_READ_NBYTES(ctp, nbytes) _RESMGR_STATUS(ctp, nbytes)

struct _io_write {
    uint16_t type;
    uint16_t combine_len;
    int32_t nbytes;
    uint32_t xtype;
    uint32_t zero;
    uint64_t reserved;
    /* the data follow */
};
typedef union {
    struct _io_write i;
} io_write_t;
#define _IO_WRITE_GET_NBYTES(msg) ((size_t)(msg)->i.nbytes)
#define _IO_SET_WRITE_NBYTES(ctp, nbytes) _RESMGR_STATUS(ctp, nbytes)

struct _io_close {
    uint16_t type;
    uint16_t combine_len;
    uint32_t zero;
};
typedef union {
    struct _io_close i;
} io_close_t;

struct _io_stat {
    uint16_t type;
    uint16_t combine_len;
    uint32_t zero;
};
typedef union {
    struct _io_stat i;
    struct stat o;
} io_stat_t;

/* Notification: what to do, and conditions. */
#define _NOTIFY_ACTION_POLL 0
#define _NOTIFY_ACTION_POLLARM 1
#define _NOTIFY_ACTION_TRANARM 2
#define _NOTIFY_ACTION_CONDARM 3
#define _NOTIFY_COND_INPUT 0x10000000
#define _NOTIFY_COND_OUTPUT 0x20000000
#define _NOTIFY_COND_OBAND 0x40000000
#define _NOTIFY_COND_EXTEN 0x08000000
#define _NOTIFY_COND_MASK 0x78000000
#define _NOTIFY_DATA_MASK 0x07ffffff
#define _NOTIFY_MAXCOND 3

#ifdef __cplusplus
extern "C" {
#endif
int ionotify(int fd, int action, int flags, const struct sigevent *);
#ifdef __cplusplus
}
#endif

struct _io_notify {
    uint16_t type;
    uint16_t combine_len;
    int32_t action;
    int32_t flags;
    uint32_t padding;
    struct sigevent event;
    int32_t mgr[2];
    int32_t flags_extra_mask;
    int32_t flags_exten;
    int32_t nfds;
    int32_t fd_first;
    int32_t nfds_ready;
    int32_t padding2;
    int64_t timo;
};
struct _io_notify_reply {
    uint32_t zero;
    uint32_t flags;
    int32_t flags2;
};
typedef union {
    struct _io_notify i;
    struct _io_notify_reply o;
} io_notify_t;

struct _io_devctl {
    uint16_t type;
    uint16_t combine_len;
    int32_t dcmd;
    uint32_t nbytes;
    int32_t zero;
    /* the data follow */
};
struct _io_devctl_reply {
    uint32_t zero;
    int32_t ret_val;
    uint32_t nbytes;
    int32_t zero2;
    /* the data follow */
};
typedef union {
    struct _io_devctl i;
    struct _io_devctl_reply o;
} io_devctl_t;
#define _DEVCTL_DATA(msg) ((void *)((char *)&(msg) + sizeof(msg)))

struct _io_pathconf {
    uint16_t type;
    uint16_t combine_len;
    int16_t name;
    uint16_t zero;
};
typedef union {
    struct _io_pathconf i;
} io_pathconf_t;
#define _IO_SET_PATHCONF_VALUE(ctp, value) _RESMGR_STATUS(ctp, value)

struct _io_lseek {
    uint16_t type;
    uint16_t combine_len;
    int16_t whence;
    uint16_t zero;
    uint64_t offset;
};
typedef union {
    struct _io_lseek i;
    uint64_t o;
} io_lseek_t;

struct _io_chmod {
    uint16_t type;
    uint16_t combine_len;
    mode_t mode;
};
typedef union {
    struct _io_chmod i;
} io_chmod_t;

struct _io_chown {
    uint16_t type;
    uint16_t combine_len;
    int32_t gid;
    int32_t uid;
};
typedef union {
    struct _io_chown i;
} io_chown_t;

struct _io_utime {
    uint16_t type;
    uint16_t combine_len;
    int32_t cur_flag; /* both times are now */
    struct {
        time_t actime;
        time_t modtime;
    } times;
    uint32_t actime_ns;
    uint32_t modtime_ns;
    uint32_t omit; /* 1: the access time stays; 2: the modification time */
    uint32_t zero;
};
typedef union {
    struct _io_utime i;
} io_utime_t;

struct _io_openfd {
    uint16_t type;
    uint16_t combine_len;
    uint32_t ioflag;
    uint16_t sflag;
    uint16_t xtype;
    uint32_t key;
};
typedef union {
    struct _io_openfd i;
} io_openfd_t;

struct _fdinfo {
    uint32_t mode;
    uint32_t ioflag;
    uint64_t offset;
    uint64_t size;
    uint32_t flags;
    uint16_t sflag;
    uint16_t count;
    uint16_t rcount;
    uint16_t wcount;
    uint16_t rlocks;
    uint16_t wlocks;
};
struct _io_fdinfo {
    uint16_t type;
    uint16_t combine_len;
    uint32_t flags;
    int32_t path_len;
    uint32_t reserved;
};
struct _io_fdinfo_reply {
    uint32_t zero[2];
    struct _fdinfo info;
    /* char path[]; */
};
typedef union {
    struct _io_fdinfo i;
    struct _io_fdinfo_reply o;
} io_fdinfo_t;
#define _IO_SET_FDINFO_LEN(ctp, length) _RESMGR_STATUS(ctp, length)

struct _io_lock {
    uint16_t type;
    uint16_t combine_len;
    uint32_t subtype; /* F_GETLK, F_SETLK, F_SETLKW */
    uint32_t owner;   /* 0: the process; 1: the open file (flock) */
    uint32_t zero;
    struct flock flock;
};
struct _io_lock_reply {
    uint32_t zero[4];
    struct flock flock;
};
typedef union {
    struct _io_lock i;
    struct _io_lock_reply o;
} io_lock_t;

/* Subtypes of _IO_SPACE. */
#define F_FREESP 107  /* frees from start on; len 0: start is the new size */
#define F_ALLOCSP 110 /* makes room */
#define F_FREESP64 F_FREESP
#define F_ALLOCSP64 F_ALLOCSP

struct _io_space {
    uint16_t type;
    uint16_t combine_len;
    uint16_t subtype;
    int16_t whence;
    uint64_t start;
    uint64_t len;
};
typedef union {
    struct _io_space i;
    uint64_t o;
} io_space_t;

struct _io_shutdown {
    uint16_t type;
    uint16_t combine_len;
    uint32_t zero;
};
typedef union {
    struct _io_shutdown i;
} io_shutdown_t;

struct _io_mmap {
    uint16_t type;
    uint16_t combine_len;
    uint32_t prot;
    uint64_t offset;
    uint32_t required_prot;
    uint32_t flags;
    uint32_t zero[2];
};
/* coid or fd: a descriptor of an object that holds the contents (shm_open), from `offset` on. */
struct _io_mmap_reply {
    uint32_t allowed_prot;
    uint32_t flags;
    uint64_t offset;
    int32_t coid;
    int32_t fd;
};
typedef union {
    struct _io_mmap i;
    struct _io_mmap_reply o;
} io_mmap_t;

struct _io_msg {
    uint16_t type;
    uint16_t combine_len;
    uint16_t mgrid;
    uint16_t subtype;
};
typedef union {
    struct _io_msg i;
} io_msg_t;
#define _IOMGR_PRIVATE_BASE 0xf000
#define _IOMGR_PRIVATE_MAX 0xffff

struct _io_dup {
    uint16_t type;
    uint16_t combine_len;
    uint32_t key;
};
typedef union {
    struct _io_dup i;
} io_dup_t;

struct _io_sync {
    uint16_t type;
    uint16_t combine_len;
    uint32_t flag;
};
typedef union {
    struct _io_sync i;
} io_sync_t;

struct _io_power {
    uint16_t type;
    uint16_t combine_len;
    uint32_t subtype;
};
typedef union {
    struct _io_power i;
} io_power_t;
typedef union {
    struct _io_power i;
} io_acl_t;

struct _io_combine {
    uint16_t type;
    uint16_t combine_len;
};

/* io_mount_t, mount flags of iofunc_mount_t. */
#define _MOUNT_READONLY 1
#define _MOUNT_NOEXEC 2
#define _MOUNT_NOSUID 4

#endif
