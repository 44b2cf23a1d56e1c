/*
 * The system calls a server may make: what interpreters and plain programs need, and nothing that reaches another
 * process, a device, the network or the kernel's own configuration. The rest does not exist (ENOSYS), so that libraries
 * fall back. arguments.c says which arguments are refused. See seccomp(2).
 */
#define _GNU_SOURCE
#include "spawn.h"
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#define FOREIGN_NUMBERS 0x40000000u /* the x32 ABI: other numbers for the same calls */
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#define FOREIGN_NUMBERS 0x80000000u
#else
#error "no system call filter for this architecture"
#endif

/* What a server with a way out may do beyond ALLOWED. */
static const int CONNECTING[] = {SYS_connect};

/* All that the forwarder of such a server does. */
static const int FORWARDING[] = {
    SYS_recvfrom, SYS_sendto,          SYS_recvmsg, SYS_accept4,    SYS_shutdown,     SYS_close,
    SYS_ppoll,    SYS_restart_syscall, SYS_exit,    SYS_exit_group, SYS_rt_sigreturn,
#if defined(__x86_64__)
    SYS_poll,
#endif
};

/* A call that is refused for every argument is listed too: its rule decides. */
static const int ALLOWED[] = {
    /* files */
    SYS_read,
    SYS_write,
    SYS_pread64,
    SYS_pwrite64,
    SYS_readv,
    SYS_writev,
    SYS_preadv,
    SYS_pwritev,
    SYS_preadv2,
    SYS_pwritev2,
    SYS_openat,
    SYS_openat2,
    SYS_close,
    SYS_close_range,
    SYS_lseek,
    SYS_fstat,
    SYS_newfstatat,
    SYS_statx,
    SYS_statfs,
    SYS_fstatfs,
    SYS_getdents64,
    SYS_readlinkat,
    SYS_faccessat,
    SYS_faccessat2,
    SYS_mkdirat,
    SYS_unlinkat,
    SYS_renameat,
    SYS_renameat2,
    SYS_linkat,
    SYS_symlinkat,
    SYS_fchmod,
    SYS_fchmodat,
    SYS_fchown,
    SYS_fchownat,
    SYS_utimensat,
    SYS_truncate,
    SYS_ftruncate,
    SYS_fallocate,
    SYS_fadvise64,
    SYS_readahead,
    SYS_sendfile,
    SYS_copy_file_range,
    SYS_splice,
    SYS_tee,
    SYS_fsync,
    SYS_fdatasync,
    SYS_sync_file_range,
    SYS_flock,
    SYS_fcntl,
    SYS_dup,
    SYS_dup3,
    SYS_pipe2,
    SYS_ioctl,
    SYS_getcwd,
    SYS_chdir,
    SYS_fchdir,
    SYS_umask,
    SYS_getxattr,
    SYS_lgetxattr,
    SYS_fgetxattr,
    SYS_listxattr,
    SYS_llistxattr,
    SYS_flistxattr,
    /* waiting */
    SYS_ppoll,
    SYS_pselect6,
    SYS_epoll_create1,
    SYS_epoll_ctl,
    SYS_epoll_pwait,
    SYS_epoll_pwait2,
    SYS_eventfd2,
    SYS_signalfd4,
    SYS_timerfd_create,
    SYS_timerfd_settime,
    SYS_timerfd_gettime,
    SYS_inotify_init1,
    SYS_inotify_add_watch,
    SYS_inotify_rm_watch,
    SYS_futex,
    SYS_futex_waitv,
    SYS_nanosleep,
    SYS_clock_nanosleep,
    SYS_restart_syscall,
    /* the stream that is standard input and output, and pairs */
    SYS_socket,
    SYS_socketpair,
    SYS_sendto,
    SYS_recvfrom,
    SYS_sendmsg,
    SYS_recvmsg,
    SYS_shutdown,
    SYS_getsockname,
    SYS_getpeername,
    SYS_getsockopt,
    SYS_setsockopt,
    /* memory */
    SYS_brk,
    SYS_mmap,
    SYS_munmap,
    SYS_mremap,
    SYS_mprotect,
    SYS_madvise,
    SYS_msync,
    SYS_mincore,
    SYS_mlock,
    SYS_mlock2,
    SYS_munlock,
    SYS_membarrier,
    SYS_pkey_alloc,
    SYS_pkey_free,
    SYS_pkey_mprotect,
    /* processes and threads */
    SYS_clone,
    SYS_execve,
    SYS_execveat,
    SYS_exit,
    SYS_exit_group,
    SYS_wait4,
    SYS_waitid,
    SYS_kill,
    SYS_tkill,
    SYS_tgkill,
    SYS_getpid,
    SYS_getppid,
    SYS_gettid,
    SYS_getpgid,
    SYS_setpgid,
    SYS_getsid,
    SYS_setsid,
    SYS_set_tid_address,
    SYS_set_robust_list,
    SYS_get_robust_list,
    SYS_rseq,
    SYS_prctl,
    SYS_capget,
    SYS_sched_yield,
    SYS_sched_getaffinity,
    SYS_sched_setaffinity,
    SYS_sched_getparam,
    SYS_sched_getscheduler,
    SYS_sched_get_priority_max,
    SYS_sched_get_priority_min,
    SYS_getpriority,
    SYS_setpriority,
    SYS_getcpu,
    SYS_prlimit64,
    SYS_getrusage,
    SYS_times,
    /* signals, clocks, identity */
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_rt_sigpending,
    SYS_rt_sigtimedwait,
    SYS_rt_sigsuspend,
    SYS_sigaltstack,
    SYS_clock_gettime,
    SYS_clock_getres,
    SYS_gettimeofday,
    SYS_getitimer,
    SYS_setitimer,
    SYS_timer_create,
    SYS_timer_settime,
    SYS_timer_gettime,
    SYS_timer_delete,
    SYS_timer_getoverrun,
    SYS_getuid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getegid,
    SYS_getresuid,
    SYS_getresgid,
    SYS_getgroups,
    SYS_uname,
    SYS_sysinfo,
    SYS_getrandom,
#if defined(__x86_64__)
    SYS_open,
    SYS_stat,
    SYS_lstat,
    SYS_access,
    SYS_readlink,
    SYS_mkdir,
    SYS_rmdir,
    SYS_creat,
    SYS_link,
    SYS_unlink,
    SYS_symlink,
    SYS_rename,
    SYS_chmod,
    SYS_chown,
    SYS_lchown,
    SYS_utime,
    SYS_utimes,
    SYS_futimesat,
    SYS_getdents,
    SYS_dup2,
    SYS_pipe,
    SYS_poll,
    SYS_select,
    SYS_epoll_create,
    SYS_epoll_wait,
    SYS_eventfd,
    SYS_signalfd,
    SYS_inotify_init,
    SYS_pause,
    SYS_alarm,
    SYS_fork,
    SYS_vfork,
    SYS_getpgrp,
    SYS_time,
    SYS_getrlimit,
    SYS_arch_prctl,
#endif
};

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, action)
#define JUMP(test, value, yes, no) BPF_JUMP(BPF_JMP | test | BPF_K, value, yes, no)

