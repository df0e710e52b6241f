/*
 * musl's <dirent.h> with QNX's struct dirent, which resource managers fill.
 *
 * readdir() and its kin give entries of this form, too: a stream has room for one.
 */
#ifndef _NEUTRINO_DIRENT_H
#define _NEUTRINO_DIRENT_H
#define dirent __musl_dirent
#include_next <dirent.h>
#undef dirent
#undef d_fileno
#undef dirent64
#include <stdint.h>

struct dirent {
    ino_t d_ino;
    off_t d_offset;
    int16_t d_reclen;
    int16_t d_namelen;
    char d_name[1]; /* d_namelen bytes and an end */
};

#ifdef __cplusplus
extern "C" {
#endif
struct dirent *__neutrino_readdir(DIR *);
int __neutrino_closedir(DIR *);
#ifdef __cplusplus
}
#endif
#define readdir(stream) __neutrino_readdir(stream)
#define closedir(stream) __neutrino_closedir(stream)

#endif
