import assert from "node:assert/strict";
import { test } from "node:test";
import { parseNote } from "@cmcp/log";
import { TestWitness, type Behaviour } from "../testing/witness-server.ts";
import { cosigners, cosignUnmet, cosignUntilMet, HASTY, ORIGIN, room } from "../testing/cosigner-room.ts";

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
