/*
 * Starts the spawner of stdio servers. It sees to its own surroundings; packages/spawner/SPEC.md has its command line.
 * The interpreter that servers see is the image's, with its libraries and their loader.
 */
#define _GNU_SOURCE
#include "spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROGRAM "/bin/cmcp-spawn"
#define STAGE "/run/cmcp/stage"
#define LISTENING "listening\n"

static _Noreturn void become_spawner(const char *peer, int output) {
  if (dup2(output, 1) >= 0)
    execl(PROGRAM, PROGRAM, "--stage", STAGE, "--socket", SPAWNER_SOCKET, "--peer-uid", peer, "--cgroup", CGROUPS,
          "--runtime", "/usr/bin/node", "--runtime", "/lib64/ld-linux-x86-64.so.2", "--runtime",
          "/lib/x86_64-linux-gnu", NULL);
  _exit(1);
}

int start_spawner(uid_t peer) {
  char uid[16], said[sizeof LISTENING] = {0};
  int ends[2];

  snprintf(uid, sizeof uid, "%u", peer);
  if (mkdir(STAGE, 0700) != 0 || pipe2(ends, O_CLOEXEC) != 0) return -1;
  pid_t spawner = fork();
  if (spawner < 0) return -1;
  if (spawner == 0) become_spawner(uid, ends[1]);
  close(ends[1]);
  for (size_t got = 0; got < sizeof LISTENING - 1;) {
    ssize_t some = read(ends[0], said + got, sizeof LISTENING - 1 - got);

    if (some < 0 && errno == EINTR) continue;
    if (some <= 0) break;
    got += (size_t)some;
  }
  close(ends[0]);
  errno = EIO;
  return strcmp(said, LISTENING) == 0 ? 0 : -1;
}
