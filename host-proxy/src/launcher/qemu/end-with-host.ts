import { existsSync } from "node:fs";

/** How a program is started that shall end with this process, however that ends. */
export interface EndWithHost {
  /** Words before the program's own command line. */
  readonly prefix: readonly string[];
  /** Whether it needs an end of a pipe that this process holds open for as long as it lives. */
  readonly holdInput: boolean;
}

/** Of util-linux. */
const SETPRIV = "/usr/bin/setpriv";

/**
 * Becomes the program, and leaves a shell behind that reads from the pipe. The pipe ends with this process. The shell
 * then kills the program, which is its parent for as long as it runs.
 */
const WATCH = `exec 3<&0
{ read -r _; while read -r name value; do if [ "$name $value" = "PPid: $$" ]; then kill -KILL "$$"; fi; done </proc/self/status; } <&3 3<&- >/dev/null 2>&1 &
exec "$@" </dev/null 3<&-`;

/**
 * The kernel ends the program where `setpriv` can tell it to (prctl(2), PR_SET_PDEATHSIG); elsewhere a shell does.
 * @param setpriv where it is; at its usual place when absent
 */
export function endWithHost(setpriv: string = SETPRIV): EndWithHost {
  return existsSync(setpriv)
    ? { prefix: [setpriv, "--pdeathsig", "KILL", "--"], holdInput: false }
    : { prefix: ["/bin/sh", "-c", WATCH, "sh"], holdInput: true };
}
