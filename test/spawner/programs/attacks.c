/* A hostile stdio server: tries what a confined one must not be able to do, and prints `name<TAB>outcome` for each. */
#define _GNU_SOURCE
#include "report.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void say_number(const char *name, long number) {
  char text[32];
  snprintf(text, sizeof text, "%ld", number);
  say(name, text);
}

#define CALL(name, ...) tried(#name, syscall(SYS_##name, __VA_ARGS__))

static void descriptors(void) {
  int inherited = 0;
  for (int fd = 3; fd < 4096; fd++) inherited += fcntl(fd, F_GETFD) >= 0;
  say_number("descriptors inherited", inherited);
}

static void sockets(void) {
  int made = 0;
  static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET};
  for (int family = 0; family < 64; family++)
    for (int i = 0; i < 4; i++)
      if (socket(family, types[i], 0) >= 0) made++;
  say_number("sockets made", made);
  tried("vsock socket", socket(40, SOCK_STREAM, 0));
  int pair[2];
  tried("unix pair", socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  tried("inet pair", socketpair(AF_INET, SOCK_STREAM, 0, pair));
  struct sockaddr_un abstract = {AF_UNIX, "\0cmcp-test-abstract"};
  tried("connect to abstract", connect(pair[0], (struct sockaddr *)&abstract, sizeof(sa_family_t) + 19));
  tried("bind", bind(pair[0], (struct sockaddr *)&abstract, sizeof(sa_family_t) + 19));
  tried("listen", listen(pair[0], 1));
}

static void calls(void) {
  char byte;
  struct iovec here = {&byte, 1}, there = {(void *)0x400000, 1};
  CALL(ptrace, 16 /* ATTACH */, 1, 0, 0);
  CALL(process_vm_readv, 1, &here, 1, &there, 1, 0);
  CALL(process_vm_writev, 1, &here, 1, &there, 1, 0);
  CALL(pidfd_open, 1, 0);
  CALL(pidfd_getfd, 3, 0, 0);
  CALL(kcmp, 1, 2, 0, 0, 0);
  CALL(bpf, 0, NULL, 0);
  CALL(perf_event_open, NULL, 0, -1, -1, 0);
  CALL(keyctl, 0, 0, 0, 0, 0);
  CALL(add_key, "user", "x", "x", 1, -3);
  CALL(request_key, "user", "x", NULL, 0);
  CALL(userfaultfd, 1);
  CALL(io_uring_setup, 1, NULL);
  CALL(memfd_create, "x", 0);
  CALL(memfd_secret, 0);
  CALL(shmget, 1, 4096, 01600);
  CALL(shmat, 0, NULL, 0);
  CALL(msgget, 1, 01600);
  CALL(semget, 1, 1, 01600);
  CALL(mq_open, "x", O_RDWR | O_CREAT, 0600, NULL);
  CALL(mount, "none", "/tmp", "tmpfs", 0, NULL);
  CALL(umount2, "/tmp", 2);
  CALL(fsopen, "tmpfs", 0);
  CALL(open_tree, AT_FDCWD, "/", 1);
  CALL(mount_setattr, AT_FDCWD, "/", 0, NULL, 0);
  CALL(pivot_root, "/tmp", "/tmp");
  CALL(chroot, "/tmp");
  tried("unshare the user namespace", unshare(CLONE_NEWUSER));
  tried("unshare the network namespace", unshare(CLONE_NEWNET));
  CALL(setns, 0, 0);
  CALL(clone3, NULL, 0);
  tried("clone with a user namespace", syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
  tried("clone with a network namespace", syscall(SYS_clone, CLONE_NEWNET | SIGCHLD, 0, 0, 0, 0));
  CALL(kexec_load, 0, 0, NULL, 0);
  CALL(finit_module, 0, "", 0);
  CALL(init_module, "", 0, "");
  CALL(open_by_handle_at, 0, NULL, 0);
  CALL(name_to_handle_at, AT_FDCWD, "/", NULL, NULL, 0);
  CALL(mknodat, AT_FDCWD, "/tmp/mem", S_IFCHR | 0666, 0x101);
  CALL(fanotify_init, 0, 0);
  CALL(quotactl, 0, NULL, 0, NULL);
  CALL(swapon, "/tmp/x", 0);
  CALL(reboot, 0xfee1dead, 672274793, 0x89abcdef, NULL);
  CALL(syslog, 3, NULL, 0);
  CALL(settimeofday, NULL, NULL);
  CALL(clock_settime, 0, NULL);
  CALL(sethostname, "x", 1);
  CALL(personality, 0x0040000);
  CALL(setuid, 0);
  CALL(setgid, 0);
  CALL(setgroups, 0, NULL);
  CALL(capset, NULL, NULL);
  CALL(seccomp, 0, 0, NULL);
#ifdef SYS_iopl
  CALL(iopl, 3);
#endif
}

static void open_all(void) {
  static const char *const paths[] = {"/proc/1/mem",
                                      "/proc/self/mem",
                                      "/proc/self/environ",
                                      "/sys",
                                      "/sys/kernel/config",
                                      "/sys/kernel/security",
                                      "/dev/tpm0",
                                      "/dev/tpmrm0",
                                      "/dev/vsock",
                                      "/dev/sev-guest",
                                      "/dev/tdx_guest",
                                      "/dev/mem",
                                      "/dev/kvm",
                                      "/dev/fuse",
                                      "/dev/tty",
                                      "/dev/zero",
                                      "/dev/shm",
                                      "/etc/passwd",
                                      "/root",
                                      "/home",
                                      "/run",
                                      "/var"};
  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) tried(paths[i], open(paths[i], O_RDONLY));
  say("/dev/null", open("/dev/null", O_WRONLY) < 0 ? strerrorname_np(errno) : "worked");
}

