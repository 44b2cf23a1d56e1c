import assert from "node:assert/strict";
import { createHash, hash } from "node:crypto";
import { test } from "node:test";
import { BANKS } from "../event-log/hash-algorithm.ts";
import type { QuoteExpectations } from "./appraise-quote.ts";
import type { TpmEvidence } from "./evidence.ts";
import { tpmPolicySchema, type TpmPolicy } from "./policy.ts";
import { QUOTED_REGISTERS } from "./quoted-registers.ts";
import { sampleEvidence, sampleKey, type QuoteOptions } from "./testing/sample-quote.ts";
import { appraise, KEY, of, plainValues } from "./testing/quote-appraisal.ts";

test("the quote must be over exactly an accepted set of registers in accepted banks", async () => {
  const outcome = async (options: QuoteOptions, policy: Partial<TpmPolicy> = {}): Promise<string> =>
    of(await appraise(sampleEvidence(KEY, plainValues([0]), options), {}, policy), "PCR selection");
  const set = [0, 7, 9];
  const policy = { selections: [set, [1]] };
  assert.equal(await outcome({ selections: [[0x0b, set]] }, policy), "passed");
  assert.equal(await outcome({ selections: [[0x0c, [1]]] }, policy), "passed");
  assert.equal(
    await outcome(
      {
        selections: [
          [0x0b, set],
          [0x0c, set],
        ],
      },
      policy,
    ),
    "passed",
  );
  for (const selections of [
    [],
    [[0x0b, []]],
    [[0x0b, [0, 7]]],
    [[0x0b, [0, 7, 9, 10]]],
    [[0x04, set]],
    [
      [0x0b, set],
      [0x0b, set],
    ],
    [
      [0x0b, set],
      [0x04, set],
    ],
    [
      [0x0b, set],
      [0x0c, []],
    ],
    [[0x0d, set]],
    [[0x99, set]],
  ] as const) {
    assert.equal(await outcome({ selections }, policy), "EVIDENCE_POLICY_VIOLATION", JSON.stringify(selections));
  }
  const foreign = await appraise(sampleEvidence(KEY, plainValues([0]), { selections: [[0x99, set]] }), {}, policy);
  assert.match(foreign.find(({ name }) => name === "PCR selection")?.why ?? "", /bank 0x0099 is not accepted/);
  assert.equal(await outcome({ selections: [[0x0b, QUOTED_REGISTERS]] }), "passed");
  assert.equal(await outcome({ selections: [[0x0b, [0, 1, 2, 3, 4, 5, 6, 7]]] }), "EVIDENCE_POLICY_VIOLATION");
});

test("register values are proven by the signed digest or not at all", async () => {
  const evidence = sampleEvidence(KEY, plainValues(QUOTED_REGISTERS));
  assert.equal(of(await appraise(evidence), "PCR digest"), "passed");
  assert.equal(of(await appraise({ ...evidence, registers: new Map() }), "PCR digest"), "not-performed");
  assert.equal(
    of(await appraise({ ...evidence, registers: new Map([[0x0b, plainValues([0, 1])]]) }), "PCR digest"),
    "EVIDENCE_SIGNATURE_INVALID",
  );
  assert.equal(
    of(await appraise({ ...evidence, registers: new Map([[0x0c, plainValues(QUOTED_REGISTERS)]]) }), "PCR digest"),
    "EVIDENCE_SIGNATURE_INVALID",
  );
  assert.equal(
    of(
      await appraise(sampleEvidence(KEY, plainValues(QUOTED_REGISTERS), { pcrDigest: Buffer.alloc(32) })),
      "PCR digest",
    ),
    "EVIDENCE_SIGNATURE_INVALID",
  );
});

test("a register without a value is not passed over, even where the digest would be that of the rest", async () => {
  const digest = createHash("sha256").update(new Uint8Array(32)).digest();
  const evidence = sampleEvidence(KEY, plainValues([0]), { selections: [[0x0b, [0, 1]]], pcrDigest: digest });
  assert.equal(of(await appraise(evidence, {}, { selections: [[0, 1]] }), "PCR digest"), "EVIDENCE_SIGNATURE_INVALID");
});

test("registers of two banks are hashed in the order of the selection", async () => {
  const key = sampleKey("rsassa", "sha384");
  const values = new Map([
    [0x0c, new Map([[1, new Uint8Array(48).fill(2)]])],
    [0x0b, new Map([[1, new Uint8Array(32).fill(1)]])],
  ]);
  const digest = createHash("sha384").update(new Uint8Array(48).fill(2)).update(new Uint8Array(32).fill(1)).digest();
  const evidence = {
    ...sampleEvidence(key, plainValues([1]), {
      selections: [
        [0x0c, [1]],
        [0x0b, [1]],
      ],
      pcrDigest: digest,
    }),
    registers: values,
  };
  assert.equal(
    of(
      await appraise(evidence, {}, { attestation_key_sha256: [hash("sha256", key.spki)], selections: [[1]] }),
      "PCR digest",
    ),
    "passed",
  );
});

