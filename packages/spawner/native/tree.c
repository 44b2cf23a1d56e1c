/*
 * Receives the archive of a server's files and writes what it says below the stage; SPEC.md, "Archive". The bytes are
 * hostile until their digest is known, so every rule is held before anything is made, nothing is followed, and a tree
 * that breaks one is read to its end and never run.
 */
#define _GNU_SOURCE
#include "spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_CHUNK 65536
/* Bytes of one component of a path, as file systems have it. */
#define MAX_NAME 255
#define MAGIC "cmcp-tree-v1\n"

/* The chunks of one archive as they come. */
struct stream {
  int from;
  int ended;
  int lost; /* the connection ended or broke the framing: no further tree can be read */
  size_t at, size;
  uint8_t buffer[MAX_CHUNK];
  struct sha256 hash;
};

struct archive {
  struct stream stream;
  unsigned items;
  uint64_t bytes;
  unsigned open; /* folders below the root that may hold the next item */
  int folders[MAX_TREE_DEPTH + 1];
  char last[MAX_TREE_DEPTH + 1][MAX_NAME + 1]; /* names of the latest items in those folders; empty where none is */
};

static int read_all(int from, uint8_t *into, size_t length) {
  while (length > 0) {
    ssize_t got = read(from, into, length);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return -1;
    into += got, length -= (size_t)got;
  }
  return 0;
}

static int write_all(int to, const uint8_t *data, size_t length) {
  while (length > 0) {
    ssize_t written = write(to, data, length);
    if (written <= 0) return -1;
    data += written, length -= (size_t)written;
  }
  return 0;
}

/* Makes the next bytes of the archive available. 0 at its end. */
static int fill(struct stream *stream) {
  uint8_t head[4];
  if (stream->at < stream->size) return 1;
  if (stream->ended) return 0;
  stream->ended = stream->lost = 1;
  if (read_all(stream->from, head, sizeof head)) return 0;
  size_t size = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
  if (size > MAX_CHUNK || read_all(stream->from, stream->buffer, size)) return 0;
  stream->lost = 0;
  if (size == 0) return 0;
  sha256_add(&stream->hash, stream->buffer, size);
  stream->ended = 0, stream->at = 0, stream->size = size;
  return 1;
}

/* Copies the next bytes of the archive; how many there were. */
static size_t take(struct stream *stream, void *into, size_t length) {
  size_t done = 0;
  while (done < length && fill(stream)) {
    size_t some = stream->size - stream->at < length - done ? stream->size - stream->at : length - done;
    memcpy((uint8_t *)into + done, stream->buffer + stream->at, some);
    stream->at += some, done += some;
  }
  return done;
}

static int take_number(struct stream *stream, int bytes, uint64_t *value) {
  uint8_t text[8];
  if (take(stream, text, (size_t)bytes) < (size_t)bytes) return -1;
  *value = 0;
  for (int i = 0; i < bytes; i++) *value = *value << 8 | text[i];
  return 0;
}

/* A path or a target. */
static int take_text(struct stream *stream, char into[MAX_PATH + 1]) {
  uint64_t length;
  if (take_number(stream, 2, &length) || length == 0 || length > MAX_PATH || take(stream, into, length) < length)
    return -1;
  into[length] = 0;
  return memchr(into, 0, length) ? -1 : 0;
}

/* Writes so many bytes of the archive to a file. */
static int take_content(struct stream *stream, uint64_t size, int to) {
  while (size > 0) {
    if (!fill(stream)) return TREE_REFUSED;
    size_t some = stream->size - stream->at < size ? stream->size - stream->at : (size_t)size;
    if (write_all(to, stream->buffer + stream->at, some)) return TREE_UNREADABLE;
    stream->at += some, size -= some;
  }
  return READY;
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

/* Closes the folders below the one at `depth`, of which nothing more comes. */
static int close_folders(struct archive *archive, unsigned depth) {
  int status = READY;
  for (; archive->open > depth; archive->open--) {
    if (fchmod(archive->folders[archive->open], 0555)) status = TREE_UNREADABLE;
    close(archive->folders[archive->open]);
  }
  return status;
}

/*
 * Finds the place of an item: the folders above it are those that are open, and its name follows the one before it.
 * Cuts `path` into its components. The depth of its folder, or -1.
 */
static int find_place(struct archive *archive, char *path, char **name) {
  for (unsigned depth = 0;; depth++) {
    char *slash = strchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) : strlen(path);
    if (length == 0 || length > MAX_NAME || (length == 1 && path[0] == '.') || (length == 2 && !memcmp(path, "..", 2)))
      return -1;
    if (depth > archive->open) return -1;
    if (!slash) {
      *name = path;
      return strcmp(path, archive->last[depth]) > 0 ? (int)depth : -1;
    }
    *slash = 0;
    if (strcmp(path, archive->last[depth])) return -1;
    path = slash + 1;
  }
}

