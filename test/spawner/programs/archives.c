/* Receives archives in chunks from standard input, each into the next folder below the one named, and says of each its
 * status and digest. */
#include "spawn.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int main(int argc, char **argv) {
  if (argc != 3) return 64;
  umask(0);
  for (int index = 0; index < atoi(argv[2]); index++) {
    char copy[MAX_PATH];
    uint8_t digest[DIGEST];
    snprintf(copy, sizeof copy, "%s/%d", argv[1], index);
    printf("%d ", tree_receive(0, copy, digest));
    for (int i = 0; i < DIGEST; i++) printf("%02x", digest[i]);
    printf("\n");
  }
  return 0;
}
