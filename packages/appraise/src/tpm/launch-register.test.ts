import assert from "node:assert/strict";
import { createHash, webcrypto } from "node:crypto";
import { test } from "node:test";
import type { Check } from "../checks/check.ts";
import type { TpmEvidence } from "./evidence.ts";
import { LAUNCH_REGISTER, launchRegisterValue } from "./launch-register.ts";
import type { TpmPolicy } from "./policy.ts";
import { QUOTED_REGISTERS } from "./quoted-registers.ts";
import { sampleEvidence } from "./testing/sample-quote.ts";
import { appraise, KEY, of, plainValues } from "./testing/quote-appraisal.ts";

test("the launch register holds one launch digest and the cap, and nothing else", async () => {
  const launchDigest = createHash("sha256").update("launch document").digest();
  const expected = await launchRegisterValue(webcrypto, "sha256", launchDigest);
  const evidence = (value: Uint8Array, registers: readonly number[] = QUOTED_REGISTERS): TpmEvidence =>
    sampleEvidence(KEY, plainValues(registers).set(LAUNCH_REGISTER, value));
  const outcome = async (given: TpmEvidence, wanted: Uint8Array = launchDigest): Promise<string> =>
    of(await appraise(given, { launchDigest: wanted }), "launch digest");
  assert.equal(await outcome(evidence(expected)), "passed");
  const extend = (value: Uint8Array, digest: Uint8Array): Buffer =>
    createHash("sha256").update(value).update(digest).digest();
  const cap = createHash("sha256").update("cmcp-launch-cap-v1").digest();
  const uncapped = extend(Buffer.alloc(32), launchDigest);
  assert.deepEqual(Buffer.from(expected), extend(uncapped, cap));
  for (const value of [
    uncapped,
    extend(expected, launchDigest),
    extend(extend(Buffer.alloc(32), cap), launchDigest),
    new Uint8Array(32),
  ])
    assert.equal(await outcome(evidence(value)), "EVIDENCE_LAUNCH_NOT_BOUND");
  assert.equal(
    await outcome(evidence(expected), createHash("sha256").update("another").digest()),
    "EVIDENCE_LAUNCH_NOT_BOUND",
  );
  assert.equal(
    await outcome(evidence(expected), createHash("sha384").update("launch document").digest()),
    "EVIDENCE_LAUNCH_NOT_BOUND",
  );
  assert.equal(await outcome({ ...evidence(expected), registers: new Map() }), "EVIDENCE_LAUNCH_NOT_BOUND");
  assert.equal(await outcome(sampleEvidence(KEY, plainValues([0, 1]))), "EVIDENCE_LAUNCH_NOT_BOUND");
  assert.equal(of(await appraise(evidence(expected)), "launch digest"), "not-performed");
});

test("a launch digest in a quote over two banks must be in both", async () => {
  const launchDigest = createHash("sha256").update("launch document").digest();
  const sha256 = await launchRegisterValue(webcrypto, "sha256", launchDigest);
  const sha384 = await launchRegisterValue(webcrypto, "sha384", launchDigest);
  const outcome = async (other: Uint8Array): Promise<string> => {
    const digest = createHash("sha256").update(sha256).update(other).digest();
    const evidence = {
      ...sampleEvidence(KEY, new Map(), {
        selections: [
          [0x0b, [LAUNCH_REGISTER]],
          [0x0c, [LAUNCH_REGISTER]],
        ],
        pcrDigest: digest,
      }),
      registers: new Map([
        [0x0b, new Map([[LAUNCH_REGISTER, sha256]])],
        [0x0c, new Map([[LAUNCH_REGISTER, other]])],
      ]),
    };
    return of(await appraise(evidence, { launchDigest }, { selections: [[LAUNCH_REGISTER]] }), "launch digest");
  };
  assert.equal(await outcome(sha384), "passed");
  assert.equal(await outcome(new Uint8Array(48)), "EVIDENCE_LAUNCH_NOT_BOUND");
});

test("what is wrong with the launch register and the registers' digest is said as it is", async () => {
  const why = (checks: readonly Check[], name: string): string => checks.find((one) => one.name === name)?.why ?? "";
  const launchDigest = new Uint8Array(32).fill(7);
  const whole = plainValues(QUOTED_REGISTERS);
  const evidence = sampleEvidence(KEY, whole);
  const launch = async (of: TpmEvidence, digest = launchDigest, policy: Partial<TpmPolicy> = {}): Promise<string> =>
    why(await appraise(of, { launchDigest: digest }, policy), "launch digest");
  assert.match(await launch(evidence), /^PCR 15 is not the launch digest followed by the cap$/);
  assert.match(await launch({ ...evidence, registers: new Map() }), /^the value of PCR 15 is not shown$/);
  const without = sampleEvidence(KEY, plainValues([0, 1]));
  assert.match(await launch(without, launchDigest, { selections: [[0, 1]] }), /^PCR 15 is not quoted$/);
  assert.match(
    await launch(evidence, new Uint8Array(48)),
    /carries a launch digest of 32 bytes, expected is one of 48$/,
  );
  const missing = new Map([[0x0b, plainValues(QUOTED_REGISTERS.filter((register) => register > 1))]]);
  assert.equal(
    why(await appraise({ ...evidence, registers: missing }), "PCR digest"),
    "no value was given of PCR 0, 1",
  );
  const other = new Map([[0x0b, new Map([...whole, [0, new Uint8Array(32).fill(1)]])]]);
  assert.equal(
    why(await appraise({ ...evidence, registers: other }), "PCR digest"),
    "the register values do not have the signed digest",
  );
  assert.match(why(await appraise(evidence), "PCR digest"), /^15 register values have the signed digest$/);
  const named = { registers: { 0: ["00".repeat(32)], 1: ["11".repeat(32)], 20: ["00".repeat(32)] } };
  assert.equal(
    why(await appraise(evidence, {}, named), "PCR values"),
    `not accepted: PCR 1 is ${"00".repeat(32)}; PCR 20 is not shown`,
  );
  assert.equal(
    why(await appraise(evidence, {}, { registers: { 0: ["00".repeat(32)] } }), "PCR values"),
    "PCR 0 hold accepted values",
  );
});
