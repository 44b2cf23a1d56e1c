import type { Writable } from "node:stream";

/** Where a command writes. Results go to `out`; progress and errors to `err`. */
export interface Terminal {
  readonly out: Writable;
  readonly err: Writable;
  /** ANSI colour is wanted. */
  readonly colour: boolean;
}

/** One command of `cmcp`. */
export interface Command {
  /** Complete help text: usage, options, exit codes, an example. */
  readonly help: string;
  /** Runs with the arguments after the command's name; the result is the exit code. */
  run(args: readonly string[], terminal: Terminal): Promise<number>;
}

/** Exit codes of all commands; which of them a command has is in its help. */
export const EXIT = {
  ok: 0,
  internal: 1,
  rejected: 10,
  unsupported: 20,
  malformed: 30,
  undrained: 40,
  usage: 64,
} as const;
