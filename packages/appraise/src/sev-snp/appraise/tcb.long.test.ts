import assert from "node:assert/strict";
import { test } from "node:test";
import { AT, Machine, TCB, type ReportOptions, type Tcb } from "../testing/machine.ts";
import { failures, genoa, turin, type Rules } from "../testing/appraisal.ts";

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
    const { failed, check } = await genoa.verify({ report, policy: { tcb: { provisional_firmware: "any" } } });
    assert.deepEqual(
      [failed, check("committed firmware")?.why],
      [[], "not everything is committed; the policy accepts both"],
    );
  }
  const sound = await genoa.verify({ policy: { tcb: { provisional_firmware: "any" } } });
  assert.equal(sound.check("committed firmware")?.why, "everything is committed; the policy accepts both");
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
  for (const [name, said] of [
    ["mitigations at launch", "0x1"],
    ["mitigations now", "0x3"],
  ] as const)
    for (const [version, why] of [
      [5, `${said}; the policy requires none`],
      [4, "a report before version 5 does not say; the policy requires none"],
    ] as const) {
      const { check } = await genoa.verify({ report: { ...report, version } });
      assert.deepEqual(check(name), { name, status: "not-applicable", why });
    }
  assert.deepEqual(await failures({ version: 4 }, rules("0x1", "0x1")), [
    "mitigations at launch: EVIDENCE_TCB_NOT_ACCEPTED",
    "mitigations now: EVIDENCE_TCB_NOT_ACCEPTED",
  ]);
});
