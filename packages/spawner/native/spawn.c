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
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAGIC "cmcp-spawn-1"
#define START 'S'
#define EGRESS 'E'
#define CONFINED 1
/* Uids of servers where the broker is root: one for each that runs, used again as late as possible. */
#define FIRST_UID 2046820352u
#define UIDS 65536u
#define CONNECTION 3
#define CHANNEL 4
#define REQUEST_SECONDS 5
#define TABLE_SECONDS 30
/* Milliseconds between the end of a server's input and its own. */
#define GRACE_MS 2000
/* Milliseconds between two looks at what a server's processes hold in memory. */
#define LOOK_MS 500

struct child {
  int pidfd;
  uid_t uid;
  int channel; /* to the forwarder of its way out; -1 without one */
  uint8_t name[NAME];
};

static struct table table;
static struct child children[MAX_CHILDREN];

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

/* Passes the connection on to the forwarder of the server of that name. */
static void serve_egress(int connection) {
  static const uint8_t nothing[DIGEST];
  uint8_t name[NAME];
  if (receive(connection, name, sizeof name, REQUEST_SECONDS)) _exit(reply(connection, MALFORMED, nothing));
  for (int i = 0; i < MAX_CHILDREN; i++)
    if (children[i].pidfd >= 0 && children[i].channel >= 0 && !memcmp(children[i].name, name, NAME))
      _exit(reply(connection, READY, nothing) || egress_pass(children[i].channel, connection));
  _exit(reply(connection, NO_ENTRY, nothing));
}

/* The program's own process. The connection takes the place of standard input and output; what it writes to standard
 * error is dropped. Its environment is the entry's, with the secrets of this start. */
static void run_program(const struct entry *entry, const uint8_t name[NAME], char *const *secrets) {
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
  if (filter_install(entry->egress ? CONNECTING_SERVER : SERVER) || reply(1, READY, entry->measured) ||
      (entry->egress && send(1, name, NAME, MSG_NOSIGNAL) != NAME))
    _exit(126);
  execve(entry->argv[0], entry->argv, environment);
  _exit(127);
}

/*
 * The first process of a server's PID namespace: with it everything in there ends. It leaves when the program, its
 * forwarder or the connection has ended, and when its processes hold more memory than they may.
 */
static void watch_over(int program, int forwarder, struct watch *watch, uint32_t memory_mib) {
  struct pollfd watched[] = {{program, POLLIN, 0}, {CONNECTION, POLLRDHUP, 0}, {forwarder, POLLIN, 0}};
  while (!watched[0].revents && !watched[1].revents && !watched[2].revents)
    if ((poll(watched, 3, LOOK_MS) < 0 && errno != EINTR) || memory_exceeded(watch, memory_mib)) _exit(1);
  if (!watched[0].revents && !(watched[1].revents & POLLHUP) && !watched[2].revents) {
    /* Only the input ended: MCP (stdio, "Shutdown") lets a server leave by itself. */
    watched[1].events = 0;
    poll(watched, 3, GRACE_MS);
  }
  _exit(0);
}

/* What a server's first process has of the broker's. */
struct start {
  uid_t uid;
  int channel; /* the forwarder's end */
  uint8_t name[NAME];
};

/* The secrets of a start, and the bytes that they are in. */
struct secrets {
  uint8_t bytes[MAX_SECRETS_BYTES];
  char *variables[MAX_SECRETS + 1];
};

/* The rest of a start: which server, and its secrets. Only the process that becomes the server ever has them. 0 or -1.
 */
static int receive_start(unsigned *index, struct secrets *secrets) {
  uint8_t head[6];
  if (receive(CONNECTION, head, sizeof head, REQUEST_SECONDS)) return -1;
  uint32_t length = (uint32_t)head[2] << 24 | (uint32_t)head[3] << 16 | (uint32_t)head[4] << 8 | head[5];
  *index = (unsigned)head[0] << 8 | head[1];
  return length > MAX_SECRETS_BYTES || receive(CONNECTION, secrets->bytes, length, REQUEST_SECONDS) ||
                 secrets_read(secrets->variables, secrets->bytes, length)
             ? -1
             : 0;
}

/* Starts the forwarder of a server with a way out. Its pidfd, or -1. */
static int start_forwarder(const struct entry *entry, int listener, int channel, struct secrets *secrets) {
  int forwarder = -1;
  pid_t pid = fork_with(0, &forwarder);
  if (pid != 0) return pid < 0 ? -1 : forwarder;
  /* It has nothing but those two. */
  explicit_bzero(secrets, sizeof *secrets);
  if (dup2(listener, 0) < 0 || dup2(channel, 1) < 0 || close_range(2, ~0u, 0) || filter_install(FORWARDER)) _exit(1);
  egress_forward(0, 1, entry->files);
}

