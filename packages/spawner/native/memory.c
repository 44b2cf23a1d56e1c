/*
 * What the processes of a server hold in memory. The kernel's bound on a process (RLIMIT_DATA) counts what it may write
 * to, so what was written and then made read-only escapes it, and so do the tables that find what was only read. Nobody
 * can hide from a look from outside.
 */
#define _GNU_SOURCE
#include "spawn.h"
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Beyond the bound, for what an honest process holds that the kernel's does not count: its stack, code it made, relocated data. */
#define SLACK_KIB (32u << 10)
/* Processes of one server that are looked at; more than it may have. */
#define MAX_PROCESSES 2048

/* Reads a file of /proc as text. -1 where there is none, as of a process that has ended. */
static ssize_t read_text(int processes, const char *path, char *into, size_t size) {
  int from = openat(processes, path, O_RDONLY | O_CLOEXEC);
  size_t length = 0;
  if (from < 0) return -1;
  for (ssize_t got; length < size - 1 && (got = read(from, into + length, size - 1 - length)) > 0;) length += (size_t)got;
  into[length] = 0;
  close(from);
  return (ssize_t)length;
}

/* KiB of a process: pages of its own, those that were swapped out, and the tables that find pages. */
static uint64_t held(int processes, pid_t pid) {
  static const char *const parts[] = {"\nRssAnon:", "\nVmSwap:", "\nVmPTE:"};
  char path[32], text[8192];
  uint64_t sum = 0;
  snprintf(path, sizeof path, "%d/status", pid);
  if (read_text(processes, path, text, sizeof text) < 0) return 0;
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    const char *found = strstr(text, parts[i]);
    if (found) sum += strtoull(found + strlen(parts[i]), NULL, 10);
  }
  return sum;
}

/* Adds the children of every thread of a process. */
static void add_children(int processes, pid_t parent, pid_t *found, unsigned *count) {
  static char text[MAX_PROCESSES * 8];
  char path[300];
  snprintf(path, sizeof path, "%d/task", parent);
  int at = openat(processes, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *threads = at < 0 ? NULL : fdopendir(at);
  if (!threads && at >= 0) close(at);
  if (!threads) return;
  for (struct dirent *thread; (thread = readdir(threads));) {
    if (!isdigit((unsigned char)thread->d_name[0])) continue;
    snprintf(path, sizeof path, "%d/task/%s/children", parent, thread->d_name);
    if (read_text(processes, path, text, sizeof text) < 0) continue;
    char *end = text;
    for (long pid; *count < MAX_PROCESSES && (pid = strtol(end, &end, 10)) > 0;) found[(*count)++] = (pid_t)pid;
  }
  closedir(threads);
}

int memory_watch(struct watch *watch) {
  char self[16] = {0}, children[64];
  watch->processes = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (watch->processes < 0 || readlinkat(watch->processes, "self", self, sizeof self - 1) < 0) return -1;
  watch->self = (pid_t)atoi(self);
  /* A kernel that does not tell of children would show none. */
  snprintf(children, sizeof children, "%s/task/%s/children", self, self);
  return held(watch->processes, watch->self) > 0 ? faccessat(watch->processes, children, R_OK, 0) : -1;
}

int memory_exceeded(const struct watch *watch, uint32_t most_mib) {
  static pid_t found[MAX_PROCESSES];
  unsigned count = 0;
  add_children(watch->processes, watch->self, found, &count);
  for (unsigned i = 0; i < count; i++) {
    if (held(watch->processes, found[i]) > ((uint64_t)most_mib << 10) + SLACK_KIB) return 1;
    add_children(watch->processes, found[i], found, &count);
  }
  return 0;
}
