import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "@cmcp/boundary";
import { AT, chipId, Machine, TCB, type ReportOptions, type Tcb } from "./testing/machine.ts";

const genoa = await Machine.make("Genoa");
const turin = await Machine.make("Turin");

type Rules = Readonly<Record<string, unknown>>;

const POLICY = 0x3_0000n;
const bit = (number: number): bigint => 1n << BigInt(number);
const withPolicy = (policy: bigint): ReportOptions => ({ fields: [[AT.policy, policy, 8]] });
const withPlatform = (platform: bigint): ReportOptions => ({ fields: [[AT.platform, platform, 8]] });
const filled = (length: number, byte = 0x11): Uint8Array => new Uint8Array(length).fill(byte);

async function failures(report: ReportOptions, policy: Rules = {}, machine = genoa): Promise<readonly string[]> {
  return (await machine.verify({ report, policy })).failed;
}

async function statusOf(name: string, report: ReportOptions, policy: Rules = {}): Promise<string | undefined> {
  return (await genoa.verify({ report, policy })).check(name)?.status;
}

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

async function tcbFailures(
  machine: Machine,
  change: Partial<Tcb>,
  where: "all" | "launch" = "all",
  policy: Rules = {},
): Promise<readonly string[]> {
  const tcb = { ...TCB[machine.product], ...change };
  const report: ReportOptions =
    where === "launch"
      ? { tcb: { launch: tcb } }
      : { tcb: { current: tcb, reported: tcb, committed: tcb, launch: tcb } };
  return (await machine.verify({ report, policy, key: where === "launch" ? {} : { tcb } })).failed;
}

test("each part of the TCB has its floor, reported and at launch", async () => {
  const below: readonly (readonly [Machine, Partial<Tcb>])[] = [
    [genoa, { bootloader: 6 }],
    [genoa, { snp: 22 }],
    [genoa, { microcode: 83 }],
    [turin, { bootloader: 0 }],
    [turin, { snp: 0 }],
    [turin, { microcode: 70 }],
  ];
  for (const [machine, change] of below) {
    assert.deepEqual(
      await tcbFailures(machine, change),
      ["reported TCB: EVIDENCE_TCB_NOT_ACCEPTED", "launch TCB: EVIDENCE_TCB_NOT_ACCEPTED"],
      JSON.stringify(change),
    );
    assert.deepEqual(
      await tcbFailures(machine, change, "launch"),
      ["launch TCB: EVIDENCE_TCB_NOT_ACCEPTED"],
      JSON.stringify(change),
    );
  }
  assert.deepEqual(await tcbFailures(genoa, { bootloader: 7, snp: 23, microcode: 84 }), []);
  const floors = { Genoa: { bootloader: 10, tee: 1, snp: 23, microcode: 84 } };
  assert.deepEqual(await tcbFailures(genoa, {}, "all", { tcb: { floors } }), [
    "reported TCB: EVIDENCE_TCB_NOT_ACCEPTED",
    "launch TCB: EVIDENCE_TCB_NOT_ACCEPTED",
  ]);
  assert.deepEqual(
    await tcbFailures(turin, { fmc: 0 }, "all", {
      tcb: { floors: { Turin: { fmc: 1, bootloader: 1, tee: 0, snp: 1, microcode: 71 } } },
    }),
    ["reported TCB: EVIDENCE_TCB_NOT_ACCEPTED", "launch TCB: EVIDENCE_TCB_NOT_ACCEPTED"],
  );
});

test("reported, committed and current TCB are in order in every part", async () => {
  const sound = TCB.Genoa;
  for (const part of ["bootloader", "tee", "snp", "microcode"] as const) {
    const higher = { ...sound, [part]: sound[part] + 1 };
    assert.deepEqual(
      await failures({ tcb: { committed: higher } }, { tcb: { provisional_firmware: "any" } }),
      ["TCB order: EVIDENCE_TCB_NOT_ACCEPTED"],
      part,
    );
    const { failed } = await genoa.verify({ report: { tcb: { reported: higher } }, key: { tcb: higher } });
    assert.deepEqual(failed, ["TCB order: EVIDENCE_TCB_NOT_ACCEPTED"], part);
  }
  const versions = { fields: [[AT.committedVersion, Uint8Array.of(41, 55, 1)]] } as const;
  assert.deepEqual(await failures(versions, { tcb: { provisional_firmware: "any" } }), [
    "TCB order: EVIDENCE_TCB_NOT_ACCEPTED",
  ]);
});

