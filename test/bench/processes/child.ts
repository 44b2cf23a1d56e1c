import { spawn, type ChildProcess } from "node:child_process";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import process from "node:process";

/** A process of the bench: takes JSON lines on standard input, says JSON lines on standard output. */
export class Child {
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #exited: Promise<number | null>;

  private constructor(child: ChildProcess, lines: Interface) {
    this.#process = child;
    this.#lines = lines[Symbol.asyncIterator]();
    this.#exited = new Promise((resolve) => child.once("exit", resolve));
  }

  /** Starts a module beside this one with one JSON argument. */
  static start(module: string, argument: object, env: Record<string, string> = {}): Child {
    const path = fileURLToPath(new URL(module, import.meta.url));
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", path, JSON.stringify(argument)], {
      stdio: ["pipe", "pipe", "inherit"],
      env: { PATH: process.env["PATH"], ...env },
    });
    return new Child(child, createInterface({ input: child.stdout }));
  }

  /** Its process id. */
  get pid(): number {
    if (this.#process.pid === undefined) throw new Error("a bench process did not start");
    return this.#process.pid;
  }

  /** What it says next. @throws Error when it ended instead */
  async next<T>(): Promise<T> {
    const line = await this.#lines.next();
    if (line.done === true) throw new Error(`a bench process ended with ${await this.#exited} before it answered`);
    return JSON.parse(line.value) as T;
  }

  /** Says something and returns the answer. */
  async ask<T>(question: object): Promise<T> {
    this.#process.stdin?.write(`${JSON.stringify(question)}\n`);
    return await this.next<T>();
  }

  /** Ends it: the end of its standard input is its sign to leave. */
  async stop(): Promise<void> {
    this.#process.stdin?.end();
    await this.#exited;
  }
}
