import assert from "node:assert/strict";
import { test } from "node:test";
import { parseQeIdentity } from "./qe-identity.ts";
import { convergeTcb, type TcbEvidence } from "./tcb-appraisal.ts";
import { parseTcbInfo } from "./tcb-info.ts";
import { level, moduleIdentity, moduleLevel, qeIdentity, tcbInfo } from "./testing/platform.ts";

const bytes = (document: object): Uint8Array => new TextEncoder().encode(JSON.stringify(document));
const svn = (...first: readonly number[]): Uint8Array =>
  Uint8Array.from({ length: 16 }, (_, index) => first[index] ?? 0);
const platform = (component: number, pceSvn = 11): TcbEvidence["pck"] => ({
  components: Array.from({ length: 16 }, () => component),
  pceSvn,
  pceId: "0000",
  fmspc: "aabbcc000001",
});

interface Case {
  readonly info?: object;
  readonly identity?: object;
  readonly teeTcbSvn?: Uint8Array;
  readonly teeTcbSvn2?: Uint8Array | null;
  readonly pck?: TcbEvidence["pck"];
  readonly isvSvn?: number;
}

function appraise({
  info = {},
  identity = {},
  teeTcbSvn = svn(6, 1, 5),
  teeTcbSvn2 = null,
  pck = platform(5),
  isvSvn = 6,
}: Case = {}) {
  return convergeTcb(parseTcbInfo(bytes(tcbInfo(info))), parseQeIdentity(bytes(qeIdentity(identity))), {
    teeTcbSvn,
    teeTcbSvn2,
    pck,
    qe: { isvSvn },
  });
}

function statusOf(options?: Case): string {
  const result = appraise(options);
  return "below" in result ? `below: ${result.below}` : result.status;
}

test("a platform is at the highest level none of its components is below", () => {
  assert.equal(statusOf(), "UpToDate");
  assert.equal(statusOf({ pck: platform(4) }), "OutOfDate");
  assert.equal(statusOf({ pck: platform(5, 10) }), "below: the platform");
  assert.equal(statusOf({ pck: platform(2) }), "below: the platform");
  for (let index = 0; index < 16; index += 1) {
    const components = Array.from({ length: 16 }, (_, at) => (at === index ? 4 : 9));
    assert.equal(statusOf({ pck: { ...platform(9), components } }), "OutOfDate", `SGX component ${index + 1}`);
  }
  assert.equal(statusOf({ teeTcbSvn: svn(6, 1, 4) }), "OutOfDate");
  assert.equal(statusOf({ teeTcbSvn: svn(6, 1, 2) }), "below: the platform");
});

test("the order in which Intel lists levels does not matter", () => {
  const levels = [
    level([5, 11, [6, 0, 5]], "UpToDate"),
    level([5, 11, [3, 0, 3]], "OutOfDate"),
    level([5, 5, [3, 0, 3]], "Revoked"),
    level([3, 11, [3, 0, 3]], "Revoked"),
  ];
  for (const tcbLevels of [levels, levels.toReversed()]) {
    assert.equal(statusOf({ info: { tcbLevels } }), "UpToDate");
    assert.equal(statusOf({ info: { tcbLevels }, teeTcbSvn: svn(6, 1, 4) }), "OutOfDate");
    assert.equal(statusOf({ info: { tcbLevels }, pck: platform(5, 7) }), "Revoked");
    assert.equal(statusOf({ info: { tcbLevels }, pck: platform(4) }), "Revoked");
  }
});

test("a module with a version has its own levels; without one its numbers are TDX components", () => {
  // Component 1 is below the level's, which only counts for a module without a version.
  assert.equal(statusOf({ teeTcbSvn: svn(4, 0, 5) }), "OutOfDate");
  assert.equal(statusOf({ teeTcbSvn: svn(6, 0, 5) }), "UpToDate");
  assert.equal(statusOf({ teeTcbSvn: svn(4, 1, 5) }), "OutOfDate");
  assert.equal(statusOf({ teeTcbSvn: svn(3, 1, 5) }), "below: the TDX module");
  const tdxModuleIdentities = [
    moduleIdentity("TDX_03", [moduleLevel(2, "UpToDate")]),
    moduleIdentity("TDX_01", [moduleLevel(4, "Revoked"), moduleLevel(9, "UpToDate")]),
  ];
  assert.equal(statusOf({ info: { tdxModuleIdentities }, teeTcbSvn: svn(2, 3, 5) }), "UpToDate");
  assert.equal(statusOf({ info: { tdxModuleIdentities }, teeTcbSvn: svn(8, 1, 5) }), "Revoked");
  assert.equal(statusOf({ info: { tdxModuleIdentities }, teeTcbSvn: svn(9, 1, 5) }), "UpToDate");
  const ten = [moduleIdentity("TDX_0A", [moduleLevel(1, "UpToDate")])];
  assert.equal(statusOf({ info: { tdxModuleIdentities: ten }, teeTcbSvn: svn(1, 10, 5) }), "UpToDate");
});

test("the quoting enclave's level converges with the platform's", () => {
  assert.equal(statusOf({ isvSvn: 5 }), "OutOfDate");
  assert.equal(statusOf({ isvSvn: 3 }), "below: the quoting enclave");
  const of = (tcbStatus: string): string => statusOf({ identity: { tcbLevels: [moduleLevel(4, tcbStatus)] } });
  assert.deepEqual(
    ["UpToDate", "OutOfDate", "ConfigurationNeeded", "OutOfDateConfigurationNeeded", "Revoked"].map(of),
    ["UpToDate", "OutOfDate", "OutOfDate", "OutOfDate", "Revoked"],
  );
  const configured = { tcbLevels: [level([5, 11, [6, 0, 5]], "ConfigurationNeeded")] };
  assert.equal(statusOf({ info: configured, isvSvn: 5 }), "OutOfDateConfigurationNeeded");
});

