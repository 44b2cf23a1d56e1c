/* What the parts of the spawner share. SPEC.md beside this folder is the reference for formats and bounds. */
#ifndef CMCP_SPAWN_H
#define CMCP_SPAWN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MAX_ENTRIES 64
#define MAX_RUNTIME 64
/* More than the 128 that may be configured: some are still ending when the next starts. */
#define MAX_CHILDREN 192
#define MAX_ARGS 256
#define MAX_ENV 64
/* Secrets of one start, and bytes of the name and the value of one. */
#define MAX_SECRETS 16
#define MAX_SECRET_NAME 128
#define MAX_SECRET 4096
#define MAX_SECRETS_BYTES (2 + MAX_SECRETS * (2 + MAX_SECRET_NAME + 1 + MAX_SECRET))
#define MAX_PATH 1024
#define MAX_TABLE (256 * 1024)
#define MAX_TREE_ITEMS 65536
#define MAX_TREE_BYTES (256ull << 20)
#define MAX_TREE_DEPTH 32
#define DIGEST 32
/* Bytes of the name by which the enclave finds the way out of one running server. */
#define NAME 16
/* Most MiB of all trees together. */
#define STAGE_MIB 512

/* Statuses of an entry and of a start; SPEC.md, "Statuses". */
enum status {
  READY = 0,
  NO_ENTRY,
  DIGEST_MISMATCH,
  TREE_REFUSED,
  TREE_UNREADABLE,
  NOT_CONFINED,
  BUSY,
  MALFORMED,
  NO_PROGRAM
};

/* One server the launch document allows. Strings point into the table's bytes. */
struct entry {
  uint8_t pinned;
  uint8_t expected[DIGEST];
  uint8_t measured[DIGEST];
  uint8_t status;
  uint8_t egress; /* whether it has a way out */
  uint32_t tasks, memory_mib, scratch_mib, files, cpu_seconds;
  char *tree;
  char *argv[MAX_ARGS + 1];
  char *envp[MAX_ENV + 1];
};

struct table {
  unsigned count;
  struct entry entries[MAX_ENTRIES];
};

/* What of this machine every server sees, and where trees are kept; from the command line. */
struct machine {
  const char *stage;
  const char *cgroup; /* where a cgroup v2 hierarchy of the spawner's own is mounted; NULL where none is */
  const char *runtime[MAX_RUNTIME];
  unsigned runtimes;
  int privileged;
  uid_t uid;
  gid_t gid;
};

struct sha256 {
  uint32_t state[8];
  uint64_t length;
  uint8_t block[64];
};

void sha256_start(struct sha256 *hash);
void sha256_add(struct sha256 *hash, const void *data, size_t length);
void sha256_end(struct sha256 *hash, uint8_t digest[DIGEST]);

/*
 * Reads an archive in chunks from a descriptor and writes what it says to `copy`, which must not be there; the digest
 * is that of every byte read. A status, or -1 when the descriptor ended or broke the framing.
 */
int tree_receive(int from, const char *copy, uint8_t digest[DIGEST]);

/* Reads the allowed servers out of `bytes`, which must outlive the table. 0, or -1 for anything malformed. */
int table_read(struct table *table, uint8_t *bytes, size_t length);

/* Reads the secrets of one start out of `bytes`, into which they point. 0, or -1 for anything malformed. */
int secrets_read(char *secrets[MAX_SECRETS + 1], uint8_t *bytes, size_t length);

/* Gives this process a mount namespace of its own, with the stage mounted in it. 0 or -1. */
int machine_enter(struct machine *machine);
/* Makes the stage unwritable for everybody, for good. 0 or -1. */
int machine_seal(const struct machine *machine);
/* Path of the stage's copy of an entry's tree. */
void machine_copy_path(const struct machine *machine, unsigned index, char path[MAX_PATH]);
/* Flags of clone(2) for a confined child. */
int machine_clone_flags(const struct machine *machine);
/* MiB that the stage may have. */
unsigned cgroup_stage_mib(const struct machine *machine);
/* Makes the cgroup of all servers, once the trees are on the stage. 0, also where there is no hierarchy, or -1. */
int cgroup_enter(const struct machine *machine);
/* Puts the calling process into a cgroup of its own with the bounds of `entry`. 0, also without a hierarchy, or -1. */
int cgroup_join(const struct machine *machine, const struct entry *entry, uid_t uid);
/* Removes that cgroup when the server has ended. */
void cgroup_leave(const struct machine *machine, uid_t uid);
/* Shuts the calling process, made with those flags, into its view and bounds, as `uid`. Returns a status. */
int confine(const struct machine *machine, const struct entry *entry, unsigned index, uid_t uid);
/* The look at a server's processes. */
struct watch {
  int processes;       /* /proc of the PID namespace of the process that watches; mounted nowhere */
  unsigned incomplete; /* looks in a row that found no complete count */
};

/* Begins to watch all processes of the calling process's PID namespace; before it enters its view. 0 or -1. */
int memory_watch(struct watch *watch);
/* Whether they hold more than so many MiB together, or that cannot be found out. */
int memory_exceeded(struct watch *watch, uint32_t most_mib);

/* Brings loopback up in the calling process's network namespace and listens there. A descriptor or -1. */
int egress_listen(void);
/* Passes a connection of the enclave's to the forwarder at the other end of `channel`. 0 or -1. */
int egress_pass(int channel, int connection);
/* The forwarder of one server, which may open so many files. Does not return. */
void egress_forward(int listener, int channel, uint32_t most_files) __attribute__((noreturn));

/* Whom a filter is for: a server, one with a way out, or the forwarder of that. */
enum role { SERVER, CONNECTING_SERVER, FORWARDER };
/* What a system call's argument must be for the call to be allowed. */
enum test { ONE_OF, NONE_OF_BITS, NOT_ALL_BITS };
struct rule {
  int call;
  unsigned argument;
  enum test test;
  int error; /* of a call that breaks the rule */
  const uint32_t *values;
  unsigned count;
  const uint32_t *level; /* what the second argument must be for the rule to count; NULL where it always does */
};
/* The rules of a role, of which every call must keep all that name it. */
const struct rule *argument_rules(enum role role, unsigned *count);

/* Installs the system call filter of a role in the calling process for good. 0 or -1. */
int filter_install(enum role role);

/* clone(2) as fork(2) with further flags; the child's pidfd goes to `pidfd`. */
pid_t fork_with(int flags, int *pidfd);
/* write(2) of a short text to a file of /proc. 0 or -1. */
int write_text(const char *path, const char *text);

#endif
