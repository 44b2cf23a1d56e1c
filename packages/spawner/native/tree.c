/*
 * The digest of a server's files; SPEC.md, "Tree digest". The files are hostile until their digest is known: nothing
 * is followed, everything is bounded, and what is copied is byte for byte what was hashed.
 */
#define _GNU_SOURCE
#include "spawn.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct walk {
  struct sha256 hash;
  unsigned items;
  uint64_t bytes;
  char path[PATH_MAX]; /* of the item at hand, below the root */
};

static void add_number(struct sha256 *hash, uint64_t value, int bytes) {
  uint8_t text[8];
  for (int i = 0; i < bytes; i++) text[i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
  sha256_add(hash, text, (size_t)bytes);
}

static void add_header(struct walk *walk, char type) {
  size_t length = strlen(walk->path);
  sha256_add(&walk->hash, &type, 1);
  add_number(&walk->hash, length, 2);
  sha256_add(&walk->hash, walk->path, length);
}

static int write_all(int to, const uint8_t *data, size_t length) {
  while (length > 0) {
    ssize_t written = write(to, data, length);
    if (written <= 0) return -1;
    data += written, length -= (size_t)written;
  }
  return 0;
}

/* Hashes exactly `size` bytes and expects the end there: a file that changes while it is read is not one. */
static int add_content(struct walk *walk, int from, uint64_t size, int to) {
  static uint8_t buffer[65536];
  walk->bytes += size;
  if (walk->bytes > MAX_TREE_BYTES) return TREE_REFUSED;
  for (uint64_t left = size;;) {
    ssize_t got = read(from, buffer, sizeof buffer);
    if (got < 0 || (uint64_t)got > left || (got == 0 && left > 0)) return TREE_UNREADABLE;
    if (got == 0) return READY;
    left -= (uint64_t)got;
    sha256_add(&walk->hash, buffer, (size_t)got);
    if (to >= 0 && write_all(to, buffer, (size_t)got)) return TREE_UNREADABLE;
  }
}

/* A copy keeps of the mode what the digest covers: whether the owner may execute. */
static mode_t copied_mode(const struct stat *facts) { return facts->st_mode & S_IXUSR ? 0555 : 0444; }

static int add_file(struct walk *walk, int parent, const char *name, int copy_parent, const char *copy_name,
                    int whole) {
  struct stat facts;
  int status = TREE_UNREADABLE, to = -1;
  int from = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (from < 0 || fstat(from, &facts)) goto out;
  status = TREE_REFUSED;
  if (!S_ISREG(facts.st_mode) || facts.st_mode & (S_ISUID | S_ISGID | S_ISVTX)) goto out;
  status = TREE_UNREADABLE;
  if (copy_name && (to = openat(copy_parent, copy_name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) < 0) goto out;
  if (!whole) {
    add_header(walk, facts.st_mode & S_IXUSR ? 'x' : 'f');
    add_number(&walk->hash, (uint64_t)facts.st_size, 8);
  }
  status = add_content(walk, from, (uint64_t)facts.st_size, to);
  if (status == READY && to >= 0 && fchmod(to, copied_mode(&facts))) status = TREE_UNREADABLE;
out:
  if (from >= 0) close(from);
  if (to >= 0) close(to);
  return status;
}

/* Whether a link at `depth` folders below the root can only lead to below the root, read as text. */
static int stays_inside(const char *target, int depth) {
  if (target[0] == '/' || target[0] == 0) return 0;
  while (*target) {
    size_t length = strcspn(target, "/");
    if (length == 2 && !memcmp(target, "..", 2)) {
      if (--depth < 0) return 0;
    } else if (length > 0 && !(length == 1 && *target == '.'))
      depth++;
    target += length;
    target += strspn(target, "/");
  }
  return 1;
}

static int add_link(struct walk *walk, int parent, const char *name, int depth, int copy) {
  char target[MAX_PATH + 1];
  ssize_t length = readlinkat(parent, name, target, sizeof target);
  if (length < 0) return TREE_UNREADABLE;
  if (length > MAX_PATH) return TREE_REFUSED;
  target[length] = 0;
  if (!stays_inside(target, depth)) return TREE_REFUSED;
  add_header(walk, 'l');
  add_number(&walk->hash, (uint64_t)length, 2);
  sha256_add(&walk->hash, target, (size_t)length);
  return copy >= 0 && symlinkat(target, copy, name) ? TREE_UNREADABLE : READY;
}

static int by_bytes(const void *left, const void *right) { return strcmp(*(char *const *)left, *(char *const *)right); }

/* Names of a folder in byte order, each to be freed, and the array too. `items` counts over the whole tree. */
static int list(int folder, char ***names, unsigned *count, unsigned *items) {
  int again = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *open = again < 0 ? NULL : fdopendir(again);
  if (!open) {
    if (again >= 0) close(again);
    return TREE_UNREADABLE;
  }
  int status = READY;
  unsigned room = 0;
  for (struct dirent *item; status == READY && (errno = 0, item = readdir(open));) {
    if (!strcmp(item->d_name, ".") || !strcmp(item->d_name, "..")) continue;
    if (++*items > MAX_TREE_ITEMS) {
      status = TREE_REFUSED;
    } else {
      if (*count == room) {
        char **more = realloc(*names, (room = room ? room * 2 : 64) * sizeof *more);
        if (!more)
          status = TREE_UNREADABLE;
        else
          *names = more;
      }
      if (status == READY && !((*names)[*count] = strdup(item->d_name))) status = TREE_UNREADABLE;
      if (status == READY) ++*count;
    }
  }
  if (status == READY && errno) status = TREE_UNREADABLE;
  closedir(open);
  if (status == READY && *count) qsort(*names, *count, sizeof **names, by_bytes);
  return status;
}

static int add_folder(struct walk *walk, int folder, int copy, int depth);

static int add_item(struct walk *walk, int parent, const char *name, int copy, int depth) {
  struct stat facts;
  if (fstatat(parent, name, &facts, AT_SYMLINK_NOFOLLOW)) return TREE_UNREADABLE;
  if (S_ISREG(facts.st_mode)) return add_file(walk, parent, name, copy, copy < 0 ? NULL : name, 0);
  if (S_ISLNK(facts.st_mode)) return add_link(walk, parent, name, depth, copy);
  if (!S_ISDIR(facts.st_mode) || depth + 1 > MAX_TREE_DEPTH) return TREE_REFUSED;
  int below = -1, folder = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  int status = folder < 0 ? TREE_UNREADABLE : READY;
  if (status == READY && copy >= 0 &&
      (mkdirat(copy, name, 0700) || (below = openat(copy, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0))
    status = TREE_UNREADABLE;
  if (status == READY) {
    add_header(walk, 'd');
    status = add_folder(walk, folder, below, depth + 1);
  }
  if (status == READY && below >= 0 && fchmod(below, 0555)) status = TREE_UNREADABLE;
  if (folder >= 0) close(folder);
  if (below >= 0) close(below);
  return status;
}

static int add_folder(struct walk *walk, int folder, int copy, int depth) {
  char **names = NULL;
  unsigned count = 0;
  int status = list(folder, &names, &count, &walk->items);
  size_t base = strlen(walk->path);
  for (unsigned i = 0; i < count; i++) {
    size_t length = strlen(names[i]);
    if (status == READY && base + 1 + length > MAX_PATH) status = TREE_REFUSED;
    if (status == READY) {
      char *end = walk->path + base;
      if (base) *end++ = '/';
      memcpy(end, names[i], length + 1);
      status = add_item(walk, folder, names[i], copy, depth);
      walk->path[base] = 0;
    }
    free(names[i]);
  }
  free(names);
  return status;
}

int tree_measure(const char *path, const char *copy, uint8_t digest[DIGEST]) {
  static const char domain[] = "cmcp-tree-v1\n";
  static struct walk walk;
  struct stat facts;
  walk.items = 0, walk.bytes = 0, walk.path[0] = 0;
  sha256_start(&walk.hash);
  if (stat(path, &facts)) return TREE_UNREADABLE;
  int status;
  if (S_ISREG(facts.st_mode)) {
    char real[PATH_MAX]; /* the operator's own path may be a link */
    if (!realpath(path, real)) return TREE_UNREADABLE;
    status = add_file(&walk, AT_FDCWD, real, AT_FDCWD, copy, 1);
  } else {
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), below = -1;
    status = folder < 0 || (copy && (mkdir(copy, 0700) || (below = open(copy, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0))
                 ? TREE_UNREADABLE
                 : READY;
    sha256_add(&walk.hash, domain, sizeof domain - 1);
    if (status == READY) status = add_folder(&walk, folder, below, 0);
    if (status == READY && copy && fchmod(below, 0555)) status = TREE_UNREADABLE;
    if (folder >= 0) close(folder);
    if (below >= 0) close(below);
  }
  sha256_end(&walk.hash, digest);
  return status;
}
