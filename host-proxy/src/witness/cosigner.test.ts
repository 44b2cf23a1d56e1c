import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { cosignedTimes, isSignedBy, parseNote, readWitnessPolicy } from "@cmcp/log";
import { GrowingLog } from "../testing/growing-log.ts";
import { Cosigner } from "./cosigner.ts";
import { cosigners, cosignUnmet, cosignUntilMet, hang, HASTY, PATIENT, room } from "../testing/cosigner-room.ts";

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
