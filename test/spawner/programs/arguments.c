/* A hostile stdio server: tries the arguments of allowed calls that name another process, or grow memory nobody counts.
 * Upper halves of arguments that the kernel reads as 32 bits are set, and clear. */
#define _GNU_SOURCE
#include "report.h"
#include <asm/ioctls.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define UPPER (1ul << 32)
#define WATCHER 1ul

/* The call with an argument as it is and with its upper half set. */
static void both(const char *name, long number, unsigned at, unsigned long arguments[6]) {
  char wide[128];
  for (int upper = 0; upper < 2; upper++) {
    if (upper) arguments[at] |= UPPER;
    snprintf(wide, sizeof wide, "%s%s", name, upper ? ", upper half set" : "");
    tried(wide, syscall(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]));
  }
}

#define BOTH(name, call, at, ...) both(name, SYS_##call, at, (unsigned long[6]){__VA_ARGS__})

static void other_processes(void) {
  struct rlimit limit = {0, 0};
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(0, &set);
  BOTH("bounds of the watcher", prlimit64, 0, WATCHER, RLIMIT_NOFILE, 0, (unsigned long)&limit);
  BOTH("bounds of the parent", prlimit64, 0, (unsigned long)getpid(), RLIMIT_NOFILE, 0, (unsigned long)&limit);
  BOTH("processors of the watcher", sched_setaffinity, 0, WATCHER, sizeof set, (unsigned long)&set);
  BOTH("priority of the watcher", setpriority, 1, PRIO_PROCESS, WATCHER, 19);
  BOTH("priority of a group", setpriority, 0, PRIO_PGRP, 0, 19);
  BOTH("priority of a user", setpriority, 0, PRIO_USER, 0, 19);
  BOTH("locks of the watcher", get_robust_list, 0, WATCHER, (unsigned long)&limit, (unsigned long)&set);
  BOTH("scheduling cookie", prctl, 0, 62 /* PR_SCHED_CORE */, 1, WATCHER);
  BOTH("child of the watcher", clone, 0, CLONE_PARENT | SIGCHLD);
  BOTH("traced child", clone, 0, CLONE_PTRACE | SIGCHLD);
}

static void descriptors(void) {
  int pipes[2], pair[2];
  int size = 1 << 20;
  if (pipe(pipes) || socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) return;
  unsigned long read_end = (unsigned long)pipes[0], socket = (unsigned long)pair[0], at = (unsigned long)&size;
  BOTH("owner of a pipe", fcntl, 1, read_end, F_SETOWN, WATCHER);
  BOTH("signal of a pipe", fcntl, 1, read_end, F_SETSIG, SIGTERM);
  BOTH("owner by structure", fcntl, 1, read_end, F_SETOWN_EX, at);
  BOTH("notice of a folder", fcntl, 1, (unsigned long)open("/", O_RDONLY), F_NOTIFY, DN_CREATE);
  BOTH("larger pipe", fcntl, 1, read_end, F_SETPIPE_SZ, 1 << 20);
  BOTH("owner by ioctl", ioctl, 1, socket, FIOSETOWN, at);
  BOTH("signals by ioctl", ioctl, 1, socket, FIOASYNC, at);
  BOTH("input for a terminal", ioctl, 1, 0, TIOCSTI, at);
  BOTH("larger buffer to send", setsockopt, 2, socket, SOL_SOCKET, SO_SNDBUF, at, sizeof size);
  BOTH("larger buffer to receive", setsockopt, 2, socket, SOL_SOCKET, SO_RCVBUF, at, sizeof size);
  BOTH("descriptors of senders", setsockopt, 2, socket, SOL_SOCKET, 76 /* SO_PASSPIDFD */, at, sizeof size);
  socklen_t length = sizeof size;
  BOTH("descriptor of the enclave", getsockopt, 2, 0, SOL_SOCKET, 77 /* SO_PEERPIDFD */, at, (unsigned long)&length);
}

static void itself(void) {
  const unsigned long anonymous = MAP_PRIVATE | MAP_ANONYMOUS;
  BOTH("names of memory", prctl, 0, 0x53564d41 /* PR_SET_VMA */, 0, 0, 0, 0);
  BOTH("not dumpable", prctl, 0, PR_SET_DUMPABLE, 0, 0, 0, 0);
  BOTH("subreaper", prctl, 0, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  BOTH("filter of its own", prctl, 0, PR_SET_SECCOMP, 1, 0, 0, 0);
  BOTH("memory that grows", mmap, 3, 0, 4096, PROT_READ, anonymous | MAP_GROWSDOWN, (unsigned long)-1, 0);
  BOTH("huge memory", mmap, 3, 0, 2 << 20, PROT_READ, anonymous | MAP_HUGETLB, (unsigned long)-1, 0);
  BOTH("droppable memory", mmap, 3, 0, 4096, PROT_READ, 0x08 | MAP_ANONYMOUS, (unsigned long)-1, 0);
}

/* The same calls as honest programs make them. */
static void honest(void) {
  struct rlimit limit;
  cpu_set_t set;
  int ready, pair[2];
  tried("own bounds", getrlimit(RLIMIT_NOFILE, &limit) || setrlimit(RLIMIT_NOFILE, &limit) ? -1 : 0);
  tried("own processors", sched_getaffinity(0, sizeof set, &set) || sched_setaffinity(0, sizeof set, &set) ? -1 : 0);
  tried("own priority", setpriority(PRIO_PROCESS, 0, 19));
  tried("own name", prctl(PR_SET_NAME, "honest", 0, 0, 0));
  tried("unread bytes", socketpair(AF_UNIX, SOCK_STREAM, 0, pair) ? -1 : syscall(SYS_ioctl, pair[0], FIONREAD, &ready));
  tried("close on execute", fcntl(pair[0], F_SETFD, FD_CLOEXEC));
  tried("without blocking", fcntl(pair[0], F_SETFL, O_NONBLOCK));
  struct timeval second = {1, 0};
  tried("time limit of a socket", setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second));
}

int main(void) {
  other_processes();
  descriptors();
  itself();
  honest();
  say("done", "yes");
  return 0;
}
