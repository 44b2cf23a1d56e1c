import process from "node:process";

/** One thing looked at, as their side and as ours has it. */
export interface Row {
  readonly check: string;
  readonly theirs: string;
  readonly ours: string;
}

/** Collects rows and prints them; a row whose sides differ is a failure. */
export class Comparison {
  readonly #rows: Row[] = [];

  add(check: string, theirs: string, ours: string): void {
    this.#rows.push({ check, theirs, ours });
  }

  /** Adds one row for every name that either side has. */
  addAll(prefix: string, theirs: ReadonlyMap<string, string>, ours: ReadonlyMap<string, string>): void {
    for (const name of new Set([...theirs.keys(), ...ours.keys()]))
      this.add(
        `${prefix}${prefix === "" ? "" : ": "}${name}`,
        theirs.get(name) ?? "absent",
        ours.get(name) ?? "absent",
      );
  }

  /** Prints a table under a heading and returns how many rows differ. */
  print(heading: string): number {
    const widths = [
      Math.max(5, ...this.#rows.map(({ check }) => check.length)),
      Math.max(6, ...this.#rows.map(({ theirs }) => theirs.length)),
    ] as const;
    const line = (check: string, theirs: string, ours: string): string =>
      `  ${check.padEnd(widths[0])}  ${theirs.padEnd(widths[1])}  ${ours}`.trimEnd();
    const body = this.#rows.map(
      ({ check, theirs, ours }) => `${line(check, theirs, ours)}${theirs === ours ? "" : "   <-- DIFFERS"}`,
    );
    process.stdout.write(`\n${heading}\n${line("check", "theirs", "ours")}\n${body.join("\n")}\n`);
    return this.#rows.filter(({ theirs, ours }) => theirs !== ours).length;
  }
}
