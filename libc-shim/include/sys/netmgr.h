/* There is one node (QNX: <sys/netmgr.h>). */
#ifndef _NEUTRINO_SYS_NETMGR_H
#define _NEUTRINO_SYS_NETMGR_H
#define ND_LOCAL_NODE 0
#endif
