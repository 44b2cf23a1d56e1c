import { mostVerbose, type LogLevel } from "../log-level.ts";

/** How long a server may take to change its level before the request goes out all the same, in milliseconds. */
export const SET_LEVEL_MS = 5_000;

/**
 * The log level of one session with a server, which callers may share: the most verbose that any running request wants.
 * Who wants less is sent less, not by the server but here ({@link isWanted}).
 */
export class ServerLogLevel {
  readonly #wanted: LogLevel[] = [];
  #inForce: LogLevel | undefined;

  /** Runs `request` with the server at that level or a more verbose one. @param set tells the server; what it fails with changes nothing */
  async during<T>(
    level: LogLevel | null,
    set: (level: LogLevel) => Promise<unknown>,
    request: () => Promise<T>,
  ): Promise<T> {
    if (level === null) return await request();
    this.#wanted.push(level);
    try {
      const needed = mostVerbose(this.#wanted);
      if (needed !== undefined && needed !== this.#inForce) {
        this.#inForce = needed;
        await set(needed).catch(() => undefined);
      }
      return await request();
    } finally {
      this.#wanted.splice(this.#wanted.indexOf(level), 1);
    }
  }
}
