/* Tries system calls under the runtime's filter and prints what each one answers: "<name> <errno, 0 for success>". */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../../enclave-image/native/seccomp.h"

static void say(const char *name, long result) {
  printf("%s %d\n", name, result < 0 ? errno : 0);
  fflush(stdout);
}

static void *nothing(void *argument) { return argument; }

/* In a child made before the filter: the signal that ended it, 0 for none. */
static int signal_of(void (*attempt)(void)) {
  int status;
  pid_t child = fork();

  if (child == 0) {
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    install_runtime_filter();
    attempt();
    _exit(0);
  }
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void call_x32(void) { syscall(0x40000000 | SYS_getpid); }

static void call_i386(void) {
  long result;

  /* getpid of the 32-bit convention. */
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory");
}

int main(void) {
  pthread_t thread;
  int one = 1, pair[2];

  printf("x32 signal %d\n", signal_of(call_x32));
  printf("i386 signal %d\n", signal_of(call_i386));
  fflush(stdout);
  /* The kernel answers a socket's requests on one that is there already. */
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) return 1;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || install_runtime_filter() != 0) return 1;
  say("socket-inet", socket(AF_INET, SOCK_STREAM, 0));
  say("socket-inet6", socket(AF_INET6, SOCK_DGRAM, 0));
  say("socket-unix", socket(AF_UNIX, SOCK_STREAM, 0));
  say("socket-packet", socket(AF_PACKET, SOCK_RAW, 0));
  say("socket-netlink-route", socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
  say("socket-netlink-audit", socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT));
  say("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, (int[2]){0}));
  say("fork", syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
  say("vfork", syscall(SYS_vfork));
  say("thread", -(long)pthread_create(&thread, NULL, nothing, NULL));
  say("ptrace", ptrace(PTRACE_TRACEME, 0, 0, 0));
  say("process-vm-readv", syscall(SYS_process_vm_readv, getpid(), 0, 0, 0, 0, 0));
  say("mount", syscall(SYS_mount, "x", "/", "tmpfs", 0, 0));
  say("unshare", syscall(SYS_unshare, CLONE_NEWUSER));
  say("setns", syscall(SYS_setns, 0, 0));
  say("bpf", syscall(SYS_bpf, 0, 0, 0));
  say("io-uring", syscall(SYS_io_uring_setup, 1, 0));
  say("userfaultfd", syscall(SYS_userfaultfd, 0));
  say("perf", syscall(SYS_perf_event_open, 0, 0, 0, 0, 0));
  say("keyctl", syscall(SYS_keyctl, 0, 0, 0, 0, 0));
  say("kexec", syscall(SYS_kexec_load, 0, 0, 0, 0));
  say("module", syscall(SYS_init_module, 0, 0, 0));
  say("reboot", syscall(SYS_reboot, 0, 0, 0, 0));
  say("setuid", syscall(SYS_setuid, 0));
  say("chmod", syscall(SYS_chmod, "/", 0755));
  say("unlink", syscall(SYS_unlink, "/nothing"));
  say("ioctl-fionbio", ioctl(1, FIONBIO, &one));
  say("ioctl-tiocsti", ioctl(0, TIOCSTI, "x"));
  say("ioctl-siocoutq", ioctl(pair[0], SIOCOUTQ, &one));
  say("ioctl-other", ioctl(0, 0xc0dec0de, 0));
  return 0;
}
