import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError, type ErrorCode } from "@cmcp/boundary";
import type { LinkState } from "../link/enclave-link.ts";
import { memoryLog } from "../testing/memory-log.ts";
import { PolicyWatcher } from "./watcher.ts";

/** A watcher with a source and an enclave that a test can turn. */
function watching() {
  const { log, text } = memoryLog();
  const at = { found: "first" as string | CmcpError, answer: null as ErrorCode | null, state: "up" as LinkState };
  const given: string[] = [];
  const link = {
    get state() {
      return at.state;
    },
    reload: (bundle: Uint8Array): Promise<Uint8Array> => {
      given.push(Buffer.from(bundle).toString());
      return at.answer === null ? Promise.resolve(new Uint8Array()) : Promise.reject(new CmcpError(at.answer, "no"));
    },
  };
  const read = (): Promise<Uint8Array> => (typeof at.found === "string" ? Promise.resolve(Buffer.from(at.found)) : Promise.reject(at.found));
  const lines = (word: string): number => text().split("\n").filter((line) => line.includes(word)).length;
  return { at, given, lines, watcher: new PolicyWatcher({ first: Buffer.from("first"), everyMs: 1_000_000, read }, link, log) };
}

test("the enclave is given what appears, once, and never what it was launched with", async () => {
  const { at, given, lines, watcher } = watching();
  await watcher.look();
  at.found = "second";
  for (let round = 0; round < 3; round += 1) await watcher.look();
  assert.deepEqual([given, lines("policy reloaded")], [["second"], 1]);
});

test("a bundle the enclave refuses is given once and logged once by its code", async () => {
  const { at, given, lines, watcher } = watching();
  Object.assign(at, { found: "bad", answer: "POLICY_SIGNATURE_INVALID" });
  for (let round = 0; round < 3; round += 1) await watcher.look();
  assert.deepEqual([given, lines("POLICY_SIGNATURE_INVALID"), lines("\n")], [["bad"], 1, 0]);
  Object.assign(at, { found: "good", answer: null });
  await watcher.look();
  assert.deepEqual(given, ["bad", "good"]);
});

test("a bundle the enclave could not judge is given again", async () => {
  for (const answer of ["ENCLAVE_UNAVAILABLE", "AUDIT_STORE_UNAVAILABLE"] as const) {
    const { at, given, watcher } = watching();
    Object.assign(at, { found: "second", answer });
    await watcher.look();
    at.answer = null;
    await watcher.look();
    await watcher.look();
    assert.deepEqual(given, ["second", "second"]);
  }
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

test("a folder that cannot be read is said once until it can", async () => {
  const { at, given, lines, watcher } = watching();
  at.found = new CmcpError("POLICY_BUNDLE_INVALID", "half written");
  await watcher.look();
  await watcher.look();
  assert.deepEqual([given, lines("policy bundle not read")], [[], 1]);
  at.found = "second";
  await watcher.look();
  assert.deepEqual(given, ["second"]);
});
