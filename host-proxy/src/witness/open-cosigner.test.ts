import assert from "node:assert/strict";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { cosignedTimes, parseNote, readWitnessPolicy, TILE_WIDTH } from "@cmcp/log";
import { GrowingLog } from "../testing/growing-log.ts";
import { memoryLog } from "../testing/memory-log.ts";
import { temporaryDirectory } from "../testing/temporary-directory.ts";
import { TestWitness } from "../testing/witness-server.ts";
import type { LogHead, LogStore } from "../store/log-store.ts";
import { openCosigner, type HostWitnesses } from "./open-cosigner.ts";

const ORIGIN = "gateway.example/0";

interface Room {
  readonly witnesses: HostWitnesses;
  readonly witness: TestWitness;
  readonly log: GrowingLog;
  readonly store: Pick<LogStore, "tile" | "keepCosigned">;
  /** What the store was given to keep. */
  readonly kept: LogHead[];
}

async function room(t: TestContext): Promise<Room> {
  const witness = await TestWitness.start(t, "witness.example/a");
  const log = new GrowingLog(ORIGIN);
  const kept: LogHead[] = [];
  const [, name = "", key = "", url = ""] = witness.line("a").trim().split(" ");
  return {
    witness,
    log,
    kept,
    store: {
      tile: async (level, index) => await log.read({ level, index, width: TILE_WIDTH }),
      keepCosigned: async (head) => {
        await delay(20);
        kept.push(head);
      },
    },
    witnesses: {
      origin: ORIGIN,
      policy: `witness ${name} ${key}\nquorum a\n`,
      formerPolicy: null,
      urls: { a: url },
      keyPath: join(temporaryDirectory(t), "log.key"),
      waitMs: 60_000,
    },
  };
}

test("heads are cosigned with proofs from the store, and the log says the key and each change", async (t) => {
  const { witnesses, log, store } = await room(t);
  const { log: host, text } = memoryLog();
  const cosigner = await openCosigner(witnesses, store as LogStore, host);
  t.after(() => cosigner.close());
  const { witnesses: known } = readWitnessPolicy(witnesses.policy);
  for (const leaf of ["1", "2", "3"]) {
    const note = log.append(leaf);
    const { lines, met } = await cosigner.cosign(note);
    assert.ok(met);
    assert.deepEqual([...cosignedTimes(parseNote(note + lines), known).keys()], ["a"]);
  }
  assert.match(text(), /"key":"gateway\.example\/0\+[0-9a-f]{8}\+/);
  assert.equal(text().match(/"witness":"a"/g)?.length, 1);
});

test("what a witness answers is in the log, in fixed words", async (t) => {
  const { witnesses, witness, log, store } = await room(t);
  const { log: host, text } = memoryLog();
  witness.head = { size: 7, root: new Uint8Array(32) };
  const cosigner = await openCosigner(witnesses, store as LogStore, host);
  const rounds = [cosigner.cosign(log.append("1"))];
  while (!text().includes("has seen more")) await delay(5);
  assert.match(text(), /"witness":"a","size":7/);
  witness.behaviour = (_request, response) => void response.writeHead(404).end("a word of its own");
  rounds.push(cosigner.cosign(log.append("2")));
  while (!text().includes("did not cosign")) await delay(5);
  assert.match(text(), /"witness":"a","reason":"log-unknown"/);
  await cosigner.close();
  for (const { met } of await Promise.all(rounds)) assert.equal(met, false);
  assert.doesNotMatch(text(), /word of its own/);
});

test("a head whose round met the quorum is kept with the signatures of log and witnesses, and no other is", async (t) => {
  const { witnesses, witness, log, store, kept } = await room(t);
  const cosigner = await openCosigner({ ...witnesses, waitMs: 300 }, store as LogStore, memoryLog().log);
  const { behaviour } = witness;
  witness.behaviour = () => undefined;
  assert.equal((await cosigner.cosign(log.append("1"))).met, false);
  witness.behaviour = behaviour;
  const note = log.append("2");
  let round = await cosigner.cosign(note);
  while (!round.met) round = await cosigner.cosign(note);
  await cosigner.close();
  assert.deepEqual(kept, [{ size: 2, note: note + round.lines }]);
});

test("a round waits for the quorum of the former policy too, and asks a witness of both once", async (t) => {
  const { witnesses, witness, log, store } = await room(t);
  const former = await TestWitness.start(t, "witness.example/f");
  const [, name = "", key = "", url = ""] = former.line("f").trim().split(" ");
  const formerPolicy = `${witnesses.policy.split("\n")[0]}\nwitness ${name} ${key}\ngroup g all a f\nquorum g\n`;
  const settings = { ...witnesses, formerPolicy, urls: { ...witnesses.urls, f: url } };
  const cosigner = await openCosigner(settings, store as LogStore, memoryLog().log);
  t.after(() => cosigner.close());
  const note = log.append("1");
  const { lines, met } = await cosigner.cosign(note);
  assert.ok(met);
  const { witnesses: known } = readWitnessPolicy(formerPolicy);
  assert.deepEqual([...cosignedTimes(parseNote(note + lines), known).keys()].toSorted(), ["a", "f"]);
  assert.equal(witness.requests.length, 1);
  const other = { ...settings, formerPolicy: `witness a ${key}\nquorum a\n` };
  await assert.rejects(openCosigner(other, store as LogStore, memoryLog().log), {
    code: "CONFIG_INVALID",
    message: /another key/,
  });
});

for (const [what, change, message] of [
  ["a witness without a URL", { urls: {} }, /the witness a has no URL/],
  ["a URL of no witness", { urls: { a: "http://127.0.0.1:1/", b: "http://127.0.0.1:2/" } }, /no witness "b"/],
  ["a policy that is none", { policy: "a\n" }, /log\.witnesses: line 1/],
] as const)
  test(`${what} is refused`, async (t) => {
    const { witnesses, store } = await room(t);
    await assert.rejects(openCosigner({ ...witnesses, ...change }, store as LogStore, memoryLog().log), {
      code: "CONFIG_INVALID",
      message,
    });
  });
