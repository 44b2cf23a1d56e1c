import assert from "node:assert/strict";
import { test } from "node:test";
import { formatCheckpoint, readWitnessPolicy, sha256 } from "@cmcp/log";
import { SigningWitness } from "../../../log/src/testing/signing-witness.ts";
import { Witnesses, type Cosign, type SignedHead, type WitnessesOptions } from "./witnesses.ts";

const WITNESSES = ["a", "b", "c"].map((name) => new SigningWitness(name));
const [A, B, C] = WITNESSES;
assert.ok(A !== undefined && B !== undefined && C !== undefined);
const LINES = WITNESSES.map(({ line }) => line).join("");
const POLICY = readWitnessPolicy(`${LINES}group g 2 a b c\nquorum g\n`);
/** Long enough that nothing ends by it. */
const PATIENT_MS = 30_000;
const UNAVAILABLE = { code: "WITNESS_UNAVAILABLE" };

const headOf = (size: number): SignedHead => {
  const text = formatCheckpoint({ origin: "gateway.example/0", size, root: sha256(Uint8Array.of(size)) });
  return { size, text, note: `${text}\n(signature)\n` };
};
const textOf = (note: string): string => note.slice(0, note.indexOf("\n(signature)"));
const quorum = (note: string): string => A.cosign(textOf(note), 100) + B.cosign(textOf(note), 101);

/** Rounds that a test answers. */
class HeldRounds {
  readonly begun: { readonly note: string; readonly signal: AbortSignal; readonly answer: (lines: string) => void }[] =
    [];
  readonly #arrivals: (() => void)[] = [];

