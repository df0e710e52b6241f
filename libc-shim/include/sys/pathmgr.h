/* Names that no server keeps (QNX: <sys/pathmgr.h>): here links of a file system. */
#ifndef _NEUTRINO_SYS_PATHMGR_H
#define _NEUTRINO_SYS_PATHMGR_H
#ifdef __cplusplus
extern "C" {
#endif
int pathmgr_symlink(const char *target, const char *path);
int pathmgr_unlink(const char *path);
#ifdef __cplusplus
}
#endif
#endif
