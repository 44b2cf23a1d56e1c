/*
 * A cgroup for each server, where the machine gives the spawner a cgroup v2 hierarchy; SPEC.md, "Confinement". All
 * servers together are held to what the machine has to spare, so that memory runs out among them and not in the
 * enclave.
 */
#define _GNU_SOURCE
#include "spawn.h"
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#define CONTROLLERS "+memory +pids +cpu"
/* MiB that kernel, image and enclave keep, and the share of a small machine's memory that they keep instead. */
#define RESERVE_MIB 480
#define RESERVE_OF(total) ((total)*2 / 3)
/* MiB of a server beyond its memory and scratch space: page tables, stacks, the watcher. */
#define SLACK_MIB 32
/* One processor, in microseconds of each 100 ms. */
#define PROCESSOR "100000 100000"

static uint64_t spare_mib(void) {
  struct sysinfo facts;
  if (sysinfo(&facts)) return 0;
  uint64_t total = (uint64_t)facts.totalram * facts.mem_unit >> 20;
  uint64_t reserve = RESERVE_OF(total) < RESERVE_MIB ? RESERVE_OF(total) : RESERVE_MIB;
  return total - reserve;
}

unsigned cgroup_stage_mib(const struct machine *machine) {
  uint64_t half = machine->cgroup ? spare_mib() / 2 : STAGE_MIB;
  return half < STAGE_MIB ? (unsigned)half : STAGE_MIB;
}

static int set(const char *folder, const char *name, const char *value) {
  char path[MAX_PATH];
  int length = snprintf(path, sizeof path, "%s/%s", folder, name);
  return length < 0 || length >= (int)sizeof path ? -1 : write_text(path, value);
}

static int set_mib(const char *folder, const char *name, uint64_t mib) {
  char value[32];
  snprintf(value, sizeof value, "%llu", (unsigned long long)mib << 20);
  return set(folder, name, value);
}

static void servers_path(const struct machine *machine, char path[MAX_PATH]) {
  snprintf(path, MAX_PATH, "%s/servers", machine->cgroup);
}

static void server_path(const struct machine *machine, uid_t uid, char path[MAX_PATH]) {
  snprintf(path, MAX_PATH, "%s/servers/%u", machine->cgroup, uid);
}

int cgroup_enter(const struct machine *machine) {
  char servers[MAX_PATH];
  struct statfs stage;
  if (!machine->cgroup) return 0;
  servers_path(machine, servers);
  if (statfs(machine->stage, &stage)) return -1;
  uint64_t used = (stage.f_blocks - stage.f_bfree) * (uint64_t)stage.f_bsize >> 20, spare = spare_mib();
  return set(machine->cgroup, "cgroup.subtree_control", CONTROLLERS) || mkdir(servers, 0755) ||
                 set(servers, "cgroup.subtree_control", CONTROLLERS) ||
                 set_mib(servers, "memory.max", spare > used ? spare - used : 0)
             ? -1
             : 0;
}

int cgroup_join(const struct machine *machine, const struct entry *entry, uid_t uid) {
  char path[MAX_PATH], tasks[16];
  if (!machine->cgroup) return 0;
  server_path(machine, uid, path);
  snprintf(tasks, sizeof tasks, "%u", entry->tasks + entry->egress);
  /* One of this name may still be there. */
  if (mkdir(path, 0755) && errno != EEXIST) return -1;
  return set_mib(path, "memory.max", (uint64_t)entry->memory_mib + entry->scratch_mib + SLACK_MIB) ||
                 set(path, "memory.oom.group", "1") || set(path, "pids.max", tasks) ||
                 set(path, "cpu.max", PROCESSOR) || set(path, "cgroup.procs", "0")
             ? -1
             : 0;
}

void cgroup_leave(const struct machine *machine, uid_t uid) {
  char path[MAX_PATH];
  if (!machine->cgroup) return;
  server_path(machine, uid, path);
  rmdir(path);
}
