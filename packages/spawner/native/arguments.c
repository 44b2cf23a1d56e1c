/*
 * What the arguments of a server's system calls may be. Two classes are refused: a call that names a process which is
 * not the caller's own, the watcher above all, and one that grows memory that nobody counts. Calls that only read about
 * a process stay: the PID namespace shows a server none but its own and the watcher.
 */
#define _GNU_SOURCE
#include "spawn.h"
#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

/* TCGETS2 of both architectures; its header does not go together with that of the C library. */
#define GET_TERMINAL 0x802c542a
/* The caller itself, wherever a process id is expected. */
static const uint32_t ITSELF[] = {0};
static const uint32_t OWN_PROCESS[] = {PRIO_PROCESS};
static const uint32_t UNIX[] = {AF_UNIX};

/* Threads, and processes as fork, vfork and posix_spawn make them. No new namespace, no child of the watcher's
 * (CLONE_PARENT). clone(2) takes the low half and the signal in its lowest byte. */
static const uint32_t OTHER_CLONES[] = {~(uint32_t)(0xff | CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
                                                    CLONE_PIDFD | CLONE_VFORK | CLONE_THREAD | CLONE_SYSVSEM |
                                                    CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID |
                                                    CLONE_DETACHED | CLONE_CHILD_SETTID)};

/* Memory of nobody's in particular; MAP_SHARED_VALIDATE has the bit of MAP_SHARED too. */
static const uint32_t SHARED_MEMORY[] = {MAP_SHARED | MAP_ANONYMOUS};
/* Memory that grows by itself, huge pages, and MAP_DROPPABLE (0x08, Linux 6.11): RLIMIT_DATA or the watcher misses
 * them. */
static const uint32_t UNCOUNTED_MEMORY[] = {MAP_GROWSDOWN | MAP_HUGETLB | 0x08};

/* No owner of a descriptor's signals (F_SETOWN, F_SETSIG, F_NOTIFY), no larger pipe (F_SETPIPE_SZ). */
static const uint32_t DESCRIPTOR_COMMANDS[] = {F_DUPFD,     F_DUPFD_CLOEXEC, F_GETFD,      F_SETFD,    F_GETFL,
                                               F_SETFL,     F_GETLK,         F_SETLK,      F_SETLKW,   F_OFD_GETLK,
                                               F_OFD_SETLK, F_OFD_SETLKW,    F_GETPIPE_SZ, F_GET_SEALS};

/* What libraries ask of any descriptor. */
static const uint32_t DEVICE_REQUESTS[] = {FIONREAD, FIONBIO,    FIOCLEX,   FIONCLEX,
                                           TCGETS,   TIOCGWINSZ, TIOCGPGRP, GET_TERMINAL};

static const uint32_t PROCESS_OPTIONS[] = {
    PR_SET_NAME,       PR_GET_NAME,         PR_SET_PDEATHSIG,    PR_GET_PDEATHSIG,   PR_GET_DUMPABLE,
    PR_CAPBSET_READ,   PR_GET_NO_NEW_PRIVS, PR_SET_NO_NEW_PRIVS, PR_GET_SECCOMP,     PR_GET_KEEPCAPS,
    PR_GET_SECUREBITS, PR_SET_TIMERSLACK,   PR_GET_TIMERSLACK,   PR_GET_THP_DISABLE, PR_SET_THP_DISABLE};

/* No larger buffer (SO_SNDBUF, SO_RCVBUF), no filter, no descriptor of the sender (SO_PASSPIDFD). */
static const uint32_t SOCKET_SETTINGS[] = {SO_REUSEADDR, SO_KEEPALIVE, SO_LINGER,
                                           SO_PASSCRED,  SO_RCVTIMEO,  SO_SNDTIMEO};
/* No descriptor of the process at the other end (SO_PEERPIDFD), which for standard input is the enclave. */
static const uint32_t SOCKET_FACTS[] = {SO_TYPE,      SO_ERROR,    SO_SNDBUF,   SO_RCVBUF,    SO_KEEPALIVE,
                                        SO_REUSEADDR, SO_LINGER,   SO_PASSCRED, SO_PEERCRED,  SO_RCVTIMEO,
                                        SO_SNDTIMEO,  SO_PROTOCOL, SO_DOMAIN,   SO_ACCEPTCONN};

