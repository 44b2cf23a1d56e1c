/*
 * PID 1 of the image: makes the file systems and devices the runtime needs, closes what it does not need, starts the
 * runtime without privileges, and switches the machine off when the runtime ends, however it ends. Every step must
 * succeed: a machine that is not confined as meant does not serve.
 *
 * What it takes from outside is the kernel command line, which is measured.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* linux/vm_sockets.h wants sa_family_t first. */
#include <linux/vm_sockets.h>

#include "seccomp.h"
#include "spawner.h"

#define RUNTIME_ID 10001
#define RUN_FOLDER "/run/cmcp"
#define TSM_REPORTS "/sys/kernel/config/tsm/report"
#define TSM_REPORT TSM_REPORTS "/cmcp"
#define MODULE_LIST "/etc/cmcp/modules"
#define NODE_IMAGE "/lib/cmcp/node.erofs"
#define PLATFORM_KEY "cmcp.platform="

/* Port of the host that is told when vsock works. */
#define GUEST_READY_PORT 6001

/* Open files of the runtime: one a stream, twice the streams that the wire allows, and some to spare. */
#define MAX_OPEN_FILES 4096
/* Threads and processes of the runtime's user. */
#define MAX_THREADS 64

/* NONE has nothing to attest with; it is for machines that only try the image. */
enum platform { SEV_SNP, TDX, VTPM, NONE };

static const char *const platform_names[] = {[SEV_SNP] = "sev-snp", [TDX] = "tdx", [VTPM] = "vtpm", [NONE] = "none"};

/* Ends the machine. The reset is for a kernel without ACPI, which cannot power off; the VMM takes it as the end. */
static _Noreturn void power_off(void) {
  reboot(access("/sys/firmware/acpi", F_OK) == 0 ? RB_POWER_OFF : RB_AUTOBOOT);
  for (;;) pause();
}

static _Noreturn void fail(const char *format, ...) {
  int error = errno;
  va_list arguments;

  va_start(arguments, format);
  fputs("init: ", stderr);
  vfprintf(stderr, format, arguments);
  fprintf(stderr, ": %s\n", strerror(error));
  va_end(arguments);
  if (getpid() == 1) power_off();
  _exit(1);
}

static void mount_at(const char *type, const char *target, unsigned long flags, const char *data) {
  if (mkdir(target, 0755) != 0 && errno != EEXIST) fail("mkdir %s", target);
  if (mount(type, target, type, flags, data) != 0) fail("mount %s", target);
}

static void write_file(const char *path, const char *value) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);

  if (fd < 0) fail("open %s", path);
  if (write(fd, value, strlen(value)) != (ssize_t)strlen(value)) fail("write %s", path);
  close(fd);
}

/* Without a console the kernel gives PID 1 no descriptors; the first files opened must not become 0, 1 and 2. */
static void open_standard_descriptors(void) {
  int fd;

  do {
    fd = open("/dev/console", O_RDWR);
    if (fd < 0) fd = open("/dev/null", O_RDWR);
  } while (fd >= 0 && fd < 2);
  if (fd > 2) close(fd);
}

static enum platform read_platform(void) {
  char line[4096];
  int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
  ssize_t size = fd < 0 ? -1 : read(fd, line, sizeof line - 1);

  if (size < 0) fail("read the command line");
  close(fd);
  line[size] = 0;
  for (char *word = strtok(line, " \n"); word != NULL; word = strtok(NULL, " \n")) {
    if (strncmp(word, PLATFORM_KEY, strlen(PLATFORM_KEY)) != 0) continue;
    for (size_t index = 0; index < sizeof platform_names / sizeof *platform_names; index++)
      if (strcmp(word + strlen(PLATFORM_KEY), platform_names[index]) == 0) return (enum platform)index;
  }
  errno = EINVAL;
  fail("the command line names no platform");
}

static void load_module(const char *path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);

  if (fd < 0) fail("open %s", path);
  /* A module whose hardware is absent refuses; what the platform cannot do without is looked for afterwards. */
  if (syscall(SYS_finit_module, fd, "", 0) != 0 && errno != ENODEV) fail("load %s", path);
  close(fd);
}

/* Lines of the list: the platform a module is for, or "all", and its path, in the order of their dependencies. */
static void load_modules(const char *platform) {
  char wanted[16], path[256];
  FILE *list = fopen(MODULE_LIST, "re");

  if (list == NULL) fail("open " MODULE_LIST);
  while (fscanf(list, "%15s %255s", wanted, path) == 2)
    if (strcmp(wanted, "all") == 0 || strcmp(wanted, platform) == 0) load_module(path);
  fclose(list);
}

