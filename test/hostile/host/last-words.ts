import { setTimeout as sleep } from "node:timers/promises";

/** Lines that are kept. */
const LINES = 40;
/** Until what a process printed has been read, once it has ended. */
const READ_MS = 100;

/** The destination of a host's log that keeps the last lines the enclave printed. */
export class LastWords {
  readonly #lines: string[] = [];

  write(line: string): void {
    const { line: printed } = JSON.parse(line) as { readonly line?: string };
    if (printed === undefined) return;
    this.#lines.push(printed);
    if (this.#lines.length > LINES) this.#lines.shift();
  }

  /** The lines of a process that has just ended. */
  async said(): Promise<string> {
    await sleep(READ_MS);
    return this.#lines.splice(0).join("\n");
  }
}
