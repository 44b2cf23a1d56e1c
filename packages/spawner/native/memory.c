/*
 * What the processes of a server hold in memory, all together. The kernel's bound (RLIMIT_DATA) is of each process, and
 * counts what it may write to: what was written and then made read-only escapes it, and so do the tables that find what
 * was only read. Nobody can hide from a look from outside, and a look that fails counts as memory over the bound.
 */
#define _GNU_SOURCE
#include "spawn.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Beyond the bound, for what an honest process holds that the kernel's does not count: its stack, code it made,
 * relocated data. */
#define SLACK_KIB (32u << 10)
/* Times one look counts again when a process ends between its listing and its reading. */
#define MAX_COUNTS 8
/* Looks in a row that found no complete count. */
#define MAX_INCOMPLETE 2

/* How far a count got. */
enum count { COMPLETE, INCOMPLETE, BLIND };

/* Reads a file of a process as text. INCOMPLETE where that process has ended. */
static enum count read_text(int processes, const char *path, char *into, size_t size) {
  int from = openat(processes, path, O_RDONLY | O_CLOEXEC);
  if (from < 0) return errno == ENOENT || errno == ESRCH ? INCOMPLETE : BLIND;
  size_t length = 0;
  ssize_t got = 0;
  while (length < size - 1 && (got = read(from, into + length, size - 1 - length)) > 0) length += (size_t)got;
  int error = errno;
  into[length] = 0;
  close(from);
  if (got < 0) return error == ESRCH ? INCOMPLETE : BLIND;
  return COMPLETE;
}

/* The number that such a file has after `line`, 0 where it has none. */
static uint64_t number(const char *text, const char *line) {
  const char *found = strstr(text, line);
  return found ? strtoull(found + strlen(line), NULL, 10) : 0;
}

/* KiB that a status tells: pages of the process's own, those that were swapped out, huge ones, and the tables that find
 * pages. */
static uint64_t held(const char *status) {
  return number(status, "\nRssAnon:") + number(status, "\nVmSwap:") + number(status, "\nHugetlbPages:") +
         number(status, "\nVmPTE:");
}

static int has_memory(const char *status) { return strstr(status, "\nRssAnon:") != NULL; }

/* Calls `visit` for each number that names an item of a folder. Ends early with what is not COMPLETE or INCOMPLETE. */
static enum count each(int folder, enum count (*visit)(int folder, const char *name, void *state), void *state) {
  char items[4096];
  enum count result = COMPLETE;
  if (lseek(folder, 0, SEEK_SET) < 0) return BLIND;
  for (ssize_t got; (got = syscall(SYS_getdents64, folder, items, sizeof items)) != 0;) {
    if (got < 0) return errno == ENOENT ? INCOMPLETE : BLIND;
    for (ssize_t at = 0; at < got;) {
      const struct dirent64 *item = (const struct dirent64 *)(items + at);
      at += item->d_reclen;
      if (!isdigit((unsigned char)item->d_name[0])) continue;
      enum count one = visit(folder, item->d_name, state);
      if (one == BLIND) return BLIND;
      if (one == INCOMPLETE) result = INCOMPLETE;
    }
  }
  return result;
}

struct facts {
  char text[8192];
};

static enum count visit_thread(int folder, const char *name, void *state) {
  struct facts *status = state;
  char path[300];
  if (has_memory(status->text)) return COMPLETE;
  snprintf(path, sizeof path, "%s/status", name);
  return read_text(folder, path, status->text, sizeof status->text) == BLIND ? BLIND : COMPLETE;
}

/* Reads the status of a process, or of another thread where the first has ended: only the first one's is gone then. */
static enum count read_status(int processes, const char *pid, struct facts *status) {
  char path[300];
  snprintf(path, sizeof path, "%s/status", pid);
  enum count result = read_text(processes, path, status->text, sizeof status->text);
  if (result != COMPLETE || has_memory(status->text) || number(status->text, "\nThreads:") < 2) return result;
  snprintf(path, sizeof path, "%s/task", pid);
  int threads = openat(processes, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (threads < 0) return errno == ENOENT || errno == ESRCH ? INCOMPLETE : BLIND;
  result = each(threads, visit_thread, status);
  close(threads);
  return result == COMPLETE && !has_memory(status->text) ? INCOMPLETE : result;
}

struct sum {
  uint64_t kib;
  int in_part;
};

/* Adds what a process holds. In part: of a page that a fork left to several, each holds its share. A process that may
 * not be looked into so closely counts in full. */
static enum count visit_process(int processes, const char *pid, void *state) {
  struct sum *sum = state;
  struct facts status;
  char path[300], pages[8192];
  enum count result = read_status(processes, pid, &status);
  if (result != COMPLETE) return result;
  uint64_t kib = held(status.text);
  snprintf(path, sizeof path, "%s/smaps_rollup", pid);
  if (sum->in_part && read_text(processes, path, pages, sizeof pages) == COMPLETE && strstr(pages, "\nPss_Anon:"))
    kib = number(pages, "\nPss_Anon:") + number(pages, "\nSwapPss:") + number(status.text, "\nHugetlbPages:") +
          number(status.text, "\nVmPTE:");
  sum->kib += kib;
  return COMPLETE;
}

int memory_watch(struct watch *watch) {
  int type = (int)syscall(SYS_fsopen, "proc", FSOPEN_CLOEXEC);
  if (type < 0 || syscall(SYS_fsconfig, type, FSCONFIG_CMD_CREATE, NULL, NULL, 0)) return -1;
  int mounted =
      (int)syscall(SYS_fsmount, type, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
  close(type);
  if (mounted < 0) return -1;
  watch->processes = openat(mounted, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  watch->incomplete = 0;
  close(mounted);
  struct sum sum = {0};
  return watch->processes >= 0 && each(watch->processes, visit_process, &sum) == COMPLETE && sum.kib > 0 ? 0 : -1;
}

int memory_exceeded(struct watch *watch, uint32_t most_mib) {
  const uint64_t most = ((uint64_t)most_mib << 10) + SLACK_KIB;
  for (int count = 0; count < MAX_COUNTS; count++) {
    struct sum in_full = {0, 0}, in_part = {0, 1};
    enum count result = each(watch->processes, visit_process, &in_full);
    /* The kernel goes through every page for this, which few servers are worth. */
    if (result != BLIND && in_full.kib > most) {
      result = each(watch->processes, visit_process, &in_part);
      if (in_part.kib > most) return 1;
    }
    if (result == BLIND) return 1;
    if (result == COMPLETE) return watch->incomplete = 0;
  }
  return ++watch->incomplete >= MAX_INCOMPLETE;
}