/*
 * Tells the host that vsock works, by a connection that says nothing more: a vsock daemon may not be asked for the
 * guest before. A host that does not listen refuses, which is as good. Left open for as long as the machine runs, so
 * that nothing is taken back before it was heard.
 */
static void say_ready(void) {
  const struct sockaddr_vm host = {.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_HOST, .svm_port = GUEST_READY_PORT};
  int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

  if (fd < 0) fail("open a vsock socket");
  (void)connect(fd, (const struct sockaddr *)&host, sizeof host);
}

/* Node is most of the image. Its pages are unpacked as they are read, instead of as a whole into memory for good. */
static void mount_node(void) {
  if (mount(NODE_IMAGE, "/usr", "erofs", MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) != 0) fail("mount " NODE_IMAGE);
}

/* Kernel settings, each for good: what the runtime never needs is closed before it starts. */
static void close_kernel(void) {
  static const char *const settings[][2] = {
      /* Modules that belong to the image are loaded; no other shall be. */
      {"/proc/sys/kernel/modules_disabled", "1"},
      /* A second kernel would not be the measured one. */
      {"/proc/sys/kernel/kexec_load_disabled", "1"},
      /* Nobody reads another's memory. */
      {"/proc/sys/kernel/yama/ptrace_scope", "3"},
      /* Kernel addresses and messages help only who attacks it. */
      {"/proc/sys/kernel/kptr_restrict", "2"},
      {"/proc/sys/kernel/dmesg_restrict", "1"},
      {"/proc/sys/kernel/perf_event_paranoid", "3"},
      /* Kernel surface that nothing here uses. */
      {"/proc/sys/kernel/unprivileged_bpf_disabled", "1"},
      {"/proc/sys/kernel/io_uring_disabled", "2"},
      {"/proc/sys/user/max_user_namespaces", "0"},
      {"/proc/sys/kernel/sysrq", "0"},
      /* A fault of the kernel ends the machine, not one task of it. */
      {"/proc/sys/kernel/panic_on_oops", "1"},
      /* Out of memory is the end of the runtime and so of the machine; nothing limps on. */
      {"/proc/sys/vm/panic_on_oom", "1"},
  };

  for (size_t index = 0; index < sizeof settings / sizeof *settings; index++)
    write_file(settings[index][0], settings[index][1]);
}

/* Keys may be made only when the kernel's generator was seeded; the command line lets it trust the processor alone. */
static void require_entropy(void) {
  unsigned char byte;

  if (getrandom(&byte, 1, GRND_NONBLOCK) != 1) fail("the random generator is not seeded");
}

static void give_to_runtime(const char *path, mode_t mode) {
  if (chown(path, RUNTIME_ID, RUNTIME_ID) != 0 || chmod(path, mode) != 0) fail("give %s to the runtime", path);
}

/* Runs the helper as root and keeps its answer where the runtime alone reads it. */
static void keep_answer(const char *request, const char *path) {
  int status;
  pid_t child = fork();

  if (child == 0) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0400);

    if (fd < 0 || fchown(fd, RUNTIME_ID, RUNTIME_ID) != 0 || dup2(fd, 1) < 0) fail("create %s", path);
    execl("/bin/helper", "helper", request, NULL);
    fail("start the helper");
  }
  if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
    errno = EIO;
    fail("the processor gave no answer to %s", request);
  }
}

/*
 * configfs makes the files of a report request for root only, so the one request the runtime uses is made here and the
 * files that are not for everybody are handed over. Which there are, the platform's driver decides.
 */
static void prepare_report_request(void) {
  static const char *const files[] = {"inblob", "outblob", "auxblob", "privlevel"};
  char path[128];

  if (mkdir(TSM_REPORT, 0755) != 0) fail("mkdir " TSM_REPORT);
  for (size_t index = 0; index < sizeof files / sizeof *files; index++) {
    snprintf(path, sizeof path, TSM_REPORT "/%s", files[index]);
    if (chown(path, RUNTIME_ID, RUNTIME_ID) != 0 && errno != ENOENT) fail("chown %s", path);
  }
}

static void prepare_attestation(enum platform platform) {
  switch (platform) {
  case SEV_SNP:
    keep_answer("snp-key", RUN_FOLDER "/derived-key");
    prepare_report_request();
    break;
  case TDX:
    keep_answer("tdx-report", RUN_FOLDER "/local-report");
    prepare_report_request();
    break;
  case VTPM:
    give_to_runtime("/dev/tpmrm0", 0600);
    if (access("/sys/kernel/security/tpm0/binary_bios_measurements", F_OK) != 0) fail("the firmware left no event log");
    /* The log is readable by root alone and is what a verifier replays; securityfs takes a new owner. */
    give_to_runtime("/sys/kernel/security/tpm0/binary_bios_measurements", 0400);
    break;
  case NONE:
    break;
  }
}

