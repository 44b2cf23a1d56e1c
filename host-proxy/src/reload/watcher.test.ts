import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { CmcpError, type ErrorCode } from "@cmcp/boundary";
import type { LinkState } from "../link/enclave-link.ts";
import { memoryLog } from "../testing/memory-log.ts";
import { ATTEMPTS, ReloadWatcher, type Offer } from "./watcher.ts";

/**
 * A watcher with a source and an enclave that a test can turn; `times` is how often the enclave still gives the answer.
 */
function watching(attempts = ATTEMPTS) {
  const { log, text } = memoryLog();
  const at = {
    found: "first" as string | CmcpError,
    answer: null as ErrorCode | null,
    times: Infinity,
    state: "up" as LinkState,
  };
  const given: string[] = [];
  const link = {
    get state() {
      return at.state;
    },
    reload: (bundle: Uint8Array): Promise<Uint8Array> => {
      given.push(Buffer.from(bundle).toString());
      at.times -= at.answer === null ? 0 : 1;
      return at.answer === null || at.times < 0
        ? Promise.resolve(new Uint8Array())
        : Promise.reject(new CmcpError(at.answer, "no"));
    },
  };
  const allowed: (readonly string[])[] = [];
  const offerOf = (text: string): Offer => ({ message: Buffer.from(text), egressAllow: [`${text}.example:443`] });
  const read = (): Promise<Offer> =>
    typeof at.found === "string" ? Promise.resolve(offerOf(at.found)) : Promise.reject(at.found);
  const ports = { link, log, allowEgress: (to: readonly string[]) => void allowed.push(to) };
  const lines = (word: string): number =>
    text()
      .split("\n")
      .filter((line) => line.includes(word)).length;
  return {
    at,
    given,
    allowed,
    lines,
    watcher: new ReloadWatcher({ first: offerOf("first"), everyMs: 1_000_000, read }, ports, attempts),
  };
}

/** Lets time pass, as far as a test says, and whatever was due be done. */
function passing(t: TestContext): (ms: number) => Promise<void> {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  return async (ms) => {
    t.mock.timers.tick(ms);
    await new Promise(setImmediate);
  };
}

test("the enclave is given what appears, once, and never what it was launched with", async () => {
  const { at, given, lines, watcher } = watching();
  await watcher.look();
  at.found = "second";
  for (let round = 0; round < 3; round += 1) await watcher.look();
  assert.deepEqual([given, lines("reloaded")], [["second"], 1]);
});

for (const answer of [
  "POLICY_SIGNATURE_INVALID",
  "POLICY_VERSION_NOT_HIGHER",
  "POLICY_BUNDLE_INVALID",
  "JSON_DUPLICATE_KEY",
  "NOT_SUPPORTED",
] as const) {
  test(`a bundle the enclave refuses with ${answer} is given once and logged once by its code`, async (t) => {
    const pass = passing(t);
    const { at, given, lines, watcher } = watching();
    Object.assign(at, { found: "bad", answer });
    for (let round = 0; round < 3; round += 1) {
      await watcher.look();
      await pass(ATTEMPTS.mostMs);
    }
    assert.deepEqual([given, lines(answer), lines("reload refused")], [["bad"], 1, 1]);
    Object.assign(at, { found: "good", answer: null });
    await watcher.look();
    assert.deepEqual(given, ["bad", "good"]);
  });
}

for (const answer of [
  "ATTESTATION_REPORT_UNAVAILABLE",
  "OVERLOADED",
  "TEE_FAULT",
  "WIRE_IDLE_TIMEOUT",
  "WIRE_CLOSED",
  "ENCLAVE_UNAVAILABLE",
  "AUDIT_STORE_UNAVAILABLE",
  "PHASE_VIOLATION",
  "INTERNAL",
] as const) {
  test(`${answer} says nothing about a bundle: it is given again after growing pauses, however often one looks, until it is judged`, async (t) => {
    const pass = passing(t);
    const { at, given, lines, watcher } = watching();
    Object.assign(at, { found: "second", answer });
    await watcher.look();
    let attempts = 1;
    for (let pauseMs = ATTEMPTS.firstMs; attempts < 12; pauseMs = Math.min(pauseMs * 2, ATTEMPTS.mostMs)) {
      await pass(pauseMs - 1);
      await watcher.look();
      assert.equal(given.length, attempts);
      await pass(1);
      attempts += 1;
      assert.equal(given.length, attempts);
    }
    at.answer = null;
    await pass(ATTEMPTS.mostMs);
    for (let round = 0; round < 3; round += 1) {
      await watcher.look();
      await pass(ATTEMPTS.mostMs);
    }
    assert.deepEqual([given.length, lines(answer), lines("reloaded")], [13, 12, 1]);
  });
}

test("a bundle that takes the place of one that waits is given at once, and the other no more", async (t) => {
  const pass = passing(t);
  const { at, given, watcher } = watching();
  Object.assign(at, { found: "second", answer: "OVERLOADED" });
  await watcher.look();
  Object.assign(at, { found: "third", answer: null });
  await watcher.look();
  await pass(ATTEMPTS.mostMs);
  assert.deepEqual(given, ["second", "third"]);
});

test("nothing is given while the enclave does not serve", async () => {
  const { at, given, watcher } = watching();
  at.found = "second";
  for (const state of ["down", "launching", "draining"] as const) {
    at.state = state;
    await watcher.look();
  }
  assert.deepEqual(given, []);
});

