/* Names for channels (QNX: <sys/dispatch.h>). The dispatch layer is not here: see docs/limits.md. */
#ifndef _NEUTRINO_SYS_DISPATCH_H
#define _NEUTRINO_SYS_DISPATCH_H
#include <sys/neutrino.h>

typedef struct _dispatch dispatch_t;

typedef struct _name_attach {
    dispatch_t *dpp;
    int chid;
    int mntid;
    int zero[2];
} name_attach_t;

#define NAME_FLAG_DETACH_SAVEDPP 1
#define NAME_FLAG_ATTACH_GLOBAL 2

#ifdef __cplusplus
extern "C" {
#endif
name_attach_t *name_attach(dispatch_t *, const char *, unsigned);
int name_detach(name_attach_t *, unsigned);
int name_open(const char *, int);
int name_close(int);
#ifdef __cplusplus
}
#endif
#endif
