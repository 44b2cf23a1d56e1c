/* Reads tables of servers, each after its u32 length, and says for each whether the spawner would take it. With an
 * argument it reads the secrets of starts instead. */
#include "spawn.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void read_secrets(uint8_t *bytes, size_t length) {
  char *secrets[MAX_SECRETS + 1];
  unsigned count = 0;
  size_t texts = 0;
  if (secrets_read(secrets, bytes, length)) {
    printf("refused\n");
    return;
  }
  for (; secrets[count]; count++) texts += strlen(secrets[count]);
  printf("%u %zu\n", count, texts);
}

int main(int argc, char **argv) {
  (void)argv;
  uint8_t size[4];
  while (fread(size, 1, sizeof size, stdin) == sizeof size) {
    size_t length = (size_t)size[0] << 24 | (size_t)size[1] << 16 | (size_t)size[2] << 8 | size[3];
    /* Of exactly this size, so that a read beyond it is found. */
    uint8_t *bytes = malloc(length ? length : 1);
    struct table *table = calloc(1, sizeof *table);
    if (!bytes || !table || fread(bytes, 1, length, stdin) != length) return 1;
    if (argc > 1) {
      read_secrets(bytes, length);
      free(bytes);
      free(table);
      continue;
    }
    int refused = table_read(table, bytes, length);
    size_t texts = 0;
    for (unsigned i = 0; !refused && i < table->count; i++) {
      texts += strlen(table->entries[i].tree);
      for (char **text = table->entries[i].argv; *text; text++) texts += strlen(*text);
      for (char **text = table->entries[i].envp; *text; text++) texts += strlen(*text);
    }
    if (refused)
      printf("refused\n");
    else
      printf("%u %zu\n", table->count, texts);
    free(bytes);
    free(table);
  }
  return 0;
}