static void limit(int resource, rlim_t value) {
  struct rlimit both = {value, value};

  if (setrlimit(resource, &both) != 0) fail("setrlimit %d", resource);
}

/* In the child: gives up everything, for good, and becomes the runtime. */
static _Noreturn void become_runtime(enum platform platform) {
  static char *const arguments[] = {
      "/usr/bin/node",
      "--permission",
      "--allow-fs-read=/app",
      "--allow-fs-read=/lib/cmcp",
      "--allow-fs-read=" RUN_FOLDER,
      "--allow-fs-read=/dev",
      "--allow-fs-read=/sys",
      "--allow-fs-read=/proc",
      "--allow-fs-write=/dev/tpmrm0",
      "--allow-fs-write=" TSM_REPORT,
      "--allow-worker",
      "--allow-addons",
      "--disallow-code-generation-from-strings",
      "--disable-proto=delete",
      "--no-global-search-paths",
      "--disable-sigusr1",
      "--max-old-space-size=256",
      "--min-semi-space-size=16",
      /* One that grows beyond comes near the room of the old space; then V8 marks the whole heap instead of collecting
         it. */
      "--max-semi-space-size=16",
      "--disable-warning=SecurityWarning",
      "/app/enclave.cjs",
      NULL,
  };
  /* What this machine is, from the measured command line: the runtime takes no launch document's word for it. */
  char platform_variable[64];
  char *const environment[] = {
      "CMCP_ENCLAVE_LISTEN=vsock:5000",
      "CMCP_HOST_SERVICES=vsock:2:6000",
      "CMCP_VSOCK_ADDON=/lib/cmcp/vsock.node",
      "CMCP_SPAWN_SOCKET=" SPAWNER_SOCKET,
      platform_variable,
      NULL,
  };

  snprintf(platform_variable, sizeof platform_variable, "CMCP_IMAGE_PLATFORM=%s", platform_names[platform]);

  if (setsid() < 0 || chdir("/") != 0) fail("leave the session");
  /* A network namespace of its own holds no interface that is up; vsock is not part of it. */
  if (unshare(CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) != 0) fail("unshare");
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_NOFILE, MAX_OPEN_FILES);
  limit(RLIMIT_NPROC, MAX_THREADS);
  limit(RLIMIT_MEMLOCK, 0);
  for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) fail("drop capability %d", capability);
  /* Leaving uid 0 empties the other capability sets. */
  if (setgroups(0, NULL) != 0 || setresgid(RUNTIME_ID, RUNTIME_ID, RUNTIME_ID) != 0 ||
      setresuid(RUNTIME_ID, RUNTIME_ID, RUNTIME_ID) != 0)
    fail("leave uid 0");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || install_runtime_filter() != 0)
    fail("install the system call filter");
  execve(arguments[0], arguments, environment);
  fail("start the runtime");
}

int main(void) {
  enum platform platform;
  pid_t runtime, ended;
  int status;

  /* The kernel mounts nothing on an initramfs, devtmpfs not either. */
  mount_at("devtmpfs", "/dev", MS_NOSUID | MS_NOEXEC, "mode=0755");
  open_standard_descriptors();
  mount_at("proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "hidepid=invisible");
  mount_at("sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
  mount_at("securityfs", "/sys/kernel/security", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
  mount_at("cgroup2", CGROUPS, MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
  mount_at("tmpfs", "/run", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0755,size=1m");
  if (mkdir(RUN_FOLDER, 0755) != 0) fail("mkdir " RUN_FOLDER);
  platform = read_platform();
  load_modules(platform_names[platform]);
  say_ready();
  mount_node();
  if (platform == SEV_SNP || platform == TDX)
    mount_at("configfs", "/sys/kernel/config", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
  require_entropy();
  prepare_attestation(platform);
  close_kernel();
  if (start_spawner(RUNTIME_ID) != 0) fail("start the spawner");
  /* Nothing is written after this: what runs is what was measured. */
  if (mount(NULL, "/run", NULL, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0 ||
      mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) != 0)
    fail("remount read-only");

  runtime = fork();
  if (runtime < 0) fail("fork");
  if (runtime == 0) become_runtime(platform);
  do ended = wait(&status);
  while (ended != runtime && (ended > 0 || errno == EINTR));
  fprintf(stderr, "init: the runtime ended with status %d\n", status);
  power_off();
}
