/* A hostile stdio server that holds more memory than it may, in the way that its argument names, and hides it. */
#define _GNU_SOURCE
#include "report.h"
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MIB (1ul << 20)

static char *map(size_t length, int protection, int flags, int file) {
  return mmap(NULL, length, protection, flags, file, 0);
}

/* Memory that no bound of a process counts: written, then made read-only. */
static void hoard_pages(void) {
  for (int i = 0; i < 256; i++) {
    char *place = map(MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    memset(place, 1, MIB);
    mprotect(place, MIB, PROT_READ);
  }
}

/* The same of the kernel's: a table for every 2 MiB that were only read. */
static void hoard_tables(void) {
  size_t reach = 128ul << 30;
  volatile char *place = map(reach, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
  for (size_t at = 0; at < reach; at += 2 * MIB) (void)place[at];
}

/* Within the bound of each: as much in every one of four processes, their own or what their parent had written. */
static void hoard_in_four(int own) {
  size_t size = 40 * MIB;
  char *place = map(size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  int ready[2];
  if (pipe(ready)) return;
  if (!own) memset(place, 1, size);
  for (int i = 0; i < 4; i++)
    if (fork() == 0) {
      if (own) memset(place, 2, size);
      if (write(ready[1], "", 1) == 1)
        for (;;) pause();
    }
  for (int i = 0; i < 4; i++)
    if (read(ready[0], &own, 1) != 1) return;
}

/* Leaves the first process of the server's namespace, which watches, no further descriptor. */
static void blind_watcher(void) {
  struct rlimit none = {2, 2}; /* so many poll(2) is given */
  tried("the watcher's descriptors", prlimit(1, RLIMIT_NOFILE, &none, NULL));
  hoard_pages();
}

static void *hoard_and_stay(void *name) {
  hoard_pages();
  say("hoarded", name);
  while (pause() < 0) {
  }
  return NULL;
}

/* The first thread ends: what /proc says of the process is said of that one. */
static void hoard_without_first_thread(char *name) {
  pthread_t thread;
  pthread_create(&thread, NULL, hoard_and_stay, name);
  pthread_exit(NULL);
}

/* From process to process: each leaves what it holds to a child and ends. */
static void hoard_and_hop(void) {
  hoard_pages();
  say("hoarded", "hop");
  for (;;) {
    pid_t child = fork();
    if (child > 0) _exit(0);
    if (child < 0) sched_yield();
  }
}

static void hoard(char *how) {
  if (!strcmp(how, "pages")) hoard_pages();
  if (!strcmp(how, "tables")) hoard_tables();
  if (!strcmp(how, "shared")) hoard_in_four(0);
  if (!strcmp(how, "apart")) hoard_in_four(1);
  if (!strcmp(how, "blind")) blind_watcher();
  if (!strcmp(how, "headless")) hoard_without_first_thread(how);
  if (!strcmp(how, "hop")) hoard_and_hop();
  say("hoarded", how);
}

/* A child of a thread, and its child. */
static void *start(void *how) {
  if (fork() == 0) {
    setsid();
    if (fork() == 0) hoard(how);
  }
  while (pause() < 0) {
  }
  return NULL;
}

int main(int argc, char **argv) {
  pthread_t thread;
  if (argc != 2) return 64;
  pthread_create(&thread, NULL, start, argv[1]);
  pthread_join(thread, NULL);
  return 0;
}
