import assert from "node:assert/strict";
import { test } from "node:test";
import { AT, Machine, type ReportOptions } from "./testing/machine.ts";
import {
  bit,
  failures,
  filled,
  genoa,
  POLICY,
  statusOf,
  turin,
  withPlatform,
  withPolicy,
  type Rules,
} from "./testing/appraisal.ts";

test("a sound report of each product passes the strict policy", async () => {
  for (const machine of [genoa, turin, await Machine.make("Milan")]) {
    const { verified, failed } = await machine.verify({ report: { version: 5 } });
    assert.deepEqual([verified?.product, failed], [machine.product, []]);
  }
});

test("a debugged guest is refused unless the policy says otherwise", async () => {
  const debugged = withPolicy(POLICY | bit(19));
  assert.deepEqual(await failures(debugged), ["guest debug: EVIDENCE_DEBUG"]);
  assert.deepEqual(await failures(debugged, { guest_policy: { debug: "any" } }), []);
});

test("a migration agent is refused, by the policy bit and by the agent's report", async () => {
  const failed = ["guest migration agent: EVIDENCE_POLICY_VIOLATION"];
  assert.deepEqual(await failures(withPolicy(POLICY | bit(18))), failed);
  assert.deepEqual(await failures({ fields: [[AT.reportIdMa, filled(32)]] }), failed);
  assert.deepEqual(await failures(withPolicy(POLICY | bit(18)), { guest_policy: { migration_agent: "any" } }), []);
});

const GUEST_BITS: readonly (readonly [string, string, number])[] = [
  ["smt", "guest SMT", 16],
  ["single_socket", "guest single socket", 20],
  ["cxl", "guest CXL", 21],
  ["aes_256_xts", "guest AES-256-XTS", 22],
  ["rapl_disabled", "guest RAPL off", 23],
  ["ciphertext_hiding", "guest ciphertext hiding", 24],
  ["page_swap_disabled", "guest page swap off", 25],
];

const PLATFORM_BITS: readonly (readonly [string, string, number])[] = [
  ["smt", "platform SMT", 0],
  ["tsme", "platform TSME", 1],
  ["ecc", "platform ECC", 2],
  ["rapl_disabled", "platform RAPL off", 3],
  ["ciphertext_hiding", "platform ciphertext hiding", 4],
  ["alias_check", "platform memory alias check", 5],
  ["iommu_write_safe", "platform IOMMU write safe", 6],
  ["tio", "platform trusted I/O", 7],
];

test("each bit of guest policy and platform can be required, forbidden or left open", async () => {
  const cases = [
    ...GUEST_BITS.map(([key, name, number]) => ({
      part: "guest_policy",
      key,
      name,
      set: withPolicy(bit(17) | bit(number)),
      clear: withPolicy(bit(17)),
    })),
    ...PLATFORM_BITS.map(([key, name, number]) => ({
      part: "platform",
      key,
      name,
      set: withPlatform(bit(5) | bit(number)),
      clear: withPlatform(bit(number) === bit(5) ? 0n : bit(5)),
    })),
  ];
  for (const { part, key, name, set, clear } of cases) {
    const status = async (report: ReportOptions, rule: string): Promise<string | undefined> =>
      statusOf(name, report, { [part]: { [key]: rule } });
    assert.deepEqual([await status(set, "required"), await status(clear, "required")], ["passed", "failed"], name);
    assert.deepEqual([await status(set, "forbidden"), await status(clear, "forbidden")], ["failed", "passed"], name);
    assert.deepEqual(
      [await status(set, "any"), await status(clear, "any")],
      ["not-applicable", "not-applicable"],
      name,
    );
  }
});

test("without an alias check, and with CXL memory, the strict policy refuses", async () => {
  assert.deepEqual(await failures(withPlatform(1n)), ["platform memory alias check: EVIDENCE_POLICY_VIOLATION"]);
  assert.deepEqual(await failures(withPolicy(POLICY | bit(21))), ["guest CXL: EVIDENCE_POLICY_VIOLATION"]);
});

test("bits nobody knows are the policy's to accept", async () => {
  for (const number of [26, 63]) {
    assert.deepEqual(await failures(withPolicy(POLICY | bit(number))), [
      "guest policy bits: EVIDENCE_POLICY_VIOLATION",
    ]);
    assert.deepEqual(await failures(withPolicy(POLICY | bit(number)), { guest_policy: { unknown_bits: "any" } }), []);
  }
  for (const number of [8, 63]) {
    assert.deepEqual(await failures(withPlatform(bit(5) | bit(number))), ["platform bits: EVIDENCE_POLICY_VIOLATION"]);
    assert.deepEqual(await failures(withPlatform(bit(5) | bit(number)), { platform: { unknown_bits: "any" } }), []);
  }
  assert.deepEqual(await failures(withPolicy(bit(16))), ["guest policy form: EVIDENCE_POLICY_VIOLATION"]);
});

test("the interface version the guest asked for has its floor", async () => {
  const policy = { guest_policy: { min_abi: { major: 1, minor: 51 } } };
  for (const [abi, failed] of [
    [0x0000n, 1],
    [0x0132n, 1],
    [0x0133n, 0],
    [0x0200n, 0],
  ] as const)
    assert.equal((await failures(withPolicy(POLICY | abi), policy)).length, failed, abi.toString(16));
});

