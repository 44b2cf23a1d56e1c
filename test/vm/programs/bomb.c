/* A stdio server that takes memory or processes without end, after it has said which. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
  const char *kind = argc > 1 ? argv[1] : "";
  setvbuf(stdout, NULL, _IOLBF, 0);
  printf("%s\n", kind);
  while (!strcmp(kind, "memory")) {
    char *place = malloc(1 << 20);
    if (place) memset(place, 1, 1 << 20);
  }
  unsigned made = 0;
  while (!strcmp(kind, "processes")) {
    pid_t child = fork();
    if (child == 0)
      for (;;) pause();
    if (child > 0)
      made++;
    else
      break;
  }
  printf("%u processes\n", made);
  for (;;) pause();
}
