/* Commands of /dev/gauge. */
#include <devctl.h>
#define GAUGE_SET __DIOT(_DCMD_MISC, 1, int)
#define GAUGE_GET __DIOF(_DCMD_MISC, 2, int)
#define GAUGE_SWAP __DIOTF(_DCMD_MISC, 3, int)
#define GAUGE_RESET __DION(_DCMD_MISC, 4)
