/* A hostile stdio server with a way out: tries every other. Then it sends a word through its proxy and says what comes
 * back, for each line that it reads. */
#define _GNU_SOURCE
#include "report.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PROXY 3128
#define MPTCP 262

static int connect_to(const char *host, int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  int stream = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  inet_pton(AF_INET, host, &address.sin_addr);
  if (stream < 0 || !connect(stream, (struct sockaddr *)&address, sizeof address)) return stream;
  int error = errno;
  close(stream);
  errno = error;
  return -1;
}

static void try_sockets(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(4000)};
  int one = 1, stream = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
  tried("UDP", socket(AF_INET, SOCK_DGRAM, 0));
  tried("UDP without blocking", socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  tried("raw", socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
  tried("MPTCP", socket(AF_INET, SOCK_STREAM, MPTCP));
  tried("SCTP", socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP));
  tried("IPv6", socket(AF_INET6, SOCK_STREAM, 0));
  tried("Unix", socket(AF_UNIX, SOCK_STREAM, 0));
  tried("netlink", socket(AF_NETLINK, SOCK_RAW, 0));
  tried("packets", socket(AF_PACKET, SOCK_RAW, 0));
  tried("vsock", socket(AF_VSOCK, SOCK_STREAM, 0));
  tried("stream", stream);
  tried("bind", bind(stream, (struct sockaddr *)&address, sizeof address));
  tried("listen", listen(stream, 1));
  tried("accept", accept(stream, NULL, NULL));
  tried("options of IP", setsockopt(stream, IPPROTO_IP, IP_TTL, &one, sizeof one));
  tried("another protocol above", setsockopt(stream, IPPROTO_TCP, TCP_ULP, "tls", 3));
  tried("larger buffer", setsockopt(stream, SOL_SOCKET, SO_SNDBUF, &one, sizeof one));
  tried("no delay", setsockopt(stream, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one));
  tried("another port", connect_to("127.0.0.1", 4000));
  tried("another address", connect_to("192.0.2.1", 443));
}

static void send_through(const char *word) {
  char answer[64];
  int stream = connect_to("127.0.0.1", PROXY);
  size_t length = 0;
  ssize_t got = 0;
  if (stream < 0 || send(stream, word, strlen(word), 0) < 0) return tried("proxy", -1);
  shutdown(stream, SHUT_WR);
  while (length < sizeof answer - 1 && (got = recv(stream, answer + length, sizeof answer - 1 - length, 0)) > 0)
    length += (size_t)got;
  answer[length] = 0;
  close(stream);
  say("proxy", length ? answer : got < 0 ? strerrorname_np(errno) : "ended");
}

int main(int argc, char **argv) {
  char line[64];
  (void)argc, (void)argv;
  try_sockets();
  say("tried", "all");
  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = 0;
    if (!strcmp(line, "many")) {
      int open = 0;
      for (int i = 0; i < 1000; i++) open += connect_to("127.0.0.1", PROXY) >= 0;
      say("many", open > 0 ? "connected" : "none");
    } else if (!strcmp(line, "kill")) {
      /* The forwarder is the second process of the namespace. */
      tried("kill", kill(2, SIGKILL));
    } else
      send_through(line);
  }
  return 0;
}