test("an enclave started again gets the bundle accepted last before it serves, and a refused one as the next look finds it", async () => {
  const { at, given, watcher } = watching();
  await watcher.launched();
  assert.deepEqual(given, [], "nothing has been accepted yet");
  at.found = "second";
  await watcher.look();
  Object.assign(at, { found: "third", answer: "POLICY_VERSION_NOT_HIGHER" });
  await watcher.look();
  Object.assign(at, { answer: null, state: "launching" });
  await watcher.launched();
  assert.deepEqual(given, ["second", "third", "second"]);
  at.state = "up";
  await watcher.look();
  assert.deepEqual(given, ["second", "third", "second", "third"]);
});

test("what one enclave refused is given to the next, once", async () => {
  const { at, given, watcher } = watching();
  Object.assign(at, { found: "second", answer: "POLICY_BUNDLE_INVALID" });
  for (let enclave = 1; enclave <= 2; enclave += 1) {
    await watcher.launched();
    for (let round = 0; round < 2; round += 1) await watcher.look();
    assert.equal(given.length, enclave);
  }
});

/** A watcher that waits little, whose enclave has accepted the second bundle and is replaced by another. */
async function accepted() {
  const made = watching({ firstMs: 1, mostMs: 2, beforeReady: 4 });
  made.at.found = "second";
  await made.watcher.look();
  made.at.state = "launching";
  return made;
}

test("an enclave started again that could not judge the accepted bundle is given it again before it serves", async () => {
  const { at, given, watcher } = await accepted();
  Object.assign(at, { answer: "ATTESTATION_REPORT_UNAVAILABLE", times: 3 });
  await watcher.launched();
  assert.deepEqual(given, ["second", "second", "second", "second", "second"]);
  at.state = "up";
  await watcher.look();
  assert.equal(given.length, 5);
});

test("an enclave that does not take the accepted bundle must not serve: after so many attempts, and at once where it judges it", async () => {
  const { at, given, watcher } = await accepted();
  at.answer = "AUDIT_STORE_UNAVAILABLE";
  await assert.rejects(watcher.launched(), { code: "AUDIT_STORE_UNAVAILABLE" });
  assert.equal(given.length, 1 + 4);
  at.answer = "POLICY_BUNDLE_INVALID";
  await assert.rejects(watcher.launched(), { code: "POLICY_BUNDLE_INVALID" });
  assert.equal(given.length, 1 + 4 + 1);
  at.answer = null;
  await watcher.launched();
  assert.equal(given.at(-1), "second", "what an enclave accepted once is remembered whatever others make of it");
});

test("a host that closes waits for no further attempt", async () => {
  const { at, given, watcher } = await accepted();
  at.answer = "OVERLOADED";
  await assert.rejects(watcher.launched(AbortSignal.abort()), { name: "AbortError" });
  assert.deepEqual(given, ["second", "second"]);
});

/** A watcher whose enclave has ended over the second bundle, and is replaced by another. */
async function unanswered() {
  const made = watching();
  Object.assign(made.at, { found: "second", answer: "ENCLAVE_UNAVAILABLE" });
  await made.watcher.look();
  Object.assign(made.at, { state: "launching", answer: null });
  return made;
}

test("what an enclave left unanswered, and may have put in force, the next is given before it serves", async () => {
  const { given, watcher } = await unanswered();
  await watcher.launched();
  assert.deepEqual(given, ["second", "second"]);
  await watcher.launched();
  assert.deepEqual(given, ["second", "second", "second"], "it is the one accepted last from then on");
});

test("what was left unanswered and is withdrawn is given to nobody; where that cannot be seen it waits", async (t) => {
  const pass = passing(t);
  const { at, given, watcher } = await unanswered();
  await pass(ATTEMPTS.mostMs);
  at.found = new CmcpError("POLICY_BUNDLE_INVALID", "half written");
  await watcher.launched();
  Object.assign(at, { found: "second", state: "up" });
  await pass(ATTEMPTS.firstMs);
  assert.deepEqual(given, ["second", "second"]);
  const withdrawn = await unanswered();
  withdrawn.at.found = "first";
  await withdrawn.watcher.launched();
  withdrawn.at.state = "up";
  await pass(ATTEMPTS.mostMs);
  assert.deepEqual(withdrawn.given, ["second"]);
});

test("what was read while the enclave ended is not given to one that does not serve yet", async () => {
  const { at, given, watcher } = watching();
  at.found = "second";
  const looked = watcher.look();
  at.state = "launching";
  await looked;
  assert.deepEqual(given, []);
});

test("a folder that cannot be read is said once until it can", async () => {
  const { at, given, lines, watcher } = watching();
  at.found = new CmcpError("POLICY_BUNDLE_INVALID", "half written");
  await watcher.look();
  await watcher.look();
  assert.deepEqual([given, lines("reload not read")], [[], 1]);
  at.found = "second";
  await watcher.look();
  assert.deepEqual(given, ["second"]);
});

test("the relay connects to the destinations of what was accepted and what is offered, and not to those of what is refused", async () => {
  const { at, allowed, watcher } = watching();
  at.found = "second";
  await watcher.look();
  assert.deepEqual(allowed, [["first.example:443", "second.example:443"]]);
  Object.assign(at, { found: "third", answer: "CATALOG_APPROVALS_MISSING" });
  await watcher.look();
  assert.deepEqual(allowed.slice(1), [["second.example:443", "third.example:443"], ["second.example:443"]]);
});