test("firmware that is not committed is provisional, and refused", async () => {
  const provisional: readonly ReportOptions[] = [
    { tcb: { current: { ...TCB.Genoa, microcode: 90 } } },
    { fields: [[AT.currentVersion, Uint8Array.of(41, 55, 1)]] },
  ];
  for (const report of provisional) {
    assert.deepEqual(await failures(report), ["committed firmware: EVIDENCE_TCB_NOT_ACCEPTED"]);
    assert.deepEqual(await failures(report, { tcb: { provisional_firmware: "any" } }), []);
  }
});

test("the firmware version can have a floor", async () => {
  for (const [minor, build, failed] of [
    [55, 40, 0],
    [55, 41, 1],
    [56, 0, 1],
    [54, 255, 0],
  ] as const) {
    assert.equal(
      (await failures({}, { tcb: { min_firmware: { major: 1, minor, build } } })).length,
      failed,
      `${minor}.${build}`,
    );
  }
});

test("required mitigations must all be there, now and at launch", async () => {
  const report: ReportOptions = {
    version: 5,
    fields: [
      [AT.launchMitigations, 1n, 8],
      [AT.currentMitigations, 3n, 8],
    ],
  };
  const rules = (launch: string, current: string): Rules => ({
    tcb: { launch_mitigations: launch, current_mitigations: current },
  });
  assert.deepEqual(await failures(report, rules("0x1", "0x3")), []);
  assert.deepEqual(await failures(report, rules("0x2", "0x0")), ["mitigations at launch: EVIDENCE_TCB_NOT_ACCEPTED"]);
  assert.deepEqual(await failures(report, rules("0x0", "0x7")), ["mitigations now: EVIDENCE_TCB_NOT_ACCEPTED"]);
  assert.deepEqual(await failures({ version: 4 }, rules("0x1", "0x1")), [
    "mitigations at launch: EVIDENCE_TCB_NOT_ACCEPTED",
    "mitigations now: EVIDENCE_TCB_NOT_ACCEPTED",
  ]);
});

test("products are the policy's to choose", async () => {
  assert.deepEqual(await failures({}, { products: ["Milan", "Turin"] }), [
    "product allowed: EVIDENCE_POLICY_VIOLATION",
  ]);
  assert.deepEqual(await failures({}, { products: ["Genoa"] }), []);
});

test("a key loaded by a provider is accepted from named providers only", async () => {
  const run = async (policy: Rules, cspId = "CN=cc-us-east-2.example.com"): Promise<readonly string[]> =>
    (
      await genoa.verify({
        report: {
          fields: [
            [AT.keyInfo, 4],
            [AT.chipId, new Uint8Array(64)],
          ],
        },
        key: { kind: "VLEK", cspId },
        policy,
      })
    ).failed;
  assert.deepEqual(await run({}), [
    "key kind allowed: EVIDENCE_POLICY_VIOLATION",
    "cloud provider: EVIDENCE_POLICY_VIOLATION",
  ]);
  const accepts = (pattern: string): Rules => ({ endorsement_keys: ["VLEK"], vlek_providers: [pattern] });
  for (const pattern of ["CN=cc-us-east-2.example.com", "CN=cc-*.example.com"])
    assert.deepEqual(await run(accepts(pattern)), []);
  for (const pattern of ["CN=cc-us-east-1.example.com", "CN=cc-*.example.org", "cc-us-east-2.example.com", "CN=cc-*"])
    assert.deepEqual(await run(accepts(pattern)), ["cloud provider: EVIDENCE_POLICY_VIOLATION"], pattern);
  assert.deepEqual(await run(accepts("CN=cc-*.example.com"), "CN=cc-x.evil.example.com"), [
    "cloud provider: EVIDENCE_POLICY_VIOLATION",
  ]);
  assert.deepEqual(await failures({}, { endorsement_keys: ["VLEK"] }), ["key kind allowed: EVIDENCE_POLICY_VIOLATION"]);
});

