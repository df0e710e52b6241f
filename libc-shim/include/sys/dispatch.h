/* Messages, pulses and descriptors in one loop; thread pools; names (QNX: <sys/dispatch.h>). */
#ifndef _NEUTRINO_SYS_DISPATCH_H
#define _NEUTRINO_SYS_DISPATCH_H
#include <sys/iofunc.h>
#include <sys/resmgr.h>

typedef resmgr_context_t message_context_t;
typedef resmgr_context_t select_context_t;

typedef union _dispatch_context {
    resmgr_context_t resmgr_context;
    message_context_t message_context;
    select_context_t select_context;
} dispatch_context_t;

typedef struct _message_attr {
    unsigned flags;
    unsigned nparts_max;
    size_t msg_max_size;
    unsigned reserved[4];
} message_attr_t;
typedef message_attr_t select_attr_t;
typedef message_attr_t pulse_attr_t;

#define MSG_FLAG_CROSS_ENDIAN 0x0001
#define MSG_FLAG_ALLOC_PULSE 0x0002
#define MSG_FLAG_SIDE_CHANNEL 0x0004
#define MSG_FLAG_DEFAULT_FUNC 0x0008
#define MSG_FLAG_TYPE_SUBTYPE 0x0010

#define SELECT_FLAG_READ 0x0001
#define SELECT_FLAG_WRITE 0x0002
#define SELECT_FLAG_EXCEPT 0x0004
#define SELECT_FLAG_REARM 0x0008
#define SELECT_FLAG_SRVEXCEPT 0x0010

#define DISPATCH_FLAG_NOLOCK 0x0001

#ifdef __cplusplus
extern "C" {
#endif
dispatch_t *dispatch_create(void);
dispatch_t *dispatch_create_channel(int chid, unsigned flags);
int dispatch_destroy(dispatch_t *);
dispatch_context_t *dispatch_context_alloc(dispatch_t *);
void dispatch_context_free(dispatch_context_t *);
dispatch_context_t *dispatch_block(dispatch_context_t *);
void dispatch_unblock(dispatch_context_t *);
int dispatch_handler(dispatch_context_t *);
int dispatch_timeout(dispatch_t *, struct timespec *);

int message_attach(dispatch_t *, message_attr_t *, int low, int high,
                   int (*)(message_context_t *, int code, unsigned flags, void *handle),
                   void *handle);
int message_detach(dispatch_t *, int low, int high, int flags);
int message_connect(dispatch_t *, int flags);
int pulse_attach(dispatch_t *, int flags, int code,
                 int (*)(message_context_t *, int code, unsigned flags, void *handle),
                 void *handle);
int pulse_detach(dispatch_t *, int code, int flags);
int select_attach(dispatch_t *, select_attr_t *, int fd, unsigned flags,
                  int (*)(select_context_t *, int fd, unsigned flags, void *handle),
                  void *handle);
int select_detach(dispatch_t *, int fd);
#ifdef __cplusplus
}
#endif

/* Thread pools. */
#define POOL_FLAG_EXIT_SELF 0x0001
#define POOL_FLAG_USE_SELF 0x0002
#define POOL_FLAG_CALL_BLOCK_ERRF 0x0004
#define POOL_FLAG_CALL_HANDLE_ERRF 0x0008

#ifndef THREAD_POOL_HANDLE_T
#define THREAD_POOL_HANDLE_T dispatch_t
#endif

typedef struct _thread_pool thread_pool_t;
typedef struct _thread_pool_attr {
    THREAD_POOL_HANDLE_T *handle;
    THREAD_POOL_PARAM_T *(*block_func)(THREAD_POOL_PARAM_T *);
    void (*unblock_func)(THREAD_POOL_PARAM_T *);
    int (*handler_func)(THREAD_POOL_PARAM_T *);
    THREAD_POOL_PARAM_T *(*context_alloc)(THREAD_POOL_HANDLE_T *);
    void (*context_free)(THREAD_POOL_PARAM_T *);
    pthread_attr_t *attr;
    unsigned short lo_water;
    unsigned short increment;
    unsigned short hi_water;
    unsigned short maximum;
    const char *tid_name;
    void (*error_func)(unsigned flags, int error);
    unsigned reserved[4];
} thread_pool_attr_t;

/* Names for channels. */
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
thread_pool_t *thread_pool_create(thread_pool_attr_t *, unsigned flags);
int thread_pool_start(void *pool);
int thread_pool_destroy(thread_pool_t *);
int thread_pool_limits(thread_pool_t *, int lowater, int hiwater, int maximum, int increment,
                       unsigned flags);

name_attach_t *name_attach(dispatch_t *, const char *, unsigned);
int name_detach(name_attach_t *, unsigned);
int name_open(const char *, int);
int name_close(int);
#ifdef __cplusplus
}
#endif
#endif