test("advisories and dates of every part are kept", () => {
  const result = appraise({ teeTcbSvn: svn(4, 1, 4), pck: platform(3), isvSvn: 5 });
  assert.ok(!("below" in result));
  assert.deepEqual(result.advisoryIds, ["INTEL-SA-00001", "INTEL-SA-00002", "INTEL-SA-00003"]);
  assert.deepEqual(
    result.parts.map(({ part, status, tcbDate }) => `${part} ${status} ${tcbDate.toISOString().slice(0, 10)}`),
    ["platform OutOfDate 2024-06-01", "TDX module OutOfDate 2024-01-01", "quoting enclave OutOfDate 2024-01-01"],
  );
  assert.equal(result.tcbDate.toISOString(), "2024-01-01T00:00:00.000Z");
});

// TDX 1.5: launched under an old module, and the platform meanwhile runs the newest one.
const RELAUNCH = { teeTcbSvn: svn(4, 1, 5), teeTcbSvn2: svn(6, 1, 5) };
const TWO_MODULES = (status: string): object => ({
  tdxModuleIdentities: [
    moduleIdentity("TDX_01", [moduleLevel(6, "UpToDate"), moduleLevel(4, "OutOfDate")]),
    moduleIdentity("TDX_03", [moduleLevel(2, status, "2023-01-01T00:00:00Z", ["INTEL-SA-00009"])]),
  ],
});

test("where what the TD was launched under is out of date and what it runs under is not, relaunch is advised", () => {
  assert.equal(statusOf(RELAUNCH), "RelaunchAdvised");
  assert.equal(statusOf({ ...RELAUNCH, teeTcbSvn2: null }), "OutOfDate");
  assert.equal(statusOf({ ...RELAUNCH, teeTcbSvn2: svn(6, 0, 5) }), "RelaunchAdvised");
  assert.equal(statusOf({ ...RELAUNCH, teeTcbSvn: svn(6, 1, 4) }), "RelaunchAdvised", "the platform's level");
  assert.equal(
    statusOf({ ...RELAUNCH, teeTcbSvn: svn(4, 0, 5) }),
    "RelaunchAdvised",
    "a module without a version of its own",
  );
  assert.equal(statusOf({ ...RELAUNCH, teeTcbSvn2: svn(2, 3, 5), info: TWO_MODULES("UpToDate") }), "RelaunchAdvised");
  const hardening = { tcbLevels: [level([5, 11, [6, 0, 5]], "SWHardeningNeeded")] };
  assert.equal(statusOf({ ...RELAUNCH, info: hardening }), "RelaunchAdvised");
  for (const status of ["ConfigurationNeeded", "ConfigurationAndSWHardeningNeeded"]) {
    assert.equal(
      statusOf({ ...RELAUNCH, info: { tcbLevels: [level([5, 11, [6, 0, 5]], status)] } }),
      "RelaunchAdvisedConfigurationNeeded",
    );
  }
});

test("relaunch is not advised where it would not help", () => {
  assert.equal(statusOf({ ...RELAUNCH, teeTcbSvn2: svn(5, 1, 5) }), "OutOfDate");
  assert.equal(statusOf({ ...RELAUNCH, teeTcbSvn2: svn(5, 0, 5) }), "OutOfDate");
  assert.equal(statusOf({ ...RELAUNCH, teeTcbSvn2: svn(6, 1, 4) }), "OutOfDate");
  assert.equal(statusOf({ ...RELAUNCH, teeTcbSvn2: svn(2, 3, 5), info: TWO_MODULES("OutOfDate") }), "OutOfDate");
  assert.equal(statusOf({ ...RELAUNCH, isvSvn: 5 }), "OutOfDate");
  assert.equal(statusOf({ ...RELAUNCH, pck: platform(4) }), "OutOfDate");
  const revoked = { tcbLevels: [level([5, 11, [6, 0, 9]], "UpToDate"), level([5, 11, [6, 0, 5]], "Revoked")] };
  assert.equal(statusOf({ info: revoked, teeTcbSvn: svn(4, 1, 5), teeTcbSvn2: svn(6, 1, 9) }), "Revoked");
});

test("what a TD runs under now is at a level too, and counts where it is worse", () => {
  const now = (teeTcbSvn2: Uint8Array, info: object = {}): string => statusOf({ teeTcbSvn2, info });
  assert.equal(now(svn(6, 1, 5)), "UpToDate");
  for (const unknown of [svn(9, 9, 5), svn(1, 1, 5), svn(6, 1, 2), svn(0, 0, 0)])
    assert.equal(now(unknown), "below: the TDX module that runs now", unknown.join(" "));
  assert.equal(now(svn(2, 3, 5), TWO_MODULES("OutOfDate")), "OutOfDate");
  assert.equal(now(svn(2, 3, 5), TWO_MODULES("Revoked")), "Revoked");
  const result = appraise({ teeTcbSvn2: svn(2, 3, 5), info: TWO_MODULES("Revoked") });
  assert.ok(!("below" in result));
  assert.deepEqual(
    result.parts.map(({ part, status }) => `${part} ${status}`),
    ["platform UpToDate", "TDX module UpToDate", "TDX module that runs now Revoked", "quoting enclave UpToDate"],
  );
  assert.deepEqual([result.advisoryIds, result.tcbDate.toISOString().slice(0, 4)], [["INTEL-SA-00009"], "2023"]);
});
