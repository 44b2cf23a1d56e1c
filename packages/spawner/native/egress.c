/*
 * The way out of a server that may have one; SPEC.md, "Egress". A forwarder in the server's network namespace listens
 * on loopback, and joins each connection there with one that the enclave opened before. It looks at no byte: what the
 * server may reach is the enclave's to decide.
 */
#define _GNU_SOURCE
#include "spawn.h"
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define PROXY_PORT 3128
/* Connections of the server that are joined at one time, and connections of the enclave that wait for one. */
#define MAX_TUNNELS 16
#define MAX_WAITING 4
#define BUFFER (16 * 1024)
/* Descriptors of the forwarder beside those: its listener, its channel, standard streams. */
#define OTHER_FILES 6
/* Seconds the kernel keeps a connection that sends nothing, and connections that wait to be joined. */
#define FIRST_BYTE_SECONDS 5
#define BACKLOG 64

/* What goes one way: read from one end, written to the other. */
struct flow {
  unsigned start, end;
  int ended;
  uint8_t bytes[BUFFER];
};

struct tunnel {
  int open, server, enclave;
  struct flow out, in;
};

struct forwarder {
  int listener, channel;
  unsigned tunnels, waiting_count;
  int waiting[MAX_WAITING];
  struct tunnel tunnel[MAX_TUNNELS];
};

int egress_listen(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(PROXY_PORT)};
  struct ifreq loopback = {.ifr_name = "lo"};
  int yes = 1, seconds = FIRST_BYTE_SECONDS;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listener < 0 || ioctl(listener, SIOCGIFFLAGS, &loopback)) return -1;
  loopback.ifr_flags |= IFF_UP;
  return ioctl(listener, SIOCSIFFLAGS, &loopback) || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) ||
                 setsockopt(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof seconds) ||
                 bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, BACKLOG)
             ? -1
             : listener;
}

