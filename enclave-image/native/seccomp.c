/*
 * Seccomp filter of the runtime: an allow-list of what Node needs, everything else answers ENOSYS, which C library and
 * libuv take as "this kernel does not have it" and go another way (clone3, io_uring).
 *
 * Four calls are looked into:
 *   socket  only AF_VSOCK, AF_UNIX, at which the spawner of stdio servers listens, and NETLINK_ROUTE, by which the
 *           runtime sees for itself that it has no network interface;
 *   clone   only threads, so that no second process can come to be;
 *   ioctl   only the requests libuv makes on descriptors;
 *   prlimit64  only of the caller itself.
 */
#define _GNU_SOURCE
#include "seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
/* Arguments are 64 bits wide; the kernel reads the low half of the ones looked at here. */
#define LOAD_ARGUMENT(n) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[n]))
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define REFUSE(error) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error))
#define ALLOW_CALL(name) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1), ALLOW
#define ALLOW_VALUE(value) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, 1), ALLOW

static struct sock_filter filter[] = {
    /* Numbers mean something else in the 32-bit and x32 calling conventions. */
    LOAD(arch),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    LOAD(nr),
    BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),

    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 10),
    LOAD_ARGUMENT(0),
    ALLOW_VALUE(AF_VSOCK),
    ALLOW_VALUE(AF_UNIX),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_NETLINK, 0, 3),
    LOAD_ARGUMENT(2),
    ALLOW_VALUE(NETLINK_ROUTE),
    REFUSE(EAFNOSUPPORT),

    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 4),
    LOAD_ARGUMENT(0),
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 0, 1),
    ALLOW,
    REFUSE(EPERM),

    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 8),
    LOAD_ARGUMENT(1),
    ALLOW_VALUE(FIONBIO),
    ALLOW_VALUE(FIOCLEX),
    ALLOW_VALUE(TCGETS),
    REFUSE(ENOTTY),

    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prlimit64, 0, 4),
    LOAD_ARGUMENT(0),
    ALLOW_VALUE(0),
    REFUSE(EPERM),

    /* Memory and threads. */
    ALLOW_CALL(brk),
    ALLOW_CALL(mmap),
    ALLOW_CALL(munmap),
    ALLOW_CALL(mremap),
    ALLOW_CALL(mprotect),
    ALLOW_CALL(madvise),
    ALLOW_CALL(membarrier),
    ALLOW_CALL(futex),
    ALLOW_CALL(rseq),
    ALLOW_CALL(set_robust_list),
    ALLOW_CALL(set_tid_address),
    ALLOW_CALL(arch_prctl),
    ALLOW_CALL(sched_yield),
    ALLOW_CALL(sched_getaffinity),
    ALLOW_CALL(sched_getparam),
    ALLOW_CALL(sched_getscheduler),
    ALLOW_CALL(getcpu),
    ALLOW_CALL(gettid),
    ALLOW_CALL(exit),
    ALLOW_CALL(exit_group),
    /* Signals. */
    ALLOW_CALL(rt_sigaction),
    ALLOW_CALL(rt_sigprocmask),
    ALLOW_CALL(rt_sigreturn),
    ALLOW_CALL(sigaltstack),
    ALLOW_CALL(tgkill),
    /* Time and randomness. */
    ALLOW_CALL(clock_gettime),
    ALLOW_CALL(clock_getres),
    ALLOW_CALL(clock_nanosleep),
    ALLOW_CALL(gettimeofday),
    ALLOW_CALL(getrandom),
    /* Who and where it is. */
    ALLOW_CALL(getpid),
    ALLOW_CALL(getppid),
    ALLOW_CALL(getuid),
    ALLOW_CALL(geteuid),
    ALLOW_CALL(getgid),
    ALLOW_CALL(getegid),
    ALLOW_CALL(getgroups),
    ALLOW_CALL(getcwd),
    ALLOW_CALL(uname),
    ALLOW_CALL(sysinfo),
    ALLOW_CALL(getrusage),
    ALLOW_CALL(prctl),
    /* Files; which ones, owners and modes say. */
    ALLOW_CALL(openat),
    ALLOW_CALL(close),
    ALLOW_CALL(close_range),
    ALLOW_CALL(read),
    ALLOW_CALL(pread64),
    ALLOW_CALL(readv),
    ALLOW_CALL(write),
    ALLOW_CALL(writev),
    ALLOW_CALL(lseek),
    ALLOW_CALL(fstat),
    ALLOW_CALL(newfstatat),
    ALLOW_CALL(statx),
    ALLOW_CALL(access),
    ALLOW_CALL(faccessat),
    ALLOW_CALL(faccessat2),
    ALLOW_CALL(readlink),
    ALLOW_CALL(readlinkat),
    ALLOW_CALL(getdents64),
    ALLOW_CALL(fcntl),
    ALLOW_CALL(dup3),
    /* The event loop. */
    ALLOW_CALL(epoll_create1),
    ALLOW_CALL(epoll_ctl),
    ALLOW_CALL(epoll_wait),
    ALLOW_CALL(epoll_pwait),
    ALLOW_CALL(eventfd2),
    ALLOW_CALL(pipe2),
    ALLOW_CALL(poll),
    ALLOW_CALL(ppoll),
    /* Sockets, of the families above. */
    ALLOW_CALL(bind),
    ALLOW_CALL(listen),
    ALLOW_CALL(accept4),
    ALLOW_CALL(connect),
    ALLOW_CALL(shutdown),
    ALLOW_CALL(sendto),
    ALLOW_CALL(recvfrom),
    ALLOW_CALL(sendmsg),
    ALLOW_CALL(recvmsg),
    ALLOW_CALL(getsockopt),
    ALLOW_CALL(setsockopt),
    ALLOW_CALL(getsockname),
    /* PID 1 starts the runtime with it after the filter is in force; with fork refused it starts nothing beside it. */
    ALLOW_CALL(execve),
    REFUSE(ENOSYS),
};

int install_runtime_filter(void) {
  struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};

  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}
