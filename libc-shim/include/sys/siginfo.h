/* QNX's name for what <signal.h> says. */
#include <signal.h>
