/* Message types (QNX: <sys/iomsg.h>): types up to _IO_MAX are the system's. */
#ifndef _NEUTRINO_SYS_IOMSG_H
#define _NEUTRINO_SYS_IOMSG_H
#include <stdint.h>

#define _IO_BASE 0x100
#define _IO_CONNECT 0x100
#define _IO_READ 0x101
#define _IO_WRITE 0x102
#define _IO_STAT 0x104
#define _IO_NOTIFY 0x105
#define _IO_DEVCTL 0x106
#define _IO_LSEEK 0x109
#define _IO_CHMOD 0x10a
#define _IO_CHOWN 0x10b
#define _IO_UTIME 0x10c
#define _IO_FDINFO 0x10e
#define _IO_LOCK 0x10f
#define _IO_SPACE 0x110
#define _IO_MMAP 0x112
#define _IO_MSG 0x113
#define _IO_SYNC 0x117
#define _IO_MAX 0x1ff

struct _io_msg_header {
    uint16_t type;
    uint16_t subtype;
};

#endif
