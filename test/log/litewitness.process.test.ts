/** Rounds of the host with real witnesses. */
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { cosignedTimes, formatVerifierKey, parseNote, readWitnessPolicy, type WitnessPolicy } from "@cmcp/log";
import { GrowingLog } from "../../host-proxy/src/testing/growing-log.ts";
import { temporaryDirectory } from "../../host-proxy/src/testing/temporary-directory.ts";
import { Cosigner } from "../../host-proxy/src/witness/cosigner.ts";
import { openLogKey, type LogKey } from "../../host-proxy/src/witness/log-key.ts";
import type { WitnessOutcome } from "../../host-proxy/src/witness/witness-link.ts";
import { Litewitness } from "./litewitness.ts";
import { ask, hasGo, NO_GO, textOf } from "./oracle.ts";

const ORIGIN = "gateway.example/log/0";
const TIMES = { waitMs: 60_000, retryMs: 20, maxRetryMs: 100 };

interface Room {
  readonly key: LogKey;
  readonly witnesses: readonly Litewitness[];
  readonly policy: WitnessPolicy;
  readonly policyText: string;
}

/** Three witnesses, of which two are a quorum. */
async function room(t: TestContext): Promise<Room> {
  const folder = temporaryDirectory(t);
  const key = await openLogKey(join(folder, "log.key"), ORIGIN);
  const witnesses = await Promise.all(
    ["a", "b", "c"].map(async (name) => {
      mkdirSync(join(folder, name));
      const witness = await Litewitness.create(join(folder, name), `witness.example/${name}`, key.verifierKey);
      t.after(() => witness.close());
      return witness;
    }),
  );
  const [a = "", b = "", c = ""] = witnesses.map((each) => `${formatVerifierKey(each.key)} ${each.url}`);
  const log = `log ${formatVerifierKey(key.verifierKey)}\n`;
  const policyText = `${log}witness a ${a}\nwitness b ${b}\nwitness c ${c}\ngroup g 2 a b c\nquorum g\n`;
  return { key, witnesses, policyText, policy: readWitnessPolicy(policyText) };
}

interface Host {
  readonly cosigner: Cosigner;
  /** The last outcome of each witness. */
  readonly outcomes: Map<string, WitnessOutcome>;
}

function hostOf(t: TestContext, { key, policy }: Room, log: GrowingLog, waitMs = TIMES.waitMs): Host {
  const outcomes = new Map<string, WitnessOutcome>();
  const onChange = (name: string, outcome: WitnessOutcome): void => void outcomes.set(name, outcome);
  const cosigner = new Cosigner({ policies: [policy], key, read: log.read, times: { ...TIMES, waitMs }, onChange });
  t.after(() => cosigner.close());
  return { cosigner, outcomes };
}

const cosigners = ({ policy }: Room, note: string): string[] =>
  [...cosignedTimes(parseNote(note), policy.witnesses).keys()].toSorted();

describe("litewitness", { skip: hasGo() ? false : NO_GO }, () => {
  test("cosigns heads that grow, and torchwood finds its policy met", async (t) => {
    const here = await room(t);
    const log = new GrowingLog(ORIGIN);
    const { cosigner } = hostOf(t, here, log);
    const notes: string[] = [];
    for (let round = 0; round < 40; round += 1) {
      const note = log.append(...Array.from({ length: 1 + 3 * round }, (_, at) => `${round} ${at}`));
      const { lines, met } = await cosigner.cosign(note);
      assert.ok(met);
      assert.ok(cosigners(here, note + lines).length >= 2);
      notes.push(note + lines);
    }
    const answers = ask(notes.map((note) => ({ do: "policy", policy: here.policyText, note })));
    for (const [at, answer] of answers.entries())
      assert.equal(textOf(answer, "text"), parseNote(notes[at] ?? "").text, JSON.stringify(answer));
  });

  test("that was away catches up, and the others are a quorum meanwhile", async (t) => {
    const here = await room(t);
    const log = new GrowingLog(ORIGIN);
    const { cosigner } = hostOf(t, here, log);
    await cosigner.cosign(log.append("1"));
    const [away, other] = here.witnesses;
    assert.ok(away !== undefined && other !== undefined);
    await away.kill();
    for (const text of ["2", "3", "4"]) {
      const note = log.append(text);
      const { lines } = await cosigner.cosign(note);
      assert.deepEqual(cosigners(here, note + lines), ["b", "c"]);
    }
    await away.start();
    await other.kill();
    const note = log.append("5");
    const { lines } = await cosigner.cosign(note);
    assert.deepEqual(cosigners(here, note + lines), ["a", "c"]);
  });

  test("corrects a host that starts anew", async (t) => {
    const here = await room(t);
    const log = new GrowingLog(ORIGIN);
    await hostOf(t, here, log).cosigner.cosign(log.append("1", "2", "3"));
    const note = log.append("4");
    const { lines, met } = await hostOf(t, here, log).cosigner.cosign(note);
    assert.ok(met);
    assert.ok(cosigners(here, note + lines).length >= 2);
  });

  test("cosigns an identical head again", async (t) => {
    const here = await room(t);
    const log = new GrowingLog(ORIGIN);
    const { cosigner } = hostOf(t, here, log);
    const note = log.append("1");
    assert.ok((await cosigner.cosign(note)).met);
    assert.ok((await cosigner.cosign(note)).met);
  });

  test("refuses a log that forked, a shorter one, another key, and a log that it does not know", async (t) => {
    const here = await room(t);
    const log = new GrowingLog(ORIGIN);
    const all = hostOf(t, here, log);
    const note = log.append("1", "2", "3");
    while (all.outcomes.size < 3) await all.cosigner.cosign(note);

    const forked = new GrowingLog(ORIGIN);
    await refuse(hostOf(t, here, forked, SHORT), forked.append("1", "x", "3", "4"), {
      kind: "refused",
      reason: "inconsistent",
    });
    const restored = new GrowingLog(ORIGIN);
    await refuse(hostOf(t, here, restored, SHORT), restored.append("1", "2"), { kind: "ahead", size: 3 });
    const folder = temporaryDirectory(t);
    const stolen = { ...here, key: await openLogKey(join(folder, "other.key"), ORIGIN) };
    await refuse(hostOf(t, stolen, log, SHORT), log.append("4"), { kind: "refused", reason: "log-key-refused" });
    const unknown = new GrowingLog("unknown.example/log");
    const unknownRoom = { ...here, key: await openLogKey(join(folder, "unknown.key"), "unknown.example/log") };
    await refuse(hostOf(t, unknownRoom, unknown, SHORT), unknown.append("1"), {
      kind: "refused",
      reason: "log-unknown",
    });

    assert.ok((await all.cosigner.cosign(log.append("5"))).met, "none of this moved the log itself");
  });
});

/** Milliseconds of a round that is not going to meet its quorum. */
const SHORT = 300;

/** Rounds until all witnesses answered: none of them cosigns. */
async function refuse({ cosigner, outcomes }: Host, note: string, outcome: WitnessOutcome): Promise<void> {
  while (["a", "b", "c"].some((name) => outcomes.get(name)?.kind !== outcome.kind))
    assert.ok(!(await cosigner.cosign(note)).met);
  for (const found of outcomes.values()) assert.deepEqual(found, outcome);
}
