import assert from "node:assert/strict";
import { createHash, hash, webcrypto } from "node:crypto";
import { test } from "node:test";
import type { Check } from "../checks/check.ts";
import { BANKS } from "../event-log/hash-algorithm.ts";
import { buildLog, EXIT_BOOT_SERVICES, SEPARATORS, type SampleEvent } from "../event-log/testing/build-log.ts";
import { parseEventLog, replay } from "../event-log/index.ts";
import type { QuoteExpectations } from "./appraise-quote.ts";
import type { TpmEvidence } from "./evidence.ts";
import { LAUNCH_REGISTER, launchRegisterValue } from "./launch-register.ts";
import { STRICT_TPM_POLICY, tpmPolicySchema, type TpmPolicy } from "./policy.ts";
import { QUOTED_REGISTERS } from "./quoted-registers.ts";
import { sampleEvidence, sampleKey, type QuoteOptions } from "./testing/sample-quote.ts";
import { verifyTpm } from "./verify.ts";

const KEY = sampleKey("ecdsa");
const TRUSTED = { attestation_key_sha256: [hash("sha256", KEY.spki)] };
const BOOT: readonly SampleEvent[] = [
  { register: 0, type: 8, data: "firmware" },
  ...SEPARATORS,
  { register: 4, type: 0x80000003, data: "kernel" },
  ...EXIT_BOOT_SERVICES,
];

/** Register values of a machine that booted so. */
async function valuesOf(
  log: Uint8Array,
  registers: readonly number[] = QUOTED_REGISTERS,
): Promise<Map<number, Uint8Array>> {
  const replayed = await replay(webcrypto, parseEventLog(log), "sha256", "pcr");
  return new Map(registers.map((register) => [register, replayed.get(register)?.value ?? new Uint8Array(32)]));
}

const plainValues = (registers: readonly number[]): Map<number, Uint8Array> =>
  new Map(registers.map((register) => [register, new Uint8Array(32)]));

async function appraise(
  evidence: TpmEvidence,
  expected: QuoteExpectations = {},
  policy: Partial<TpmPolicy> = {},
): Promise<readonly Check[]> {
  return (
    await verifyTpm({ evidence, ...expected }, { ...STRICT_TPM_POLICY, ...TRUSTED, ...policy }, new Date(0), webcrypto)
  ).checks;
}

const of = (checks: readonly Check[], name: string): string => {
  const check = checks.find((one) => one.name === name);
  return check === undefined ? "absent" : check.status === "failed" ? (check.code ?? "") : check.status;
};

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

test("a log must lead to the quoted registers, and only those the running system extends are left out", async () => {
  const log = buildLog(BOOT);
  const values = await valuesOf(log);
  const outcome = async (
    changed: ReadonlyMap<number, Uint8Array>,
    eventLog: Uint8Array | undefined = log,
    policy: Partial<TpmPolicy> = {},
  ): Promise<string> =>
    of(
      await appraise({ ...sampleEvidence(KEY, changed), ...(eventLog === undefined ? {} : { eventLog }) }, {}, policy),
      "event log",
    );
  assert.equal(await outcome(values), "passed");
  assert.equal(await outcome(new Map([...values, [LAUNCH_REGISTER, new Uint8Array(32).fill(1)]])), "passed");
  // A register that the log does not speak of must hold what a reset leaves there.
  for (const register of [4, 11, 14])
    assert.equal(
      await outcome(new Map([...values, [register, new Uint8Array(32).fill(1)]])),
      "EVIDENCE_EVENT_LOG_MISMATCH",
      `PCR ${register}`,
    );
  const other = await appraise({ ...sampleEvidence(KEY, values), eventLog: buildLog(BOOT.slice(1)) });
  assert.equal(of(other, "event log"), "EVIDENCE_EVENT_LOG_MISMATCH");
  assert.equal(of(other, "event log separators"), "absent", "events of a log that does not replay are not looked at");
  assert.equal(await outcome(values, buildLog(BOOT, ["sha384"])), "EVIDENCE_EVENT_LOG_MISMATCH");
  assert.equal(
    of(await appraise({ ...sampleEvidence(KEY, values), eventLog: Buffer.from("no log") }), "event log format"),
    "EVIDENCE_MALFORMED",
  );
  const noLog = await appraise(sampleEvidence(KEY, values));
  assert.equal(of(noLog, "event log"), "not-performed");
  assert.equal(
    of(await appraise({ ...sampleEvidence(KEY, values), registers: new Map(), eventLog: log }), "event log"),
    "not-performed",
  );
  assert.equal(
    of(await appraise({ ...sampleEvidence(KEY, plainValues([0])), eventLog: log }), "event log"),
    "not-performed",
  );
});

test("a log that replays is rejected for a repeated separator, and where the policy asks for an unfinished or insecure boot", async () => {
  const outcome = async (
    name: string,
    boot: readonly SampleEvent[],
    policy: Partial<TpmPolicy["event_log"]> = {},
  ): Promise<string> => {
    const eventLog = buildLog(boot);
    const checks = await appraise(
      { ...sampleEvidence(KEY, await valuesOf(eventLog)), eventLog },
      {},
      { event_log: { ...STRICT_TPM_POLICY.event_log, ...policy } },
    );
    assert.equal(of(checks, "event log"), "passed");
    return of(checks, name);
  };
  assert.equal(await outcome("event log separators", BOOT), "passed");
  const repeated = [...BOOT, { register: 7, type: 1, data: new Uint8Array(4) }];
  assert.equal(await outcome("event log separators", repeated), "EVIDENCE_EVENT_LOG_MISMATCH");
  assert.equal(await outcome("event log separators", repeated, { separators: [0, 1] }), "passed");
  assert.equal(await outcome("event log separators", BOOT.slice(2)), "EVIDENCE_EVENT_LOG_MISMATCH");
  assert.equal(await outcome("boot services", BOOT), "passed");
  assert.equal(await outcome("boot services", BOOT.slice(0, -1)), "EVIDENCE_EVENT_LOG_MISMATCH");
  assert.equal(await outcome("boot services", BOOT.slice(0, -1), { exit_boot_services: false }), "not-performed");
  assert.equal(await outcome("secure boot", BOOT), "not-performed");
  assert.equal(await outcome("secure boot", BOOT, { secure_boot: "required" }), "EVIDENCE_POLICY_VIOLATION");
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
