/* The allowed servers, as the enclave sends them once; SPEC.md, "Table". Whole and well-formed, or refused. */
#include "spawn.h"
#include <string.h>

struct reader {
  uint8_t *at, *end;
  int failed;
};

static uint32_t number(struct reader *from, int bytes) {
  uint32_t value = 0;
  if (from->failed || from->end - from->at < bytes) return from->failed = 1, 0;
  while (bytes--) value = value << 8 | *from->at++;
  return value;
}

/* A text of u16 length, made a C string in place by moving it over its own length. */
static char *text(struct reader *from) {
  uint32_t length = number(from, 2);
  if (from->failed || (uint32_t)(from->end - from->at) < length || memchr(from->at, 0, length))
    return from->failed = 1, NULL;
  char *start = (char *)from->at - 2;
  memmove(start, from->at, length);
  start[length] = 0;
  from->at += length;
  return start;
}

/* An absolute path in one spelling only: no empty, `.` or `..` component, not the root. */
static int is_plain(const char *path) {
  if (path[0] != '/' || path[1] == 0 || strlen(path) >= MAX_PATH / 2) return 0;
  while (*path) {
    size_t length = strcspn(++path, "/");
    if (length == 0 || (length == 1 && path[0] == '.') || (length == 2 && path[0] == '.' && path[1] == '.')) return 0;
    path += length;
  }
  return 1;
}

static int texts(struct reader *from, char **into, uint32_t most) {
  uint32_t count = number(from, 2);
  if (count > most) return -1;
  for (uint32_t i = 0; i < count && !from->failed; i++) into[i] = text(from);
  into[count] = NULL;
  return from->failed ? -1 : (int)count;
}

static int within(uint32_t value, uint32_t least, uint32_t most) { return value >= least && value <= most; }

static int read_entry(struct reader *from, struct entry *entry) {
  entry->pinned = (uint8_t)number(from, 1);
  if (entry->pinned > 1 || from->end - from->at < DIGEST) return -1;
  memcpy(entry->expected, from->at, DIGEST);
  from->at += DIGEST;
  entry->tasks = number(from, 4);
  entry->memory_mib = number(from, 4);
  entry->scratch_mib = number(from, 4);
  entry->files = number(from, 4);
  entry->cpu_seconds = number(from, 4);
  entry->egress = (uint8_t)number(from, 1);
  entry->tree = text(from);
  if (entry->egress > 1 || from->failed || !is_plain(entry->tree)) return -1;
  if (texts(from, entry->argv, MAX_ARGS) < 1 || entry->argv[0][0] == 0 ||
      (strchr(entry->argv[0], '/') && !is_plain(entry->argv[0])))
    return -1;
  if (texts(from, entry->envp, MAX_ENV) < 0) return -1;
  for (char **variable = entry->envp; *variable; variable++)
    if (**variable == '=' || !strchr(*variable, '=')) return -1;
  return within(entry->tasks, 1, 1024) && within(entry->memory_mib, 16, 65536) && within(entry->scratch_mib, 1, 4096) &&
                 within(entry->files, 16, 4096) && within(entry->cpu_seconds, 1, 86400 * 30)
             ? 0
             : -1;
}

int table_read(struct table *table, uint8_t *bytes, size_t length) {
  struct reader from = {bytes, bytes + length, 0};
  uint32_t count = number(&from, 2);
  if (count > MAX_ENTRIES) return -1;
  for (uint32_t i = 0; i < count; i++)
    if (read_entry(&from, &table->entries[i])) return -1;
  table->count = count;
  return from.failed || from.at != from.end ? -1 : 0;
}

int secrets_read(char *secrets[MAX_SECRETS + 1], uint8_t *bytes, size_t length) {
  struct reader from = {bytes, bytes + length, 0};
  if (texts(&from, secrets, MAX_SECRETS) < 0 || from.at != from.end) return -1;
  for (char **secret = secrets; *secret; secret++) {
    size_t name = strspn(*secret, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");
    if (name == 0 || name > MAX_SECRET_NAME || (*secret)[name] != '=' || within((uint8_t) * *secret, '0', '9') ||
        strlen(*secret + name + 1) > MAX_SECRET)
      return -1;
  }
  return 0;
}