/* Instructions of a whole filter; BPF_MAXINSNS of the kernel. */
#define MAX_PROGRAM 4096

struct program {
  unsigned short length;
  struct sock_filter steps[MAX_PROGRAM];
};

static void add(struct program *program, struct sock_filter step) {
  if (program->length < MAX_PROGRAM) program->steps[program->length++] = step;
}

/* Refuses a call that breaks the rule, and goes on after it with any other. The low half of an argument decides: all
 * that rules look at are 32 bits wide for the kernel (or, as flags, have no more), and both architectures are
 * little-endian here. */
static void add_rule(struct program *program, const struct rule *rule) {
  unsigned tests = rule->test == ONE_OF ? rule->count : rule->test == NONE_OF_BITS ? 1 : 2;
  add(program, (struct sock_filter)LOAD(nr));
  add(program,
      (struct sock_filter)JUMP(BPF_JEQ, (uint32_t)rule->call, 0, (uint8_t)((rule->level ? 2 : 0) + 1 + tests + 1)));
  if (rule->level) {
    add(program, (struct sock_filter)LOAD(args[1]));
    add(program, (struct sock_filter)JUMP(BPF_JEQ, *rule->level, 0, (uint8_t)(1 + tests + 1)));
  }
  add(program, (struct sock_filter)LOAD(args[rule->argument]));
  if (rule->test == NONE_OF_BITS)
    add(program, (struct sock_filter)JUMP(BPF_JSET, *rule->values, 0, 1));
  else if (rule->test == NOT_ALL_BITS) {
    add(program, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, *rule->values));
    add(program, (struct sock_filter)JUMP(BPF_JEQ, *rule->values, 0, 1));
  } else
    for (unsigned i = 0; i < rule->count; i++)
      add(program, (struct sock_filter)JUMP(BPF_JEQ, rule->values[i], (uint8_t)(rule->count - i), 0));
  add(program, (struct sock_filter)RETURN(SECCOMP_RET_ERRNO | (uint32_t)rule->error));
}

static void allow(struct program *program, const int *calls, size_t count) {
  for (size_t i = 0; i < count; i++) {
    add(program, (struct sock_filter)JUMP(BPF_JEQ, (uint32_t)calls[i], 0, 1));
    add(program, (struct sock_filter)RETURN(SECCOMP_RET_ALLOW));
  }
}

int filter_install(enum role role) {
  static const struct sock_filter head[] = {
      LOAD(arch), JUMP(BPF_JEQ, ARCHITECTURE, 1, 0),    RETURN(SECCOMP_RET_KILL_PROCESS),
      LOAD(nr),   JUMP(BPF_JGE, FOREIGN_NUMBERS, 0, 1), RETURN(SECCOMP_RET_KILL_PROCESS),
  };
  static struct program program;
  unsigned count;
  const struct rule *rules = argument_rules(role, &count);
  program.length = 0;
  for (size_t i = 0; i < COUNT(head); i++) add(&program, head[i]);
  for (unsigned i = 0; i < count; i++) add_rule(&program, &rules[i]);
  add(&program, (struct sock_filter)LOAD(nr));
  if (role == FORWARDER)
    allow(&program, FORWARDING, COUNT(FORWARDING));
  else
    allow(&program, ALLOWED, COUNT(ALLOWED));
  if (role == CONNECTING_SERVER) allow(&program, CONNECTING, COUNT(CONNECTING));
  add(&program, (struct sock_filter)RETURN(SECCOMP_RET_ERRNO | ENOSYS));
  if (program.length == MAX_PROGRAM) return -1;
  struct sock_fprog filter = {program.length, program.steps};
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0);
}
