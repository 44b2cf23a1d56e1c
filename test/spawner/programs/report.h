/* How hostile programs say what came of what they tried: `name<TAB>outcome`, a line for each. */
#ifndef REPORT_H
#define REPORT_H

#include <errno.h>
#include <stdio.h>
#include <string.h>

static inline void say(const char *name, const char *outcome) {
  printf("%s\t%s\n", name, outcome);
  fflush(stdout);
}

static inline void tried(const char *name, long result) { say(name, result < 0 ? strerrorname_np(errno) : "worked"); }

#endif
