/* Device control (QNX: <devctl.h>): the commands are numbered as ioctl()'s. */
#ifndef _NEUTRINO_DEVCTL_H
#define _NEUTRINO_DEVCTL_H
#include <stddef.h>
#include <stdint.h>

#define _POSIX_DEVDIR_NONE 0u
#define _POSIX_DEVDIR_TO 0x40000000u
#define _POSIX_DEVDIR_FROM 0x80000000u
#define _POSIX_DEVDIR_TOFROM (_POSIX_DEVDIR_TO | _POSIX_DEVDIR_FROM)

#define _NEUTRINO_DCMD(direction, class, command, size) \
    ((int)((direction) | (uint32_t)(size) << 16 | (class) << 8 | (command)))
#define __DION(class, command) _NEUTRINO_DCMD(_POSIX_DEVDIR_NONE, class, command, 0)
#define __DIOF(class, command, data) \
    _NEUTRINO_DCMD(_POSIX_DEVDIR_FROM, class, command, sizeof(data))
#define __DIOT(class, command, data) \
    _NEUTRINO_DCMD(_POSIX_DEVDIR_TO, class, command, sizeof(data))
#define __DIOTF(class, command, data) \
    _NEUTRINO_DCMD(_POSIX_DEVDIR_TOFROM, class, command, sizeof(data))
#define get_device_direction(dcmd) ((uint32_t)(dcmd) & _POSIX_DEVDIR_TOFROM)

/* Classes. */
#define _DCMD_ALL 0x01
#define _DCMD_FSYS 0x02
#define _DCMD_BLK 0x03
#define _DCMD_CHR 0x04
#define _DCMD_NET 0x05
#define _DCMD_MISC 0x06
#define _DCMD_INPUT 0x07
#define _DCMD_PROC 0x08
#define _DCMD_MEM 0x09

#define DCMD_ALL_GETFLAGS __DIOF(_DCMD_ALL, 1, int)
#define DCMD_ALL_SETFLAGS __DIOT(_DCMD_ALL, 1, int)
#define DCMD_ALL_GETMOUNTFLAGS __DIOF(_DCMD_ALL, 2, int)

#ifdef __cplusplus
extern "C" {
#endif
int devctl(int fd, int dcmd, void *data, size_t nbytes, int *info);
#ifdef __cplusplus
}
#endif
#endif
