/*
 * PID 1's last check before keys can be made, with a kernel whose random generator is seeded or not:
 *
 *   play-entropy seeded | unseeded
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/random.h>

static ssize_t played_getrandom(void *buffer, size_t size, unsigned int flags);

#define getrandom played_getrandom
#define main init_main
#include "../../../enclave-image/native/init.c"
#undef main
#undef getrandom

static bool seeded;

/* As random(4) says of GRND_NONBLOCK before the generator is initialised. */
static ssize_t played_getrandom(void *buffer, size_t size, unsigned int flags) {
  if (!seeded && (flags & GRND_NONBLOCK) != 0) {
    errno = EAGAIN;
    return -1;
  }
  memset(buffer, 0, size);
  return (ssize_t)size;
}

int main(int count, char **arguments) {
  seeded = count == 2 && strcmp(arguments[1], "seeded") == 0;
  require_entropy();
  return 0;
}
