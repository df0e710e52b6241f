/* Types of files for resmgr_attach() (QNX: <sys/ftype.h>). */
#ifndef _NEUTRINO_SYS_FTYPE_H
#define _NEUTRINO_SYS_FTYPE_H
enum _file_type {
    _FTYPE_NOTYPE = -1,
    _FTYPE_ANY = 0,
    _FTYPE_FILE = 1,
    _FTYPE_LINK = 2,
    _FTYPE_SYMLINK = 3,
    _FTYPE_PIPE = 4,
    _FTYPE_SHMEM = 5,
    _FTYPE_MQUEUE = 6,
    _FTYPE_SOCKET = 7,
    _FTYPE_SEM = 8,
    _FTYPE_PHOTON = 9,
    _FTYPE_DUMPER = 10,
    _FTYPE_MOUNT = 11,
    _FTYPE_NAME = 12,
    _FTYPE_TYMEM = 13,
};
#endif