test("only accepted privilege levels may have asked, and the host never", async () => {
  const from = (vmpl: number): ReportOptions => ({ fields: [[AT.vmpl, vmpl]] });
  const failed = ["VMPL: EVIDENCE_POLICY_VIOLATION"];
  assert.deepEqual(await failures(from(1)), failed);
  assert.deepEqual(await failures(from(1), { vmpl: [0, 1] }), []);
  assert.deepEqual(await failures(from(0), { vmpl: [1] }), failed);
  for (const vmpl of [4, 0xffff_ffff]) assert.deepEqual(await failures(from(vmpl), { vmpl: [0, 1, 2, 3] }), failed);
  assert.match((await genoa.verify({ report: from(0xffff_ffff) })).check("VMPL")?.why ?? "", /^the host asked/);
});

test("report versions have a floor, and reserved bytes are zero", async () => {
  assert.deepEqual(await failures({ version: 2 }), ["report version: EVIDENCE_POLICY_VIOLATION"]);
  assert.deepEqual(await failures({ version: 2 }, { min_report_version: 2 }), []);
  assert.deepEqual(await failures({ version: 4 }, { min_report_version: 5 }), [
    "report version: EVIDENCE_POLICY_VIOLATION",
  ]);
  for (const field of [
    [AT.tail, 1, 1],
    [AT.keyInfo, 0x20],
  ] as const) {
    assert.deepEqual(await failures({ fields: [field] }), ["reserved fields: EVIDENCE_POLICY_VIOLATION"]);
    assert.deepEqual(await failures({ fields: [field] }, { reserved_fields: "any" }), []);
  }
});

test("measurement, report data and launch digest are compared whole", async () => {
  const report: ReportOptions = {
    fields: [
      [AT.measurement, filled(48, 0x01)],
      [AT.reportData, filled(64, 0x02)],
      [AT.hostData, filled(32, 0x03)],
    ],
  };
  const measurement = "01".repeat(48);
  const right = {
    measurements: [`sha384:${measurement}`],
    reportData: filled(64, 0x02),
    launchDigest: filled(32, 0x03),
  };
  const run = async (input: object, policy: Rules = {}): Promise<readonly string[]> =>
    (await genoa.verify({ report, policy, input })).failed;
  assert.deepEqual(await run(right), []);
  assert.deepEqual(
    await run({ ...right, measurements: [measurement.toUpperCase()] }, { measurements: [measurement] }),
    [],
  );
  for (const measurements of [[], ["02".repeat(48)], [measurement.slice(2)], [""]])
    assert.deepEqual(await run({ ...right, measurements }), ["measurement: EVIDENCE_MEASUREMENT_MISMATCH"]);
  assert.deepEqual(await run(right, { measurements: ["02".repeat(48)] }), [
    "measurement: EVIDENCE_MEASUREMENT_MISMATCH",
  ]);
  for (const at of [0, 31, 32, 63]) {
    const reportData = filled(64, 0x02);
    reportData[at] = 0;
    assert.deepEqual(await run({ ...right, reportData }), ["report data: EVIDENCE_REPORT_DATA_MISMATCH"]);
  }
  assert.deepEqual(await run({ ...right, reportData: filled(32, 0x02) }), [
    "report data: EVIDENCE_REPORT_DATA_MISMATCH",
  ]);
  for (const launchDigest of [filled(32), filled(31, 0x03), new Uint8Array()])
    assert.deepEqual(await run({ ...right, launchDigest }), ["launch document: EVIDENCE_LAUNCH_NOT_BOUND"]);
});

test("what nobody expected is said to be unchecked, and HOST_DATA nobody expected is refused", async () => {
  const quiet = await genoa.verify();
  assert.deepEqual(
    ["measurement", "report data", "launch document"].map((name) => quiet.check(name)?.status),
    ["not-performed", "not-performed", "not-performed"],
  );
  const report: ReportOptions = { fields: [[AT.hostData, filled(32, 0x03)]] };
  assert.deepEqual(await failures(report), ["launch document: EVIDENCE_LAUNCH_NOT_BOUND"]);
  assert.equal(await statusOf("launch document", report, { host_data: { unexpected: "any" } }), "not-performed");
  assert.deepEqual(await failures(report, { host_data: { accepted: ["03".repeat(32)] } }), []);
  assert.deepEqual(await failures({}, { host_data: { accepted: ["03".repeat(32)] } }), [
    "launch document: EVIDENCE_LAUNCH_NOT_BOUND",
  ]);
});

test("authenticity only names every appraisal and makes none", async () => {
  const report: ReportOptions = {
    version: 2,
    fields: [
      [AT.policy, POLICY | bit(19), 8],
      [AT.vmpl, 3],
    ],
  };
  const strict = await genoa.verify({ report });
  const only = await genoa.verify({ report, policy: { authenticity_only: true }, input: { reportData: filled(64) } });
  assert.ok(strict.failed.length > 2);
  assert.deepEqual([only.failed, only.verified !== null], [[], true]);
  assert.deepEqual(
    only.checks.map(({ name }) => name),
    strict.checks.map(({ name }) => name),
  );
  const skipped = only.checks.filter(({ why }) => why === "authenticity only");
  assert.ok(skipped.length > 30 && skipped.every(({ status }) => status === "not-performed"));
});
