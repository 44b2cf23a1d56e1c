import { writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

/** A wall clock that the host sets, for a process that is started with {@link LyingClock.flags}. */
export class LyingClock {
  readonly folder: string;
  readonly #file: string;
  readonly #module: string;

  private constructor(folder: string) {
    this.folder = folder;
    this.#file = join(folder, "offset");
    this.#module = join(folder, "clock.cjs");
  }

  static async in(folder: string): Promise<LyingClock> {
    const clock = new LyingClock(folder);
    clock.set(0);
    // Before the program: what it finds as the machine's time is this.
    await writeFile(
      clock.#module,
      [
        'const { readFileSync } = require("node:fs");',
        "const Real = Date, now = Date.now;",
        `const told = () => now() + Number(readFileSync(${JSON.stringify(clock.#file)}, "latin1"));`,
        "globalThis.Date = class Date extends Real { constructor(...given) { if (given.length === 0) " +
          "super(told()); else super(...given); } static now() { return told(); } };",
      ].join("\n"),
    );
    return clock;
  }

  /** Node's flags for a process that reads this clock. */
  get flags(): readonly string[] {
    return ["--require", this.#module];
  }

  /** How far the clock is from the truth from now on, in milliseconds. */
  set(ms: number): void {
    writeFileSync(this.#file, String(ms));
  }
}