test("chips can be listed, both ways, by all their bytes", async () => {
  const other = "00".repeat(63) + "01";
  for (const [machine, ids] of [
    [genoa, [toHex(chipId("Genoa"))]],
    [turin, [toHex(chipId("Turin")), toHex(chipId("Turin").subarray(0, 8))]],
  ] as const) {
    for (const id of ids) {
      assert.deepEqual(await failures({}, { chips: { allow: [other, id] } }, machine), []);
      assert.deepEqual(await failures({}, { chips: { deny: [id] } }, machine), ["chip: EVIDENCE_REVOKED"]);
      assert.deepEqual(await failures({}, { chips: { allow: [id], deny: [id] } }, machine), ["chip: EVIDENCE_REVOKED"]);
    }
    assert.deepEqual(await failures({}, { chips: { allow: [other] } }, machine), ["chip: EVIDENCE_POLICY_VIOLATION"]);
    assert.deepEqual(await failures({}, { chips: { deny: [other] } }, machine), []);
  }
});

test("a masked chip is refused unless accepted, and never matches a list", async () => {
  const masked: ReportOptions = { fields: [[AT.chipId, new Uint8Array(64)]] };
  assert.deepEqual(await failures(masked), ["chip: EVIDENCE_POLICY_VIOLATION"]);
  const accepted = await genoa.verify({ report: masked, policy: { chips: { masked: "any" } } });
  assert.deepEqual(
    [accepted.failed, accepted.check("chip")?.status, accepted.check("endorsed chip")?.status],
    [[], "not-performed", "not-performed"],
  );
  for (const list of ["allow", "deny"])
    assert.deepEqual(await failures(masked, { chips: { masked: "any", [list]: ["00".repeat(64)] } }), [
      "chip: EVIDENCE_POLICY_VIOLATION",
    ]);
});

test("an ID block is required with each thing that only it can prove", async () => {
  const block: ReportOptions = {
    fields: [
      [AT.idKey, filled(48)],
      [AT.authorKey, filled(48, 0x22)],
      [AT.keyInfo, 1],
      [AT.familyId, filled(16, 0x33)],
      [AT.imageId, filled(16, 0x44)],
      [AT.guestSvn, 5],
    ],
  };
  const hex = (length: number, byte: string): string => byte.repeat(length);
  const accepted = {
    required: true,
    id_key_digests: [hex(48, "11")],
    author_key_digests: [hex(48, "22")],
    family_ids: [hex(16, "33")],
    image_ids: [hex(16, "44")],
    min_guest_svn: 5,
  };
  assert.deepEqual(await failures(block, { id_block: accepted }), []);
  const changes: readonly (readonly [Rules, string])[] = [
    [{ id_key_digests: [hex(48, "12")] }, "ID key"],
    [{ author_key_digests: [hex(48, "12")] }, "author key"],
    [{ family_ids: [hex(16, "12")] }, "family"],
    [{ image_ids: [hex(16, "12")] }, "image"],
    [{ min_guest_svn: 6 }, "guest SVN"],
  ];
  for (const [change, name] of changes)
    assert.deepEqual(await failures(block, { id_block: { ...accepted, ...change } }), [
      `${name}: EVIDENCE_POLICY_VIOLATION`,
    ]);
  for (const rule of [{ required: true }, { min_guest_svn: 1 }, { family_ids: [hex(16, "00")] }])
    assert.deepEqual(await failures({ fields: [[AT.guestSvn, 9]] }, { id_block: rule }), [
      "ID block: EVIDENCE_POLICY_VIOLATION",
    ]);
  const unused: ReportOptions = {
    fields: [
      [AT.idKey, filled(48)],
      [AT.authorKey, filled(48, 0x22)],
    ],
  };
  assert.deepEqual(await failures(unused, { id_block: { author_key_digests: [hex(48, "22")] } }), [
    "author key: EVIDENCE_POLICY_VIOLATION",
  ]);
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
