import assert from "node:assert/strict";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { cosignedTimes, isSignedBy, parseNote, readWitnessPolicy, type WitnessPolicy } from "@cmcp/log";
import { GrowingLog } from "../testing/growing-log.ts";
import { temporaryDirectory } from "../testing/temporary-directory.ts";
import { TestWitness, type Behaviour } from "../testing/witness-server.ts";
import { Cosigner } from "./cosigner.ts";
import { openLogKey, type LogKey } from "./log-key.ts";
import type { WitnessOutcome, WitnessTimes } from "./witness-link.ts";

const ORIGIN = "gateway.example/log/0";

/** Long enough that no round of these tests ends by it, unless a test says so. */
const PATIENT: WitnessTimes = { waitMs: 60_000, retryMs: 1, maxRetryMs: 1 };
const HASTY: WitnessTimes = { ...PATIENT, waitMs: 300 };

interface Room {
  readonly log: GrowingLog;
  readonly key: LogKey;
  readonly witnesses: readonly TestWitness[];
  readonly policy: WitnessPolicy;
  readonly cosigner: Cosigner;
  /** Changes of outcomes, such as `w0 cosigned`. */
  readonly changes: string[];
}

/** Three witnesses, of which two are a quorum. */
async function room(t: TestContext, times = PATIENT, quorum = "group g 2 w0 w1 w2\nquorum g"): Promise<Room> {
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
function cosigners({ policy }: Room, note: string, lines: string): string[] {
  return [...cosignedTimes(parseNote(note + lines), policy.witnesses).keys()].toSorted();
}

/** Rounds until one meets the quorum: on a busy machine the first may end by its time. */
async function cosignUntilMet({ cosigner }: Room, note: string): Promise<void> {
  while (!(await cosigner.cosign(note)).met);
}

/** Rounds without a quorum, until their witness's outcome is as expected. Resolves to the last one's lines. */
async function cosignUnmet(here: Room, note: string, outcome: RegExp): Promise<string> {
  for (;;) {
    const { lines, met } = await here.cosigner.cosign(note);
    assert.ok(!met);
    if (outcome.test(here.changes.filter((change) => change.startsWith("w0")).at(-1) ?? "")) return lines;
  }
}

const hang: Behaviour = () => {};

test("a round ends with the quorum, and its lines are the log's and those of witnesses", async (t) => {
  const here = await room(t);
  const note = here.log.append("a");
  const { lines, met } = await here.cosigner.cosign(note);
  assert.ok(met);
  assert.equal(cosigners(here, note, lines).length, 2);
  assert.ok(isSignedBy(parseNote(note + lines), here.key.verifierKey));
});

test("heads that grow are cosigned one after the other, each with one request", async (t) => {
  const here = await room(t, PATIENT, "group g all w0 w1 w2\nquorum g");
  let leaves = 0;
  for (let round = 0; round < 100; round += 1) {
    const texts = Array.from({ length: 1 + (round % 7) }, (_, at) => `${round} ${at}`);
    leaves += texts.length;
    const note = here.log.append(...texts);
    const { lines, met } = await here.cosigner.cosign(note);
    assert.ok(met);
    assert.deepEqual(cosigners(here, note, lines), ["w0", "w1", "w2"]);
  }
  for (const { requests, head } of here.witnesses) {
    assert.equal(requests.length, 100);
    assert.equal(head.size, leaves);
  }
  assert.deepEqual(here.changes.toSorted(), ["w0 cosigned", "w1 cosigned", "w2 cosigned"]);
});

test("an identical head is cosigned again, at another time", async (t) => {
  const here = await room(t, PATIENT, "quorum w0");
  const note = here.log.append("a");
  await here.cosigner.cosign(note);
  for (const witness of here.witnesses) witness.time += 5;
  const { lines } = await here.cosigner.cosign(note);
  assert.equal(cosignedTimes(parseNote(note + lines), here.policy.witnesses).get("w0"), 1_764_000_005);
});

test("a host that starts anew learns what a witness has", async (t) => {
  const here = await room(t, PATIENT, "quorum w0");
  await here.cosigner.cosign(here.log.append("a", "b"));
  const { policy, key, log } = here;
  const later = new Cosigner({ policies: [policy], key, read: log.read, times: PATIENT });
  t.after(() => later.close());
  assert.ok((await later.cosign(log.append("c"))).met);
  assert.deepEqual(
    here.witnesses[0]?.requests.map(({ old }) => old),
    [0, 0, 2],
  );
});

test("a witness that hangs does not hold a quorum of the others back, and gets the newest head when it is free", async (t) => {
  const here = await room(t);
  const [slow] = here.witnesses;
  assert.ok(slow !== undefined);
  const { promise: reached, resolve: reach } = Promise.withResolvers<void>();
  const { promise: freed, resolve: free } = Promise.withResolvers<void>();
  slow.behaviour = async (_request, _response, honest) => {
    reach();
    await freed;
    await honest();
  };
  const first = here.log.append("a");
  assert.deepEqual(cosigners(here, first, (await here.cosigner.cosign(first)).lines), ["w1", "w2"]);
  await reached;
  await here.cosigner.cosign(here.log.append("b"));
  const [, , silent] = here.witnesses;
  assert.ok(silent !== undefined);
  silent.behaviour = hang;
  const third = here.log.append("c");
  const round = here.cosigner.cosign(third);
  free();
  const { lines, met } = await round;
  assert.ok(met);
  assert.deepEqual(cosigners(here, third, lines), ["w0", "w1"]);
  assert.deepEqual(
    slow.requests.map(({ old, text }) => [old, text.split("\n")[1]]),
    [
      [0, "1"],
      [1, "3"],
    ],
    "the head in between is left out",
  );
});

test("without a quorum a round ends when its time is over, with what there is", async (t) => {
  const here = await room(t, HASTY);
  for (const witness of here.witnesses.slice(1)) witness.behaviour = hang;
  const note = here.log.append("a");
  await cosignUnmet(here, note, /^w0 cosigned$/);
  let lines = "";
  while (cosigners(here, note, lines).length === 0) lines = await cosignUnmet(here, note, /^w0 cosigned$/);
  assert.deepEqual(cosigners(here, note, lines), ["w0"]);
});

test("a witness that hung is asked anew once its time is over", async (t) => {
  const here = await room(t, HASTY, "quorum w0");
  const [witness] = here.witnesses;
  assert.ok(witness !== undefined);
  const { behaviour } = witness;
  witness.behaviour = hang;
  await cosignUnmet(here, here.log.append("a"), /^w0 too-slow$/);
  witness.behaviour = behaviour;
  await cosignUntilMet(here, here.log.append("b"));
});

test("a head that is older than the witness's is none that it can cosign", async (t) => {
  const here = await room(t, HASTY, "quorum w0");
  const older = here.log.append("a");
  await cosignUntilMet(here, here.log.append("b"));
  await cosignUnmet(here, older, /^w0 ahead$/);
});

test("a witness that failed is asked again in the same round", async (t) => {
  const here = await room(t, PATIENT, "quorum w0");
  const [witness] = here.witnesses;
  assert.ok(witness !== undefined);
  witness.behaviour = (_request, response, honest) =>
    witness.requests.length < 4 ? void response.writeHead(503).end() : honest();
  assert.ok((await here.cosigner.cosign(here.log.append("a"))).met);
  assert.deepEqual(
    here.changes.filter((change) => change.startsWith("w0")),
    ["w0 status-unexpected", "w0 cosigned"],
  );
});

test("a round that is over asks nobody any more", async (t) => {
  const here = await room(t, HASTY, "quorum w0");
  const [witness] = here.witnesses;
  assert.ok(witness !== undefined);
  witness.behaviour = (_request, response) => void response.writeHead(503).end();
  await cosignUnmet(here, here.log.append("a"), /^w0 status-unexpected$/);
  const { length } = witness.requests;
  await delay(100);
  assert.ok(witness.requests.length <= length + 1, "but for the request that was under way");
});

test("a newer head does not wait for the time after a failure", async (t) => {
  const here = await room(t, { ...PATIENT, retryMs: 60_000 }, "quorum w0");
  const [witness] = here.witnesses;
  assert.ok(witness !== undefined);
  const { promise: failed, resolve: fail } = Promise.withResolvers<void>();
  const { behaviour } = witness;
  witness.behaviour = (_request, response) => {
    response.on("close", fail);
    response.writeHead(503).end();
  };
  const older = here.cosigner.cosign(here.log.append("a"));
  await failed;
  while (!here.changes.includes("w0 status-unexpected")) await delay(1);
  witness.behaviour = behaviour;
  assert.ok((await here.cosigner.cosign(here.log.append("b"))).met);
  await here.cosigner.close();
  assert.ok(!(await older).met);
});

test("an answer that was lost is made good: the witness has the head already", async (t) => {
  const here = await room(t, PATIENT, "quorum w0");
  const [witness] = here.witnesses;
  assert.ok(witness !== undefined);
  await here.cosigner.cosign(here.log.append("a"));
  witness.behaviour = async (_request, response, honest) => {
    if (witness.requests.length !== 2) return await honest();
    // The answer is made, and does not arrive.
    response.writeHead = () => response;
    response.end = () => response.destroy();
    await honest();
  };
  assert.ok((await here.cosigner.cosign(here.log.append("b"))).met);
  assert.deepEqual(
    witness.requests.map(({ old }) => old),
    [0, 1, 1, 2],
  );
});

/** Lies of one witness while the others are silent: its answer is no vote. */
const LIES: readonly [string, (witness: TestWitness, older: string) => Behaviour, RegExp][] = [
  [
    "cosigns a checkpoint of another origin",
    (witness) => (request, response) => {
      response.end(witness.cosign(request.text.replace(ORIGIN, "other.example/log")));
    },
    /^w0 not-cosigned$/,
  ],
  [
    "replays the cosignature of an older head",
    (witness, older) => (_request, response) => {
      response.end(witness.cosign(older));
    },
    /^w0 not-cosigned$/,
  ],
  [
    "cosigns another size",
    (witness) => (request, response) => {
      response.end(witness.cosign(request.text.replace(/^\d+$/m, "99")));
    },
    /^w0 not-cosigned$/,
  ],
  [
    "adds a cosignature that does not verify",
    (witness, older) => (request, response) => {
      response.end(witness.cosign(request.text) + witness.cosign(older));
    },
    /^w0 not-cosigned$/,
  ],
  [
    "signs without a time",
    (witness) => (request, response) => {
      response.end(witness.cosign(request.text, 0));
    },
    /^w0 not-cosigned$/,
  ],
  [
    "answers in another witness's name",
    (witness) => (request, response) => {
      response.end(witness.cosign(request.text).replace("witness.example/w0", "witness.example/w1"));
    },
    /^w0 not-cosigned$/,
  ],
  [
    "refuses falsely",
    () => (_request, response) => {
      response.writeHead(422).end();
    },
    /^w0 inconsistent$/,
  ],
  [
    "does not know the log",
    () => (_request, response) => {
      response.writeHead(404).end();
    },
    /^w0 log-unknown$/,
  ],
  [
    "says that its size is another, whatever it is told",
    () => (request, response) => {
      response.writeHead(409, { "content-type": "text/x.tlog.size" }).end(`${request.old === 1 ? 0 : 1}\n`);
    },
    /^w0 contradiction$/,
  ],
  [
    "says that it has a larger log",
    () => (_request, response) => {
      response.writeHead(409, { "content-type": "text/x.tlog.size" }).end("1000\n");
    },
    /^w0 ahead$/,
  ],
  [
    "answers without end",
    () => (_request, response) => {
      const more = (): boolean => response.write("x".repeat(16_384), () => setImmediate(more));
      more();
    },
    /^w0 answer-too-large$/,
  ],
];

for (const [name, lie, outcome] of LIES)
  test(`no vote: a witness that ${name}; once it is honest, it has one`, async (t) => {
    const here = await room(t, HASTY, "quorum w0");
    const [witness] = here.witnesses;
    assert.ok(witness !== undefined);
    const older = here.log.append("a");
    await cosignUntilMet(here, older);
    const { behaviour } = witness;
    witness.behaviour = lie(witness, parseNote(older).text);
    const note = here.log.append("b");
    const lines = await cosignUnmet(here, note, outcome);
    assert.ok(!cosigners(here, note, lines).includes("w0"));
    witness.behaviour = behaviour;
    await cosignUntilMet(here, here.log.append("c"));
  });

test("lies of one witness do not spoil a quorum of the others", async (t) => {
  for (const [, lie] of LIES) {
    const here = await room(t);
    const [liar] = here.witnesses;
    assert.ok(liar !== undefined);
    const older = here.log.append("a");
    liar.behaviour = lie(liar, older);
    const note = here.log.append("b");
    const { lines, met } = await here.cosigner.cosign(note);
    assert.ok(met);
    assert.deepEqual(cosigners(here, note, lines), ["w1", "w2"]);
    await here.cosigner.close();
  }
});

test("a store that lacks hashes proves nothing, and is asked again", async (t) => {
  const here = await room(t, PATIENT, "quorum w0");
  await here.cosigner.cosign(here.log.append("a"));
  const { policy, key, log } = here;
  let reads = 0;
  const read: typeof log.read = async (tile) => {
    reads += 1;
    if (reads === 1) throw new Error("the disk is gone");
    return await log.read(tile);
  };
  const later = new Cosigner({ policies: [policy], key, read, times: PATIENT });
  t.after(() => later.close());
  assert.ok((await later.cosign(log.append("b"))).met);
  assert.equal(reads, 2);
});

test("a note that is not of this log is not signed", async (t) => {
  const { cosigner } = await room(t);
  for (const note of ["", "text\n\n", new GrowingLog("other.example/log").append("a")])
    await assert.rejects(cosigner.cosign(note), { code: "NOTE_MALFORMED" });
});

test("a policy that asks for no witness is met at once", async (t) => {
  const here = await room(t, PATIENT, "quorum none");
  for (const witness of here.witnesses) witness.behaviour = hang;
  assert.ok((await here.cosigner.cosign(here.log.append("a"))).met);
});

test("closing ends rounds and requests", async (t) => {
  const here = await room(t);
  for (const witness of here.witnesses) witness.behaviour = hang;
  const round = here.cosigner.cosign(here.log.append("a"));
  await here.cosigner.close();
  assert.equal((await round).met, false);
  const requests = here.witnesses.map((witness) => witness.requests.length);
  const note = here.log.append("b");
  const { lines, met } = await here.cosigner.cosign(note);
  assert.deepEqual([met, parseNote(note + lines).signatures.length], [false, 2]);
  assert.deepEqual(
    here.witnesses.map((witness) => witness.requests.length),
    requests,
  );
});

test("a witness needs a URL to which checkpoints go", async (t) => {
  const { key, log, witnesses } = await room(t);
  const [witness] = witnesses;
  const line = (url: string): string => `witness w ${witness?.line("w").split(" ")[2] ?? ""} ${url}\nquorum w\n`;
  for (const url of ["", "ftp://w.example/", "w.example", "http://w.example/?a", "http://w.example/#a"]) {
    const policy = readWitnessPolicy(line(url));
    assert.throws(
      () => new Cosigner({ policies: [policy], key, read: log.read, times: PATIENT }),
      { code: "CONFIG_INVALID" },
      url,
    );
  }
});