static void leave(const char *self) {
  for (int i = 0; i < 64; i++)
    if (chdir("..")) break;
  tried("etc/passwd from above", open("etc/passwd", O_RDONLY));
  tried("dot dot", open("/../../../../etc/passwd", O_RDONLY));
  tried("write to own program", open(self, O_WRONLY));
  tried("remove own program", unlink(self));
  tried("create in root", open("/new", O_WRONLY | O_CREAT, 0600));
  int copy = open("/tmp/run", O_WRONLY | O_CREAT, 0700), from = open(self, O_RDONLY);
  char buffer[4096];
  for (ssize_t got; (got = read(from, buffer, sizeof buffer)) > 0;)
    if (write(copy, buffer, (size_t)got) != got) break;
  close(copy);
  char *const argv[] = {(char *)"run", NULL};
  tried("run from scratch space", execv("/tmp/run", argv));
  unlink("/tmp/run");
}

static const char *ended_by(pid_t pid) {
  int status;
  if (pid < 0 || waitpid(pid, &status, 0) < 0) return strerrorname_np(errno);
  return WIFSIGNALED(status) ? sigabbrev_np(WTERMSIG(status)) : "worked";
}

static void other_abi(void) {
#if defined(__x86_64__)
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    syscall(0x40000000 | SYS_getpid);
    _exit(0);
  }
  say("x32 call", ended_by(pid));
  pid = fork();
  if (pid == 0) {
    long result = 20; /* getpid in the i386 table */
    __asm__ volatile("int $0x80" : "+a"(result) : : "memory");
    _exit(0);
  }
  say("i386 call", ended_by(pid));
#endif
}

static void privilege(void) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct held[2];
  tried("capget", syscall(SYS_capget, &header, held));
  say_number("capabilities", held[0].permitted | held[0].effective | held[0].inheritable | held[1].permitted |
                                 held[1].effective | held[1].inheritable);
  say_number("bounding set", prctl(PR_CAPBSET_READ, 21) | prctl(PR_CAPBSET_READ, 0));
  say_number("no_new_privs", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
  say_number("uid", getuid());
  say_number("groups", getgroups(0, NULL));
  say_number("pid", getpid());
  say_number("parent", getppid());
  say_number("session", getsid(0));
}

static void processes(void) {
  tried("kill the watcher", kill(1, SIGKILL));
  tried("kill everything", kill(-1, 0));
  fflush(stdout);
  int count = 0;
  for (; count < 5000; count++) {
    pid_t pid = fork();
    if (pid == 0) pause();
    if (pid < 0) break;
  }
  say("fork bomb ended by", strerrorname_np(errno));
  say_number("forks", count);
  signal(SIGTERM, SIG_IGN);
  kill(-1, SIGKILL);
  while (wait(NULL) > 0) {
  }
}

