import { setTimeout as sleep } from "node:timers/promises";

/** Lines that are kept. */
const LINES = 40;
/** Milliseconds until the output of an ended process has been read. */
const READ_MS = 100;

/** Destination of a host's log. It keeps the last lines that the enclave printed. */
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