/* Starts forwarder, program and watch of a server in the confined process. Returns only where that fails. */
static void run_confined(const struct entry *entry, const struct start *start, int listener, struct watch *watch,
                         struct secrets *secrets) {
  int forwarder = entry->egress ? start_forwarder(entry, listener, start->channel, secrets) : -1, program = -1;
  if (entry->egress && (forwarder < 0 || close(listener))) return;
  close(start->channel);
  pid_t pid = fork_with(0, &program);
  if (pid == 0) run_program(entry, start->name, secrets->variables);
  /* The watcher stays as long as the server, and has no use for them. */
  explicit_bzero(secrets, sizeof *secrets);
  if (pid < 0 || filter_install(SERVER)) return;
  watch_over(program, forwarder, watch, entry->memory_mib);
}

static void serve_start(const struct machine *machine, const struct start *start) {
  static const uint8_t nothing[DIGEST];
  static struct secrets secrets;
  unsigned index;
  if (receive_start(&index, &secrets)) _exit(reply(CONNECTION, MALFORMED, nothing));
  if (index >= table.count) _exit(reply(CONNECTION, NO_ENTRY, nothing));
  const struct entry *entry = &table.entries[index];
  struct watch watch;
  int listener = -1;
  int status = entry->status != READY                                            ? entry->status
               : memory_watch(&watch) || cgroup_join(machine, entry, start->uid) ? NOT_CONFINED
               : entry->egress && (listener = egress_listen()) < 0               ? NOT_CONFINED
                                                                   : confine(machine, entry, index, start->uid);
  if (status == READY) {
    run_confined(entry, start, listener, &watch, &secrets);
    status = NOT_CONFINED;
  }
  _exit(reply(CONNECTION, status, entry->measured));
}

static void serve_child(const struct machine *machine, int connection, struct start *start) {
  static const uint8_t nothing[DIGEST];
  uint8_t request;
  if (prctl(PR_SET_PDEATHSIG, SIGKILL)) _exit(1);
  if (receive(connection, &request, 1, REQUEST_SECONDS)) _exit(reply(connection, MALFORMED, nothing));
  if (request == EGRESS) serve_egress(connection);
  if (request != START) {
    /* Closing before its bytes are read would take the answer away. */
    uint8_t rest[6];
    receive(connection, rest, sizeof rest, REQUEST_SECONDS);
    _exit(reply(connection, MALFORMED, nothing));
  }
  /* Nothing of the broker's stays, the ends of other servers' channels above all. */
  int channel = fcntl(start->channel, F_DUPFD, CHANNEL + 1), own = fcntl(connection, F_DUPFD, CHANNEL + 1);
  if (channel < 0 || own < 0 || dup2(own, CONNECTION) < 0 || dup2(channel, CHANNEL) < 0 ||
      close_range(CHANNEL + 1, ~0u, 0))
    _exit(1);
  start->channel = CHANNEL;
  memset(children, 0, sizeof children);
  serve_start(machine, start);
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

static uid_t unused_uid(void) {
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

static void start_child(const struct machine *machine, int connection) {
  int slot = 0, pidfd = -1, channel[2];
  while (slot < MAX_CHILDREN && children[slot].pidfd >= 0) slot++;
  if (slot == MAX_CHILDREN) return refuse(connection, BUSY);
  struct start start = {.uid = unused_uid()};
  if (getrandom(start.name, NAME, 0) != NAME || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel))
    return refuse(connection, NOT_CONFINED);
  start.channel = channel[1];
  pid_t pid = fork_with(machine_clone_flags(machine), &pidfd);
  if (pid == 0) serve_child(machine, connection, &start);
  close(channel[1]);
  if (pid < 0) {
    close(channel[0]);
    return refuse(connection, NOT_CONFINED);
  }
  children[slot] = (struct child){.pidfd = pidfd, .uid = start.uid, .channel = channel[0]};
  memcpy(children[slot].name, start.name, NAME);
  close(connection);
}

static void serve(const struct machine *machine, int listener, int control, uid_t peer) {
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
        close(children[i].channel);
        children[i].pidfd = -1;
      }
    if (watched[0].revents) {
      int connection = accept_from(listener, peer);
      if (connection >= 0) start_child(machine, connection);
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
    _exit(memory_watch(&watch) || confine(machine, &entry, 0, FIRST_UID) || filter_install(SERVER));
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
