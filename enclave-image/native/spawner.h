/* The spawner of stdio servers, which runs beside the runtime. */
#ifndef CMCP_SPAWNER_H
#define CMCP_SPAWNER_H

#include <sys/types.h>

/* Where the spawner's cgroup v2 hierarchy is mounted. */
#define CGROUPS "/sys/fs/cgroup"
/* Where it listens. */
#define SPAWNER_SOCKET "/run/cmcp/spawn.sock"

/* Starts it as root, for connections of `peer` alone, and waits until it listens. 0 or -1. */
int start_spawner(uid_t peer);

#endif
