/*
 * What a server's process is shut into before its program starts; SPEC.md, "Confinement". Runs in the child, in fresh
 * namespaces. Every step must succeed.
 */
#define _GNU_SOURCE
#include "spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <linux/securebits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Uid and gid a server sees where it has none of its own on the machine. */
#define INNER_ID 1000u
#define NICE 10
/* Bytes of the stack of a process's first thread; without a bound it would be memory that no other counts. */
#define STACK (8u << 20)
/* Signals that wait, and timers, of all processes of a server: memory of the kernel's. */
#define SIGNALS 1024

static int map_ids(const struct machine *machine) {
  char map[64];
  /* A process that is not dumpable does not own its files in /proc. */
  if (prctl(PR_SET_DUMPABLE, 1)) return -1;
  snprintf(map, sizeof map, "%u %u 1", INNER_ID, machine->uid);
  if (write_text("/proc/self/uid_map", map) || write_text("/proc/self/setgroups", "deny")) return -1;
  snprintf(map, sizeof map, "%u %u 1", INNER_ID, machine->gid);
  return write_text("/proc/self/gid_map", map);
}

static int set_flags(const char *path, uint64_t flags, unsigned recursive) {
  struct mount_attr attributes = {.attr_set = flags};
  return (int)syscall(SYS_mount_setattr, AT_FDCWD, path, recursive, &attributes, sizeof attributes);
}

/* Makes the folders above `path`, and `path` itself as a folder or an empty file, below `root`. */
static int make_place(const char *root, const char *path, int folder, char place[MAX_PATH]) {
  int length = snprintf(place, MAX_PATH, "%s%s", root, path);
  if (length < 0 || length >= MAX_PATH) return -1;
  for (char *slash = place + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
    *slash = 0;
    if (mkdir(place, 0755) && errno != EEXIST) return -1;
    *slash = '/';
  }
  if (folder) return mkdir(place, 0755) && errno != EEXIST ? -1 : 0;
  int file = open(place, O_RDONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0444);
  return file < 0 ? -1 : close(file);
}

static int show(const char *root, const char *from, const char *as, uint64_t flags) {
  char place[MAX_PATH];
  struct stat facts;
  if (stat(from, &facts) || make_place(root, as, S_ISDIR(facts.st_mode), place)) return -1;
  return mount(from, place, NULL, MS_BIND | MS_REC, NULL) ||
                 set_flags(place, flags | MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, AT_RECURSIVE)
             ? -1
             : 0;
}

/* Makes the server's whole view of files and goes there: libraries and interpreter, its tree, two devices, scratch
 * space. */
static int enter_view(const struct machine *machine, const struct entry *entry, unsigned index, uid_t owner) {
  /* Not /dev/zero: mapped, it is memory that no bound counts. */
  static const char *const devices[] = {"/dev/null", "/dev/urandom"};
  char root[MAX_PATH], path[MAX_PATH], options[128];
  snprintf(root, sizeof root, "%s/root", machine->stage);
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) return -1;
  if (mount("view", root, "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,nr_inodes=4096,mode=0755")) return -1;
  /* First, so that a tree may lie below /tmp. */
  snprintf(options, sizeof options, "size=%um,nr_inodes=16384,mode=0700,uid=%u,gid=%u", entry->scratch_mib, owner,
           owner);
  if (make_place(root, "/tmp", 1, path) || mount("scratch", path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options))
    return -1;
  for (unsigned i = 0; i < machine->runtimes; i++)
    if (show(root, machine->runtime[i], machine->runtime[i], MOUNT_ATTR_NODEV)) return -1;
  machine_copy_path(machine, index, path);
  if (show(root, path, entry->tree, MOUNT_ATTR_NODEV)) return -1;
  for (unsigned i = 0; i < sizeof devices / sizeof *devices; i++)
    if (show(root, devices[i], devices[i], MOUNT_ATTR_NOEXEC)) return -1;
  if (set_flags(root, MOUNT_ATTR_RDONLY, 0)) return -1;
  /* pivot_root(2) does not work where the root is an initramfs; moving the view over the root does everywhere. */
  return chdir(root) || mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/") ? -1 : 0;
}

static int bound(int resource, uint64_t most) {
  struct rlimit limit = {most, most};
  return setrlimit((__rlimit_resource_t)resource, &limit);
}

static int set_bounds(const struct entry *entry) {
  /* The forwarder of a server with a way out is a task more. */
  return bound(RLIMIT_NPROC, entry->tasks + entry->egress) || bound(RLIMIT_DATA, (uint64_t)entry->memory_mib << 20) ||
         bound(RLIMIT_STACK, STACK) || bound(RLIMIT_FSIZE, (uint64_t)entry->scratch_mib << 20) ||
         bound(RLIMIT_NOFILE, entry->files) || bound(RLIMIT_CPU, entry->cpu_seconds) || bound(RLIMIT_CORE, 0) ||
         bound(RLIMIT_MEMLOCK, 1 << 16) || bound(RLIMIT_MSGQUEUE, 0) || bound(RLIMIT_SIGPENDING, SIGNALS) ||
         setpriority(PRIO_PROCESS, 0, NICE);
}

/* No capability, now or through any program that is started. */
static int drop_privilege(const struct machine *machine, uid_t uid) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct none[2] = {{0}};
  if (prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP_LOCKED |
                                   SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
                                   SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED))
    return -1;
  for (int capability = 0; prctl(PR_CAPBSET_READ, capability) >= 0; capability++)
    if (prctl(PR_CAPBSET_DROP, capability)) return -1;
  if (machine->privileged && (setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid))) return -1;
  return syscall(SYS_capset, &header, none) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? -1 : 0;
}

int confine(const struct machine *machine, const struct entry *entry, unsigned index, uid_t uid) {
  uid_t owner = machine->privileged ? uid : INNER_ID;
  umask(022);
  if (!machine->privileged && map_ids(machine)) return NOT_CONFINED;
  /* When memory runs out, a server goes before the enclave does. */
  if (write_text("/proc/self/oom_score_adj", "1000")) return NOT_CONFINED;
  if (enter_view(machine, entry, index, owner)) return NOT_CONFINED;
  if (sethostname("server", 6) || setsid() < 0 || set_bounds(entry) || drop_privilege(machine, uid))
    return NOT_CONFINED;
  if (chdir(entry->tree) && (errno != ENOTDIR || chdir("/tmp"))) return NOT_CONFINED;
  /* Changing ids cleared it. The broker's end is this process's end. */
  return prctl(PR_SET_PDEATHSIG, 9) ? NOT_CONFINED : READY;
}