test("the qualifying data must carry the expected report data in an accepted form", async () => {
  const reportData = Buffer.alloc(64, 5);
  const sha256 = (...parts: readonly Uint8Array[]): Buffer =>
    createHash("sha256").update(Buffer.concat(parts)).digest();
  const outcome = async (
    extraData: Uint8Array,
    expected: QuoteExpectations = { reportData },
    policy: Partial<TpmPolicy> = {},
  ): Promise<string> =>
    of(await appraise(sampleEvidence(KEY, plainValues([0]), { extraData }), expected, policy), "report data");
  assert.equal(await outcome(sha256(Buffer.from("cmcp-tpm-v1"), reportData)), "passed");
  assert.equal(await outcome(reportData), "passed");
  assert.equal(await outcome(sha256(reportData)), "EVIDENCE_REPORT_DATA_MISMATCH");
  assert.equal(await outcome(sha256(reportData), { reportData }, { qualifying_data: ["sha256"] }), "passed");
  assert.equal(
    await outcome(reportData, { reportData }, { qualifying_data: ["cmcp-tpm-v1"] }),
    "EVIDENCE_REPORT_DATA_MISMATCH",
  );
  // The half with the key's thumbprint leaves the other half unbound.
  assert.equal(await outcome(reportData.subarray(0, 32)), "EVIDENCE_REPORT_DATA_MISMATCH");
  assert.equal(await outcome(Buffer.alloc(0)), "EVIDENCE_REPORT_DATA_MISMATCH");
  assert.equal(await outcome(Buffer.alloc(0), { reportData: new Uint8Array() }), "EVIDENCE_REPORT_DATA_MISMATCH");
  assert.equal(await outcome(reportData, {}), "not-performed");
});

test("measurements are compared with the signed digest", async () => {
  const evidence = sampleEvidence(KEY, plainValues(QUOTED_REGISTERS));
  const digest = createHash("sha256")
    .update(Buffer.alloc(32 * QUOTED_REGISTERS.length))
    .digest("hex");
  assert.equal(of(await appraise(evidence), "measurement"), "not-performed");
  assert.equal(of(await appraise(evidence, { measurements: [digest.toUpperCase()] }), "measurement"), "passed");
  assert.equal(
    of(await appraise(evidence, { measurements: ["00".repeat(32)] }), "measurement"),
    "EVIDENCE_MEASUREMENT_MISMATCH",
  );
  assert.equal(
    of(await appraise(evidence, { measurements: [digest] }, { measurements: ["00".repeat(32)] }), "measurement"),
    "EVIDENCE_MEASUREMENT_MISMATCH",
  );
});

test("single registers are compared with what the policy accepts", async () => {
  const values = plainValues(QUOTED_REGISTERS).set(9, new Uint8Array(32).fill(9));
  const evidence = sampleEvidence(KEY, values);
  const accepting = (registers: Record<string, string[]>): Partial<TpmPolicy> => ({
    registers: tpmPolicySchema.parse({ registers }).registers,
  });
  const named = accepting({ 4: ["00".repeat(32)], 9: ["00".repeat(32), "09".repeat(32)] });
  const outcome = async (given: TpmEvidence, policy: Partial<TpmPolicy>): Promise<string> =>
    of(await appraise(given, {}, policy), "PCR values");
  assert.equal(await outcome(evidence, {}), "not-performed");
  assert.equal(await outcome(evidence, named), "passed");
  assert.equal(
    await outcome(evidence, accepting({ 4: ["00".repeat(32)], 10: ["00".repeat(32)] })),
    "EVIDENCE_MEASUREMENT_MISMATCH",
    "PCR 10 is not quoted",
  );
  assert.equal(
    await outcome(sampleEvidence(KEY, new Map([...values, [9, new Uint8Array(32).fill(8)]])), named),
    "EVIDENCE_MEASUREMENT_MISMATCH",
  );
  assert.equal(await outcome({ ...evidence, registers: new Map() }, named), "EVIDENCE_MEASUREMENT_MISMATCH");
});

test("the clock must be safe and not run backwards", async () => {
  const now = { clock: 1000n, resetCount: 3, restartCount: 2 };
  const outcome = async (
    name: string,
    options: QuoteOptions,
    expected: QuoteExpectations = {},
    policy: Partial<TpmPolicy> = {},
  ): Promise<string> =>
    of(await appraise(sampleEvidence(KEY, plainValues([0]), { ...now, ...options }), expected, policy), name);
  assert.equal(await outcome("clock safe", {}), "passed");
  assert.equal(await outcome("clock safe", { safe: 0 }), "EVIDENCE_POLICY_VIOLATION");
  assert.equal(await outcome("clock safe", { safe: 0 }, {}, { safe_clock: false }), "not-performed");
  assert.equal(await outcome("clock order", {}), "not-performed");
  const order = async (earlier: Partial<typeof now>): Promise<string> =>
    await outcome("clock order", {}, { earlierClock: { ...now, ...earlier } });
  assert.equal(await order({}), "passed");
  assert.equal(await order({ clock: 999n, resetCount: 2, restartCount: 9 }), "passed");
  for (const earlier of [{ clock: 1001n }, { resetCount: 4 }, { restartCount: 3 }])
    assert.equal(await order(earlier), "EVIDENCE_POLICY_VIOLATION");
});

test("the policy's banks have the names and sizes of the log's", () => {
  assert.deepEqual(
    Object.values(BANKS).map(({ id, size }) => [id, size]),
    [
      [0x0b, 32],
      [0x0c, 48],
      [0x0d, 64],
    ],
  );
});
