import assert from "node:assert/strict";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { cosignedTimes, parseNote, readWitnessPolicy, type WitnessPolicy } from "@cmcp/log";
import { GrowingLog } from "./growing-log.ts";
import { temporaryDirectory } from "./temporary-directory.ts";
import { TestWitness, type Behaviour } from "./witness-server.ts";
import { Cosigner } from "../witness/cosigner.ts";
import { openLogKey, type LogKey } from "../witness/log-key.ts";
import type { WitnessOutcome, WitnessTimes } from "../witness/witness-link.ts";

export const ORIGIN = "gateway.example/log/0";

/** Long enough that no round of these tests ends by it, unless a test says so. */
export const PATIENT: WitnessTimes = { waitMs: 60_000, retryMs: 1, maxRetryMs: 1 };
export const HASTY: WitnessTimes = { ...PATIENT, waitMs: 300 };

/** Witnesses, a log and its cosigner. */
export interface Room {
  readonly log: GrowingLog;
  readonly key: LogKey;
  readonly witnesses: readonly TestWitness[];
  readonly policy: WitnessPolicy;
  readonly cosigner: Cosigner;
  /** Changes of outcomes, such as `w0 cosigned`. */
  readonly changes: string[];
}

/** Three witnesses, of which two are a quorum. */
export async function room(t: TestContext, times = PATIENT, quorum = "group g 2 w0 w1 w2\nquorum g"): Promise<Room> {
  const key = await openLogKey(join(temporaryDirectory(t), "log.key"), ORIGIN);
  const log = new GrowingLog(ORIGIN);
  const witnesses = await Promise.all([0, 1, 2].map((at) => TestWitness.start(t, `witness.example/w${at}`)));
  const policy = readWitnessPolicy(`${witnesses.map((each, at) => each.line(`w${at}`)).join("")}${quorum}\n`);
  const changes: string[] = [];
  const onChange = (name: string, outcome: WitnessOutcome): void => {
    changes.push("reason" in outcome ? `${name} ${outcome.reason}` : `${name} ${outcome.kind}`);
  };
  const cosigner = new Cosigner({ policies: [policy], key, read: log.read, times, onChange });
  t.after(() => cosigner.close());
  return { log, key, witnesses, policy, cosigner, changes };
}

/** Whose cosignatures over a note the lines of a round have. */
export function cosigners({ policy }: Room, note: string, lines: string): string[] {
  return [...cosignedTimes(parseNote(note + lines), policy.witnesses).keys()].toSorted();
}

/** Rounds until one meets the quorum: on a busy machine the first may end by its time. */
export async function cosignUntilMet({ cosigner }: Room, note: string): Promise<void> {
  while (!(await cosigner.cosign(note)).met);
}

/** Rounds without a quorum, until their witness's outcome is as expected. Resolves to the last one's lines. */
export async function cosignUnmet(here: Room, note: string, outcome: RegExp): Promise<string> {
  for (;;) {
    const { lines, met } = await here.cosigner.cosign(note);
    assert.ok(!met);
    if (outcome.test(here.changes.filter((change) => change.startsWith("w0")).at(-1) ?? "")) return lines;
  }
}

/** Never answers. */
export const hang: Behaviour = () => {};