  readonly cosign: Cosign = (note, signal) => {
    const { promise, resolve } = Promise.withResolvers<string>();
    this.begun.push({ note, signal, answer: resolve });
    for (const arrived of this.#arrivals.splice(0)) arrived();
    return promise;
  };

  /** The round of this number, once it has begun. */
  async round(number: number): Promise<(typeof this.begun)[number]> {
    for (;;) {
      const round = this.begun[number];
      if (round !== undefined) return round;
      await new Promise<void>((resolve) => this.#arrivals.push(resolve));
    }
  }
}

const made = (options: Partial<WitnessesOptions> & Pick<WitnessesOptions, "cosign">): Witnesses =>
  new Witnesses({ policies: [POLICY], waitMs: PATIENT_MS, timeOver: () => undefined, ...options });

test("a record is cosigned once a quorum has cosigned a head with it", async () => {
  const rounds = new HeldRounds();
  const witnesses = made(rounds);
  witnesses.stored(headOf(2));
  const [first, second] = [witnesses.cosigned(0), witnesses.cosigned(1)];
  const { note, answer } = await rounds.round(0);
  assert.equal(note, headOf(2).note);
  answer(quorum(note));
  await Promise.all([first, second]);
  await witnesses.cosigned(1);
  assert.equal(rounds.begun.length, 1, "one round for all of them, and none for what is cosigned");
});

test("a round that began before the record was stored does not count; the next has the newest head", async () => {
  const rounds = new HeldRounds();
  const witnesses = made(rounds);
  witnesses.stored(headOf(1));
  const { note, answer } = await rounds.round(0);
  witnesses.stored(headOf(2));
  witnesses.stored(headOf(3));
  let isCosigned = false;
  const waiting = witnesses.cosigned(1).then(() => (isCosigned = true));
  answer(quorum(note));
  const second = await rounds.round(1);
  assert.equal(isCosigned, false);
  assert.equal(second.note, headOf(3).note);
  second.answer(quorum(second.note));
  await waiting;
  assert.equal(rounds.begun.length, 2);
});

const NO_VOTES: Readonly<Record<string, (note: string) => string>> = {
  "no line": () => "",
  "one cosignature": (note) => A.cosign(textOf(note), 100),
  "the same one twice": (note) => A.cosign(textOf(note), 100) + A.cosign(textOf(note), 101),
  "cosignatures of another head": () => quorum(headOf(9).note),
  "cosignatures of a stranger": (note) =>
    A.cosign(textOf(note), 100) + new SigningWitness("b").cosign(textOf(note), 100),
  "no signature lines": () => "all of them did\n",
};

for (const [what, lines] of Object.entries(NO_VOTES))
  test(`${what}: no quorum, and it is asked again`, async () => {
    const rounds = new HeldRounds();
    const witnesses = made(rounds);
    witnesses.stored(headOf(1));
    const waiting = witnesses.cosigned(0);
    const { note, answer } = await rounds.round(0);
    assert.equal(witnesses.lost, false);
    answer(lines(note));
    const again = await rounds.round(1);
    assert.equal(witnesses.lost, true);
    again.answer(quorum(again.note));
    await waiting;
    assert.equal(witnesses.lost, false);
  });

test("a host that fails to answer is asked again", async () => {
  let asked = 0;
  const cosign: Cosign = async (note) => {
    asked += 1;
    if (asked === 1) throw new Error("the host is away");
    return quorum(note);
  };
  const witnesses = made({ cosign });
  witnesses.stored(headOf(1));
  await witnesses.cosigned(0);
  assert.equal(asked, 2);
});

test("each of two policies needs its quorum on one head", async () => {
  const rounds = new HeldRounds();
  const before = readWitnessPolicy(`${C.line}quorum c\n`);
  const witnesses = made({ cosign: rounds.cosign, policies: [POLICY, before] });
  witnesses.stored(headOf(1));
  const waiting = witnesses.cosigned(0);
  const { note, answer } = await rounds.round(0);
  answer(quorum(note));
  const again = await rounds.round(1);
  assert.equal(witnesses.lost, true);
  again.answer(A.cosign(textOf(note), 100) + C.cosign(textOf(note), 100));
  await waiting;
});

test("the time that a quorum has reached is over before anybody goes on; one wrong clock moves nothing", async () => {
  const FAR = 9_000_000_000;
  const rounds = new HeldRounds();
  const over: number[] = [];
  const witnesses = made({ cosign: rounds.cosign, timeOver: (seconds) => over.push(seconds) });
  const answers: readonly [lines: (text: string) => string, time: number | null][] = [
    [(text) => A.cosign(text, FAR), null],
    [(text) => A.cosign(text, 100) + B.cosign(text, 101), 100],
    [(text) => A.cosign(text, FAR) + B.cosign(text, 102), 102],
    [(text) => A.cosign(text, FAR) + B.cosign(text, 110) + C.cosign(text, 105), 110],
    [(text) => A.cosign(text, 1) + C.cosign(text, 500), 110],
  ];
  let size = 0;
  for (const [at, [lines, time]] of answers.entries()) {
    if (answers[at - 1]?.[1] !== null) witnesses.stored(headOf((size += 1)));
    const { note, answer } = await rounds.round(at);
    const waiting = time === null ? null : witnesses.cosigned(size - 1).then(() => over.at(-1));
    answer(lines(textOf(note)));
    if (waiting !== null) assert.equal(await waiting, time);
    else await rounds.round(at + 1).then(() => assert.deepEqual(over, [], "no quorum says no time"));
  }
});

test("whoever waits ends with the wait, whatever is cosigned later, and the round is given up", async () => {
  const rounds = new HeldRounds();
  const witnesses = made({ cosign: rounds.cosign, waitMs: 20 });
  witnesses.stored(headOf(1));
  const waiting = witnesses.cosigned(0);
  const { note, answer, signal } = await rounds.round(0);
  await assert.rejects(waiting, UNAVAILABLE);
  const second = await rounds.round(1);
  assert.equal(signal.aborted, true);
  answer(quorum(note));
  second.answer("");
  await rounds.round(2);
  assert.equal(witnesses.lost, true, "an answer that comes after its round is none");
  witnesses.stop();
});

test("a stop ends every wait, and nobody waits after it", async () => {
  const rounds = new HeldRounds();
  const witnesses = made(rounds);
  witnesses.stored(headOf(1));
  const waiting = witnesses.cosigned(0);
  await rounds.round(0);
  witnesses.stop();
  await assert.rejects(waiting, UNAVAILABLE);
  await assert.rejects(witnesses.cosigned(0), UNAVAILABLE);
});

test("after a stop heads go to the witnesses until these do not answer", async () => {
  const rounds = new HeldRounds();
  const witnesses = made(rounds);
  witnesses.stop();
  witnesses.stored(headOf(1));
  const first = await rounds.round(0);
  first.answer(quorum(first.note));
  witnesses.stored(headOf(2));
  const second = await rounds.round(1);
  second.answer("");
  await new Promise<void>((resolve) => setImmediate(resolve));
  assert.equal(rounds.begun.length, 2);
  witnesses.stored(headOf(3));
  assert.equal(rounds.begun.length, 3, "nothing was left that would ask again by itself");
});