/* A way out is a stream over IPv4 to the forwarder, which is all that its network has. Node ends without IP_TOS. */
static const uint32_t INTERNET[] = {AF_INET};
static const uint32_t STREAMS[] = {SOCK_STREAM, SOCK_STREAM | SOCK_CLOEXEC, SOCK_STREAM | SOCK_NONBLOCK,
                                   SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK};
static const uint32_t TCP[] = {0, IPPROTO_TCP};
static const uint32_t LEVELS[] = {SOL_SOCKET, IPPROTO_TCP, IPPROTO_IP};
static const uint32_t TCP_SETTINGS[] = {TCP_NODELAY, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT};
static const uint32_t IP_SETTINGS[] = {IP_TOS};

#define LIST(array) (array), sizeof(array) / sizeof *(array)

/* Sockets of a server without a way out, and of one with. */
static const struct rule NO_SOCKETS[] = {
    {SYS_socket, 0, ONE_OF, EPERM, NULL, 0, NULL},
    {SYS_setsockopt, 2, ONE_OF, ENOPROTOOPT, LIST(SOCKET_SETTINGS), NULL},
};
static const struct rule STREAM_SOCKETS[] = {
    {SYS_socket, 0, ONE_OF, EAFNOSUPPORT, LIST(INTERNET), NULL},
    {SYS_socket, 1, ONE_OF, EPERM, LIST(STREAMS), NULL},
    {SYS_socket, 2, ONE_OF, EPERM, LIST(TCP), NULL},
    {SYS_setsockopt, 1, ONE_OF, ENOPROTOOPT, LIST(LEVELS), NULL},
    {SYS_setsockopt, 2, ONE_OF, ENOPROTOOPT, LIST(SOCKET_SETTINGS), &LEVELS[0]},
    {SYS_setsockopt, 2, ONE_OF, ENOPROTOOPT, LIST(TCP_SETTINGS), &LEVELS[1]},
    {SYS_setsockopt, 2, ONE_OF, ENOPROTOOPT, LIST(IP_SETTINGS), &LEVELS[2]},
};

static const struct rule RULES[] = {
    {SYS_socketpair, 0, ONE_OF, EPERM, LIST(UNIX), NULL},
    {SYS_getsockopt, 2, ONE_OF, ENOPROTOOPT, LIST(SOCKET_FACTS), NULL},
    {SYS_mmap, 3, NONE_OF_BITS, EPERM, LIST(UNCOUNTED_MEMORY), NULL},
    {SYS_mmap, 3, NOT_ALL_BITS, EPERM, LIST(SHARED_MEMORY), NULL},
    {SYS_clone, 0, NONE_OF_BITS, EPERM, LIST(OTHER_CLONES), NULL},
    {SYS_fcntl, 1, ONE_OF, EINVAL, LIST(DESCRIPTOR_COMMANDS), NULL},
    {SYS_ioctl, 1, ONE_OF, ENOTTY, LIST(DEVICE_REQUESTS), NULL},
    {SYS_prctl, 0, ONE_OF, EINVAL, LIST(PROCESS_OPTIONS), NULL},
    {SYS_prlimit64, 0, ONE_OF, EPERM, LIST(ITSELF), NULL},
    {SYS_sched_setaffinity, 0, ONE_OF, EPERM, LIST(ITSELF), NULL},
    {SYS_setpriority, 0, ONE_OF, EPERM, LIST(OWN_PROCESS), NULL},
    {SYS_setpriority, 1, ONE_OF, EPERM, LIST(ITSELF), NULL},
    {SYS_get_robust_list, 0, ONE_OF, EPERM, LIST(ITSELF), NULL},
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

const struct rule *argument_rules(enum role role, unsigned *count) {
  static struct rule rules[COUNT(RULES) + COUNT(STREAM_SOCKETS)];
  const struct rule *sockets = role == SERVER ? NO_SOCKETS : STREAM_SOCKETS;
  unsigned own = role == SERVER ? COUNT(NO_SOCKETS) : COUNT(STREAM_SOCKETS);
  memcpy(rules, sockets, own * sizeof *rules);
  memcpy(rules + own, RULES, sizeof RULES);
  /* The forwarder's few calls need none. */
  *count = role == FORWARDER ? 0 : own + COUNT(RULES);
  return rules;
}
