import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Finding } from "../oracle/finding.ts";
import type { Act, HostAct, Schedule } from "./acts.ts";

/** Where schedules are that are worth running every time. */
export const VECTORS = join(import.meta.dirname, "../vectors");

/** A schedule that found something once, or was written because it might. */
export interface Vector extends Schedule {
  readonly why: string;
}

const KINDS: ReadonlySet<string> = new Set<(Act | HostAct)["kind"]>([
  "append",
  "scan",
  "prove",
  "dial",
  "egress",
  "answer",
  "request",
  "header",
  "sealed",
  "control",
  "clock",
  "cut",
  "kill",
  "restart",
  "call",
  "repeat",
  "approver",
  "open",
  "list",
  "status",
  "claim",
  "export",
  "close",
  "steal",
]);

/** The schedules of the folder, by file name. */
export async function readVectors(): Promise<ReadonlyMap<string, Vector>> {
  const vectors = new Map<string, Vector>();
  for (const name of (await readdir(VECTORS)).filter((file) => file.endsWith(".json")).sort()) {
    const vector = JSON.parse(await readFile(join(VECTORS, name), "utf8")) as Vector;
    for (const { kind } of vector.acts) if (!KINDS.has(kind)) throw new Error(`${name} has an act of no kind: ${kind}`);
    vectors.set(name, vector);
  }
  return vectors;
}

/** Keeps a schedule that found something. Returns the file's name. */
export async function keepVector({ seed, acts }: Schedule, findings: readonly Finding[]): Promise<string> {
  const why = findings.map(({ rule, what }) => `${rule}: ${what.slice(0, 200)}`).join("; ");
  const lines = acts.map((act) => `    ${JSON.stringify(act)}`).join(",\n");
  const name = `seed-${seed}.json`;
  await writeFile(
    join(VECTORS, name),
    `{\n  "why": ${JSON.stringify(why)},\n  "seed": ${seed},\n  "acts": [\n${lines}\n  ]\n}\n`,
  );
  return name;
}
