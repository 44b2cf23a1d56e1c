/*
 * Runs stdio servers, each shut in by itself. The enclave connects to a Unix socket: its first connection says, once,
 * which servers there are; every further one starts one of them and is from then on its standard input and output.
 * When the first connection ends, everything ends. SPEC.md has the protocol.
 */
#define _GNU_SOURCE
#include "spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAGIC "cmcp-spawn-1"
#define START 'S'
#define CONFINED 1
/* Uids of servers where the broker is root: one for each that runs, used again as late as possible. */
#define FIRST_UID 2046820352u
#define UIDS 65536u
#define CONNECTION 3
#define REQUEST_SECONDS 5
#define TABLE_SECONDS 30
/* Milliseconds between the end of a server's input and its own. */
#define GRACE_MS 2000
/* Milliseconds between two looks at what a server's processes hold in memory. */
#define LOOK_MS 500

struct child {
  int pidfd;
  uid_t uid;
};

static struct table table;

static void fail(const char *what) {
  fprintf(stderr, "cmcp-spawn: %s: %s\n", what, strerror(errno));
  exit(1);
}

pid_t fork_with(int flags, int *pidfd) {
  return (pid_t)syscall(SYS_clone, flags | CLONE_PIDFD | SIGCHLD, 0, pidfd, 0, 0);
}

static int receive(int from, void *into, size_t length, int seconds) {
  struct timeval limit = {seconds, 0};
  if (setsockopt(from, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit)) return -1;
  if (recv(from, into, length, MSG_WAITALL) != (ssize_t)length) return -1;
  limit.tv_sec = 0;
  return setsockopt(from, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
}

static int reply(int to, int status, const uint8_t digest[DIGEST]) {
  uint8_t message[1 + DIGEST] = {(uint8_t)status};
  memcpy(message + 1, digest, DIGEST);
  return send(to, message, sizeof message, MSG_NOSIGNAL) == sizeof message ? 0 : -1;
}

/* The program's own process. The connection takes the place of standard input and output; what it writes to standard
 * error is dropped. Its environment is the entry's, with the secrets of this start. */
static void run_program(const struct entry *entry, char *const *secrets) {
  char *environment[MAX_ENV + MAX_SECRETS + 1];
  unsigned variables = 0;
  for (char *const *variable = entry->envp; *variable; variable++) environment[variables++] = *variable;
  for (char *const *secret = secrets; *secret; secret++) environment[variables++] = *secret;
  environment[variables] = NULL;
  int null = open("/dev/null", O_WRONLY);
  signal(SIGCHLD, SIG_DFL);
  signal(SIGPIPE, SIG_DFL);
  if (null < 0 || dup2(null, 2) < 0 || dup2(CONNECTION, 0) < 0 || dup2(CONNECTION, 1) < 0 || close_range(3, ~0u, 0))
    _exit(126);
  if (filter_install() || reply(1, READY, entry->measured)) _exit(126);
  execve(entry->argv[0], entry->argv, environment);
  _exit(127);
}

/*
 * The first process of a server's PID namespace: with it everything in there ends. It leaves when the program or the
 * connection has ended, and when its processes hold more memory than they may.
 */
static void watch_over(int program, struct watch *watch, uint32_t memory_mib) {
  struct pollfd watched[] = {{program, POLLIN, 0}, {CONNECTION, POLLRDHUP, 0}};
  while (!watched[0].revents && !watched[1].revents)
    if ((poll(watched, 2, LOOK_MS) < 0 && errno != EINTR) || memory_exceeded(watch, memory_mib)) _exit(1);
  if (!watched[0].revents && !(watched[1].revents & POLLHUP)) {
    /* Only the input ended: MCP (stdio, "Shutdown") lets a server leave by itself. */
    watched[1].events = 0;
    poll(watched, 2, GRACE_MS);
  }
  _exit(0);
}

/* A start: which server, and its secrets. Only the process that becomes the server ever has them. 0 or -1. */
static int receive_start(unsigned *index, uint8_t *bytes, char **secrets) {
  uint8_t head[7];
  if (receive(CONNECTION, head, sizeof head, REQUEST_SECONDS) || head[0] != START) return -1;
  uint32_t length = (uint32_t)head[3] << 24 | (uint32_t)head[4] << 16 | (uint32_t)head[5] << 8 | head[6];
  *index = (unsigned)head[1] << 8 | head[2];
  return length > MAX_SECRETS_BYTES || receive(CONNECTION, bytes, length, REQUEST_SECONDS) ||
                 secrets_read(secrets, bytes, length)
             ? -1
             : 0;
}

static void serve_child(const struct machine *machine, int connection, uid_t uid) {
  static const uint8_t nothing[DIGEST];
  static uint8_t bytes[MAX_SECRETS_BYTES];
  char *secrets[MAX_SECRETS + 1];
  unsigned index;
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) || dup2(connection, CONNECTION) < 0 || close_range(CONNECTION + 1, ~0u, 0))
    _exit(1);
  if (receive_start(&index, bytes, secrets)) _exit(reply(CONNECTION, MALFORMED, nothing));
  if (index >= table.count) _exit(reply(CONNECTION, NO_ENTRY, nothing));
  const struct entry *entry = &table.entries[index];
  struct watch watch;
  int status = entry->status != READY                                     ? entry->status
               : memory_watch(&watch) || cgroup_join(machine, entry, uid) ? NOT_CONFINED
                                                                          : confine(machine, entry, index, uid);
  if (status != READY) _exit(reply(CONNECTION, status, entry->measured));
  int program = -1;
  pid_t pid = fork_with(0, &program);
  if (pid == 0) run_program(entry, secrets);
  /* The watcher stays as long as the server, and has no use for them. */
  explicit_bzero(bytes, sizeof bytes);
  if (pid < 0 || filter_install()) _exit(reply(CONNECTION, NOT_CONFINED, entry->measured));
  watch_over(program, &watch, entry->memory_mib);
}