int egress_pass(int channel, int connection) {
  uint8_t byte = 0;
  struct iovec one = {&byte, 1};
  union {
    struct cmsghdr head;
    char space[CMSG_SPACE(sizeof(int))];
  } control = {0};
  struct msghdr message = {
      .msg_iov = &one, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space};
  struct cmsghdr *part = CMSG_FIRSTHDR(&message);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(sizeof connection);
  memcpy(CMSG_DATA(part), &connection, sizeof connection);
  return sendmsg(channel, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == 1 ? 0 : -1;
}

/* Takes a connection that the spawner passes on. One too many is closed. */
static void take(struct forwarder *all) {
  uint8_t byte;
  struct iovec one = {&byte, 1};
  union {
    struct cmsghdr head;
    char space[CMSG_SPACE(sizeof(int))];
  } control;
  struct msghdr message = {
      .msg_iov = &one, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space};
  ssize_t got = recvmsg(all->channel, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got != 1) _exit(1);
  struct cmsghdr *part = CMSG_FIRSTHDR(&message);
  if (!part || part->cmsg_type != SCM_RIGHTS || part->cmsg_len != CMSG_LEN(sizeof(int))) return;
  int connection;
  memcpy(&connection, CMSG_DATA(part), sizeof connection);
  if (all->waiting_count == MAX_WAITING)
    close(connection);
  else
    all->waiting[all->waiting_count++] = connection;
}

static void leave(struct forwarder *all, unsigned place) {
  memmove(&all->waiting[place], &all->waiting[place + 1], (all->waiting_count - place - 1) * sizeof(int));
  all->waiting_count--;
}

static struct tunnel *unused(struct forwarder *all) {
  for (unsigned i = 0; i < all->tunnels; i++)
    if (!all->tunnel[i].open) return &all->tunnel[i];
  return NULL;
}

/* Joins the server's next connection with the enclave's that has waited longest. */
static void join(struct forwarder *all) {
  struct tunnel *tunnel = unused(all);
  int server = accept4(all->listener, NULL, NULL, SOCK_CLOEXEC);
  if (server < 0) return;
  tunnel->open = 1;
  tunnel->server = server;
  tunnel->enclave = all->waiting[0];
  tunnel->out = tunnel->in = (struct flow){0};
  leave(all, 0);
}

static void end(struct tunnel *tunnel) {
  close(tunnel->server);
  close(tunnel->enclave);
  tunnel->open = 0;
}

static int is_later(void) { return errno == EAGAIN || errno == EINTR; }

/* Moves what can be moved one way. -1 when that way is broken. */
static int move(struct flow *flow, int from, int to, short readable, short writable) {
  if (flow->start == flow->end && !flow->ended && readable) {
    ssize_t got = recv(from, flow->bytes, BUFFER, MSG_DONTWAIT);
    if (got < 0 && !is_later()) return -1;
    if (got == 0) {
      flow->ended = 1;
      if (shutdown(to, SHUT_WR)) return -1;
    }
    flow->start = 0;
    flow->end = got > 0 ? (unsigned)got : 0;
    writable = 1;
  }
  if (flow->start < flow->end && writable) {
    ssize_t sent = send(to, flow->bytes + flow->start, flow->end - flow->start, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && !is_later()) return -1;
    if (sent > 0) flow->start += (unsigned)sent;
  }
  return 0;
}

static short wanted(const struct flow *from, const struct flow *to) {
  return (short)((from->start == from->end && !from->ended ? POLLIN : 0) | (to->start < to->end ? POLLOUT : 0));
}

/* A descriptor of which nothing is wanted now is left out: its end would be told again and again. */
static struct pollfd watched(int descriptor, short events) {
  return (struct pollfd){events ? descriptor : -1, events, 0};
}

static void relay(struct tunnel *tunnel, short server, short enclave) {
  if ((server | enclave) & (POLLERR | POLLNVAL)) return end(tunnel);
  const short readable = POLLIN | POLLHUP;
  if (move(&tunnel->out, tunnel->server, tunnel->enclave, server & readable, enclave & POLLOUT) ||
      move(&tunnel->in, tunnel->enclave, tunnel->server, enclave & readable, server & POLLOUT) ||
      (tunnel->out.ended && tunnel->in.ended))
    end(tunnel);
}

static void __attribute__((noreturn)) forward(struct forwarder *all) {
  enum { LISTENER, CHANNEL, WAITING };
  struct pollfd polled[WAITING + MAX_WAITING + 2 * MAX_TUNNELS];
  for (;;) {
    unsigned count = WAITING, waiting = all->waiting_count;
    polled[LISTENER] = watched(all->listener, waiting && unused(all) ? POLLIN : 0);
    polled[CHANNEL] = watched(all->channel, POLLIN);
    for (unsigned i = 0; i < waiting; i++) polled[count++] = watched(all->waiting[i], POLLIN | POLLRDHUP);
    for (unsigned i = 0; i < all->tunnels; i++) {
      const struct tunnel *tunnel = &all->tunnel[i];
      polled[count++] = watched(tunnel->server, tunnel->open ? wanted(&tunnel->out, &tunnel->in) : 0);
      polled[count++] = watched(tunnel->enclave, tunnel->open ? wanted(&tunnel->in, &tunnel->out) : 0);
    }
    if (poll(polled, count, -1) < 0 && errno != EINTR) _exit(1);
    for (unsigned i = 0; i < all->tunnels; i++) {
      const struct pollfd *ends = &polled[WAITING + waiting + 2 * i];
      if (all->tunnel[i].open && (ends[0].revents || ends[1].revents))
        relay(&all->tunnel[i], ends[0].revents, ends[1].revents);
    }
    /* The enclave says nothing first, so what comes is its end. */
    for (unsigned i = waiting; i-- > 0;)
      if (polled[WAITING + i].revents) {
        close(all->waiting[i]);
        leave(all, i);
      }
    if (polled[CHANNEL].revents) take(all);
    if (polled[LISTENER].revents && all->waiting_count && unused(all)) join(all);
  }
}

void egress_forward(int listener, int channel, uint32_t most_files) {
  static struct forwarder all;
  unsigned room = most_files > OTHER_FILES + MAX_WAITING ? (most_files - OTHER_FILES - MAX_WAITING) / 2 : 0;
  all.listener = listener;
  all.channel = channel;
  all.tunnels = room < MAX_TUNNELS ? room : MAX_TUNNELS;
  forward(&all);
}
