/* The broker's own surroundings: a mount namespace, and in it the stage that holds measured copies. */
#define _GNU_SOURCE
#include "spawn.h"
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

int write_text(const char *path, const char *text) {
  int to = open(path, O_WRONLY | O_CLOEXEC);
  if (to < 0) return -1;
  ssize_t length = (ssize_t)strlen(text), written = write(to, text, (size_t)length);
  return close(to) || written != length ? -1 : 0;
}

/* Root needs no user namespace to make the others, and can give each server a uid of its own. */
int machine_enter(struct machine *machine) {
  char map[64], options[64];
  machine->uid = geteuid();
  machine->gid = getegid();
  machine->privileged = machine->uid == 0;
  if (unshare(CLONE_NEWNS | (machine->privileged ? 0 : CLONE_NEWUSER))) return -1;
  if (!machine->privileged) {
    snprintf(map, sizeof map, "%u %u 1", machine->uid, machine->uid);
    if (write_text("/proc/self/uid_map", map) || write_text("/proc/self/setgroups", "deny")) return -1;
    snprintf(map, sizeof map, "%u %u 1", machine->gid, machine->gid);
    if (write_text("/proc/self/gid_map", map)) return -1;
  }
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) return -1;
  snprintf(options, sizeof options, "size=%um,nr_inodes=262144,mode=0700", cgroup_stage_mib(machine));
  if (mount("stage", machine->stage, "tmpfs", MS_NOSUID | MS_NODEV, options)) return -1;
  char root[MAX_PATH];
  snprintf(root, sizeof root, "%s/root", machine->stage);
  /* Nobody of the same uid may look into this process; root always may. */
  return mkdir(root, 0700) || prctl(PR_SET_DUMPABLE, 0) ? -1 : 0;
}

int machine_seal(const struct machine *machine) {
  return mount(NULL, machine->stage, NULL, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL);
}

void machine_copy_path(const struct machine *machine, unsigned index, char path[MAX_PATH]) {
  snprintf(path, MAX_PATH, "%s/%u", machine->stage, index);
}

int machine_clone_flags(const struct machine *machine) {
  return CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP |
         (machine->privileged ? 0 : CLONE_NEWUSER);
}
