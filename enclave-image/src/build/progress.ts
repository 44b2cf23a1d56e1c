import process from "node:process";

/** Says what is being done, a line a step, and how long it took. */
export class Progress {
  readonly #steps: number;
  readonly #started = performance.now();
  #step = 0;

  constructor(steps: number) {
    this.#steps = steps;
  }

  /** Runs one step. */
  async step<T>(what: string, work: () => T | Promise<T>): Promise<T> {
    this.#step += 1;
    process.stdout.write(`image [${this.#step}/${this.#steps}] ${what}`);
    const started = performance.now();
    try {
      const result = await work();
      process.stdout.write(`: ${seconds(started)}\n`);
      return result;
    } catch (thrown) {
      process.stdout.write(": failed\n");
      throw thrown;
    }
  }

  /** Time since the first step. */
  get total(): string {
    return seconds(this.#started);
  }
}

function seconds(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}