static void space(void) {
  static char block[65536];
  signal(SIGXFSZ, SIG_IGN);
  long written = 0;
  int files = 0;
  for (; files < 100; files++) {
    char name[32];
    snprintf(name, sizeof name, "/tmp/fill%d", files);
    int to = open(name, O_WRONLY | O_CREAT, 0600);
    ssize_t got;
    while (to >= 0 && (got = write(to, block, sizeof block)) > 0) written += got;
    close(to);
    if (errno == ENOSPC) break;
  }
  say("disk filled until", strerrorname_np(errno));
  say_number("disk bytes", written);
  for (int i = 0; i <= files; i++) {
    char name[32];
    snprintf(name, sizeof name, "/tmp/fill%d", i);
    unlink(name);
  }
  long made = 0;
  for (;; made++) {
    char name[32];
    snprintf(name, sizeof name, "/tmp/f%ld", made);
    int to = open(name, O_WRONLY | O_CREAT, 0600);
    if (to < 0) break;
    close(to);
  }
  say("files made until", strerrorname_np(errno));
  say_number("files", made);
  int descriptors = 0;
  while (open("/dev/null", O_RDONLY) >= 0) descriptors++;
  say("descriptors opened until", strerrorname_np(errno));
  say_number("descriptors", descriptors);
}

#define MIB (1ul << 20)

static char *map(size_t length, int protection, int flags, int file) {
  return mmap(NULL, length, protection, flags, file, 0);
}

static void try_map(const char *name, int flags) {
  tried(name, map(MIB, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1) == MAP_FAILED ? -1 : 0);
}

/* Writes to mapped files of scratch space until there is no more, and says how much there was. */
static void map_files(void) {
  int told[2];
  char written;
  long mapped = 0;
  if (pipe(told)) return;
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    for (int files = 0; files < 100; files++) {
      char name[32];
      snprintf(name, sizeof name, "/tmp/map%d", files);
      int file = open(name, O_RDWR | O_CREAT, 0600);
      if (ftruncate(file, MIB)) _exit(1);
      char *place = map(MIB, PROT_READ | PROT_WRITE, MAP_SHARED, file);
      if (place == MAP_FAILED) _exit(2);
      for (size_t at = 0; at < MIB; at += 4096) {
        place[at] = 1;
        if (write(told[1], "x", 1) != 1) _exit(3);
      }
    }
    _exit(0);
  }
  close(told[1]);
  while (read(told[0], &written, 1) == 1) mapped += 4096;
  close(told[0]);
  say("mapped files ended by", ended_by(pid));
  say_number("mapped bytes", mapped);
  for (int files = 0; files < 100; files++) {
    char name[32];
    snprintf(name, sizeof name, "/tmp/map%d", files);
    unlink(name);
  }
}

static void memory(void) {
  try_map("shared memory", MAP_SHARED);
  try_map("validated shared memory", MAP_SHARED_VALIDATE);
  try_map("huge shared memory", MAP_SHARED | MAP_HUGETLB);
  try_map("memory that grows", MAP_PRIVATE | MAP_GROWSDOWN);
  try_map("private memory", MAP_PRIVATE);
  long mapped = 0;
  while (mapped < 65536 && map(MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1) != MAP_FAILED) mapped++;
  say("memory taken until", strerrorname_np(errno));
  say_number("memory MiB", mapped);
  struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
  tried("raise the memory bound", setrlimit(RLIMIT_DATA, &limit));
  tried("raise the stack bound", setrlimit(RLIMIT_STACK, &limit));
}

int main(int argc, char **argv) {
  if (argc > 1 && !strcmp(argv[1], "linger")) {
    /* A daemon that leaves its parent, its session and its streams, and ends on no signal it can refuse. */
    if (fork() == 0) {
      setsid();
      if (fork() == 0) {
        for (int i = 1; i < 32; i++) signal(i, SIG_IGN);
        close(0), close(1), close(2);
        for (;;) pause();
      }
    }
    say("lingering", "yes");
    if (argc > 2) return 0;
    for (int i = 1; i < 32; i++) signal(i, SIG_IGN);
    for (;;) pause();
  }
  descriptors();
  sockets();
  calls();
  open_all();
  leave(argv[0]);
  other_abi();
  privilege();
  processes();
  map_files();
  space();
  memory();
  say("done", "yes");
  return 0;
}