static int make_folder(struct archive *archive, const char *name, unsigned depth) {
  int *folder = &archive->folders[depth + 1];
  if (mkdirat(archive->folders[depth], name, 0700)) return TREE_UNREADABLE;
  *folder = openat(archive->folders[depth], name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (*folder < 0) return TREE_UNREADABLE;
  archive->open = depth + 1;
  archive->last[depth + 1][0] = 0;
  return READY;
}

static int make_file(struct archive *archive, const char *name, int folder, mode_t mode) {
  uint64_t size;
  if (take_number(&archive->stream, 8, &size) || size > MAX_TREE_BYTES - archive->bytes) return TREE_REFUSED;
  archive->bytes += size;
  int to = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
  if (to < 0) return TREE_UNREADABLE;
  int status = take_content(&archive->stream, size, to);
  return close(to) && status == READY ? TREE_UNREADABLE : status;
}

static int make_link(struct archive *archive, const char *name, unsigned depth) {
  char target[MAX_PATH + 1];
  if (take_text(&archive->stream, target) || !stays_inside(target, (int)depth)) return TREE_REFUSED;
  return symlinkat(target, archive->folders[depth], name) ? TREE_UNREADABLE : READY;
}

static int make_item(struct archive *archive, char type) {
  char path[MAX_PATH + 1], *name;
  if (!memchr("dfxl", type, 4) || ++archive->items > MAX_TREE_ITEMS || take_text(&archive->stream, path))
    return TREE_REFUSED;
  int found = find_place(archive, path, &name);
  if (found < 0 || (type == 'd' && found + 1 > MAX_TREE_DEPTH)) return TREE_REFUSED;
  unsigned depth = (unsigned)found;
  if (close_folders(archive, depth)) return TREE_UNREADABLE;
  strcpy(archive->last[depth], name);
  if (type == 'd') return make_folder(archive, name, depth);
  if (type == 'l') return make_link(archive, name, depth);
  return make_file(archive, name, archive->folders[depth], type == 'x' ? 0555 : 0444);
}

static int make_folder_tree(struct archive *archive, const char *copy) {
  char type;
  int status = READY, below;
  if (mkdir(copy, 0700)) return TREE_UNREADABLE;
  archive->folders[0] = open(copy, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (archive->folders[0] < 0) return TREE_UNREADABLE;
  while (status == READY && take(&archive->stream, &type, 1) == 1) status = make_item(archive, type);
  below = close_folders(archive, 0);
  if (fchmod(archive->folders[0], 0555)) below = TREE_UNREADABLE;
  close(archive->folders[0]);
  return status == READY ? below : status;
}

/* An archive that does not begin as that of a folder is one file. What it may be run as is not in its digest. */
static int make_single_file(struct archive *archive, const char *copy, const uint8_t *head, size_t length) {
  int to = open(copy, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0555);
  int status = to < 0 || write_all(to, head, length) ? TREE_UNREADABLE : READY;
  for (archive->bytes = length; status == READY && fill(&archive->stream);) {
    size_t some = archive->stream.size - archive->stream.at;
    archive->bytes += some;
    status = archive->bytes > MAX_TREE_BYTES ? TREE_REFUSED : take_content(&archive->stream, some, to);
  }
  if (to >= 0 && close(to)) status = TREE_UNREADABLE;
  return status;
}

int tree_receive(int from, const char *copy, uint8_t digest[DIGEST]) {
  static struct archive archive;
  uint8_t head[sizeof MAGIC - 1];
  memset(&archive, 0, sizeof archive);
  archive.stream.from = from;
  sha256_start(&archive.stream.hash);
  size_t length = take(&archive.stream, head, sizeof head);
  int status = length == sizeof head && !memcmp(head, MAGIC, sizeof head)
                   ? make_folder_tree(&archive, copy)
                   : make_single_file(&archive, copy, head, length);
  /* Read to its end, so that what follows it is found. */
  while (fill(&archive.stream)) archive.stream.at = archive.stream.size;
  sha256_end(&archive.stream.hash, digest);
  return archive.stream.lost ? -1 : status;
}