/* A program named without a folder is one of the machine's interpreters, and nothing else. */
static int find_program(const struct machine *machine, struct entry *entry) {
  if (entry->argv[0][0] == '/') return READY;
  for (unsigned i = 0; i < machine->runtimes; i++) {
    const char *slash = strrchr(machine->runtime[i], '/');
    if (slash && !strcmp(slash + 1, entry->argv[0])) {
      entry->argv[0] = (char *)machine->runtime[i];
      return READY;
    }
  }
  return NO_PROGRAM;
}

/* Receives the tree of one server onto the stage and tells the enclave what it is. */
static int take_tree(const struct machine *machine, int control, unsigned index) {
  struct entry *entry = &table.entries[index];
  char copy[MAX_PATH];
  machine_copy_path(machine, index, copy);
  int status = tree_receive(control, copy, entry->measured);
  if (status < 0) return -1;
  if (status == READY && entry->pinned && memcmp(entry->measured, entry->expected, DIGEST)) status = DIGEST_MISMATCH;
  if (status == READY) status = find_program(machine, entry);
  entry->status = (uint8_t)status;
  return reply(control, status, entry->measured);
}

/* Takes the table and the trees of its servers. Afterwards nobody can change what was received. */
static int take_table(const struct machine *machine, int control) {
  static uint8_t bytes[MAX_TABLE];
  uint8_t head[sizeof MAGIC - 1 + 4], answer[3] = {CONFINED};
  if (receive(control, head, sizeof head, TABLE_SECONDS) || memcmp(head, MAGIC, sizeof MAGIC - 1)) return -1;
  uint8_t *size = head + sizeof MAGIC - 1;
  uint32_t length = (uint32_t)size[0] << 24 | (uint32_t)size[1] << 16 | (uint32_t)size[2] << 8 | size[3];
  if (length > MAX_TABLE || receive(control, bytes, length, TABLE_SECONDS) || table_read(&table, bytes, length))
    return -1;
  answer[1] = (uint8_t)(table.count >> 8);
  answer[2] = (uint8_t)table.count;
  if (send(control, answer, sizeof answer, MSG_NOSIGNAL) != sizeof answer) return -1;
  umask(0);
  for (unsigned i = 0; i < table.count; i++)
    if (take_tree(machine, control, i)) return -1;
  return machine_seal(machine) || cgroup_enter(machine) ? -1 : 0;
}

static int listen_at(const char *path, const struct machine *machine, uid_t peer) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) return -1;
  strcpy(address.sun_path, path);
  int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  umask(0177);
  if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address)) return -1;
  if (machine->privileged && peer != 0 && chown(path, peer, (gid_t)-1)) return -1;
  return listen(listener, MAX_CHILDREN) ? -1 : listener;
}

/* The next connection of the one uid that may connect. -1 for somebody else's, and for one that is already gone. */
static int accept_from(int listener, uid_t peer) {
  struct ucred who;
  socklen_t size = sizeof who;
  int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  if (connection < 0 && errno != EINTR && errno != ECONNABORTED) fail("accept");
  if (connection < 0) return -1;
  if (!getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &who, &size) && who.uid == peer) return connection;
  close(connection);
  return -1;
}

static uid_t unused_uid(const struct child *children) {
  static uint32_t next;
  for (;;) {
    uid_t uid = FIRST_UID + next++ % UIDS;
    int used = 0;
    for (int i = 0; i < MAX_CHILDREN; i++) used |= children[i].pidfd >= 0 && children[i].uid == uid;
    if (!used) return uid;
  }
}

/* Answers a request that was not read. Closing before it is would take the answer away, so a few are closed later. */
static void refuse(int connection, int status) {
  static const uint8_t nothing[DIGEST];
  static int refused[16];
  static unsigned next;
  reply(connection, status, nothing);
  shutdown(connection, SHUT_WR);
  int *place = &refused[next++ % 16];
  if (*place > 0) close(*place);
  *place = connection;
}

