/*
 * What the processes of a server hold in memory, all together. The kernel's bound (RLIMIT_DATA) is of each process, and
 * counts what it may write to: what was written and then made read-only escapes it, and so do the tables that find what
 * was only read. Nobody can hide from a look from outside.
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

/* Beyond the bound, for what an honest process holds that the kernel's does not count: its stack, code it made,
 * relocated data. */
#define SLACK_KIB (32u << 10)
/* Processes of one server that are looked at; more than it may have. */
#define MAX_PROCESSES 2048

/* Reads a file of /proc as text. -1 where there is none, as of a process that has ended. */
static ssize_t read_text(int processes, const char *path, char *into, size_t size) {
  int from = openat(processes, path, O_RDONLY | O_CLOEXEC);
  size_t length = 0;
  if (from < 0) return -1;
  for (ssize_t got; length < size - 1 && (got = read(from, into + length, size - 1 - length)) > 0;)
    length += (size_t)got;
  into[length] = 0;
  close(from);
  return (ssize_t)length;
}

/* Reads one of the files that describe a process. -1 where there is none. */
static ssize_t read_about(int processes, pid_t pid, const char *file, char *into, size_t size) {
  char path[64];
  snprintf(path, sizeof path, "%d/%s", pid, file);
  return read_text(processes, path, into, size);
}

/* KiB that a line of such a file says, 0 where it has none. */
static uint64_t kib(const char *text, const char *line) {
  const char *found = strstr(text, line);
  return found ? strtoull(found + strlen(line), NULL, 10) : 0;
}

/* KiB of a process: pages of its own, those that were swapped out, and the tables that find pages. */
static uint64_t held(int processes, pid_t pid) {
  char text[8192];
  if (read_about(processes, pid, "status", text, sizeof text) < 0) return 0;
  return kib(text, "\nRssAnon:") + kib(text, "\nVmSwap:") + kib(text, "\nVmPTE:");
}

/* The same, where of a page that a fork left to several each holds its part. A process that may not be looked into so
 * closely counts in full. */
static uint64_t held_in_part(int processes, pid_t pid) {
  char text[8192], pages[8192];
  if (read_about(processes, pid, "status", text, sizeof text) < 0) return 0;
  if (read_about(processes, pid, "smaps_rollup", pages, sizeof pages) <= 0) return held(processes, pid);
  return kib(pages, "\nPss_Anon:") + kib(pages, "\nSwapPss:") + kib(text, "\nVmPTE:");
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
  const uint64_t most = ((uint64_t)most_mib << 10) + SLACK_KIB;
  uint64_t in_full = 0, in_part = 0;
  unsigned count = 0;
  add_children(watch->processes, watch->self, found, &count);
  for (unsigned i = 0; i < count; i++) {
    in_full += held(watch->processes, found[i]);
    add_children(watch->processes, found[i], found, &count);
  }
  if (in_full <= most) return 0;
  /* The kernel goes through every page for this, which few servers are worth. */
  for (unsigned i = 0; i < count; i++) in_part += held_in_part(watch->processes, found[i]);
  return in_part > most;
}