static void start_child(const struct machine *machine, struct child *children, int connection) {
  int slot = 0, pidfd = -1;
  while (slot < MAX_CHILDREN && children[slot].pidfd >= 0) slot++;
  if (slot == MAX_CHILDREN) return refuse(connection, BUSY);
  uid_t uid = unused_uid(children);
  pid_t pid = fork_with(machine_clone_flags(machine), &pidfd);
  if (pid == 0) serve_child(machine, connection, uid);
  if (pid < 0) return refuse(connection, NOT_CONFINED);
  children[slot] = (struct child){pidfd, uid};
  close(connection);
}

static void serve(const struct machine *machine, int listener, int control, uid_t peer) {
  struct child children[MAX_CHILDREN];
  struct pollfd watched[2 + MAX_CHILDREN];
  for (int i = 0; i < MAX_CHILDREN; i++) children[i].pidfd = -1;
  for (;;) {
    watched[0] = (struct pollfd){listener, POLLIN, 0};
    watched[1] = (struct pollfd){control, POLLIN | POLLRDHUP, 0};
    for (int i = 0; i < MAX_CHILDREN; i++) watched[2 + i] = (struct pollfd){children[i].pidfd, POLLIN, 0};
    if (poll(watched, 2 + MAX_CHILDREN, -1) < 0 && errno != EINTR) fail("poll");
    /* Nothing may come on it any more, so whatever happens there is its end. */
    if (watched[1].revents) return;
    for (int i = 0; i < MAX_CHILDREN; i++)
      if (watched[2 + i].revents) {
        cgroup_leave(machine, children[i].uid);
        close(children[i].pidfd);
        children[i].pidfd = -1;
      }
    if (watched[0].revents) {
      int connection = accept_from(listener, peer);
      if (connection >= 0) start_child(machine, children, connection);
    }
  }
}

/* Tries everything a start does, with an empty tree. */
static int probe(const struct machine *machine) {
  static struct entry entry = {
      .tasks = 8, .memory_mib = 64, .scratch_mib = 1, .files = 64, .cpu_seconds = 10, .tree = "/probe"};
  char copy[MAX_PATH];
  machine_copy_path(machine, 0, copy);
  if (mkdir(copy, 0555) || machine_seal(machine)) fail("stage");
  int pidfd, status;
  pid_t pid = fork_with(machine_clone_flags(machine), &pidfd);
  if (pid == 0) {
    struct watch watch;
    _exit(memory_watch(&watch) || confine(machine, &entry, 0, FIRST_UID) || filter_install());
  }
  if (pid < 0) fail("clone");
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) fail("waitpid");
  if (status == 0) return 0;
  fprintf(stderr, "cmcp-spawn: this machine does not allow the confinement of servers\n");
  return 1;
}

int main(int argc, char **argv) {
  struct machine machine = {0};
  const char *path = NULL;
  uid_t peer = geteuid();
  int probing = 0;
  for (int i = 1; i < argc; i++) {
    const char *value = i + 1 < argc ? argv[i + 1] : NULL;
    if (!strcmp(argv[i], "--probe"))
      probing = 1;
    else if (value && !strcmp(argv[i], "--socket"))
      path = argv[++i];
    else if (value && !strcmp(argv[i], "--stage"))
      machine.stage = argv[++i];
    else if (value && !strcmp(argv[i], "--cgroup"))
      machine.cgroup = argv[++i];
    else if (value && !strcmp(argv[i], "--peer-uid"))
      peer = (uid_t)strtoul(argv[++i], NULL, 10);
    else if (value && !strcmp(argv[i], "--runtime") && machine.runtimes < MAX_RUNTIME)
      machine.runtime[machine.runtimes++] = argv[++i];
    else
      machine.stage = NULL, i = argc;
  }
  if (!machine.stage || strlen(machine.stage) > MAX_PATH / 4 ||
      (machine.cgroup && strlen(machine.cgroup) > MAX_PATH / 4) || !(probing || path)) {
    fprintf(stderr, "usage: cmcp-spawn --stage EMPTY-FOLDER (--probe | --socket PATH [--peer-uid N]) [--cgroup FOLDER] "
                    "[--runtime PATH]...\n");
    return 64;
  }
  /* Who started it must not be outlived. */
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) || signal(SIGPIPE, SIG_IGN) == SIG_ERR) fail("start");
  if (machine_enter(&machine)) fail("namespaces and stage");
  if (probing) return probe(&machine);
  int listener = listen_at(path, &machine, peer), control;
  if (listener < 0) fail("socket");
  if (write(1, "listening\n", 10) != 10 && errno != EPIPE) fail("standard output");
  do control = accept_from(listener, peer);
  while (control < 0);
  if (take_table(&machine, control)) {
    fprintf(stderr, "cmcp-spawn: the servers were not received whole\n");
    return 1;
  }
  /* Children are not waited for: their ends are seen on their pidfds. */
  signal(SIGCHLD, SIG_IGN);
  serve(&machine, listener, control, peer);
  return 0;
}
