import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { test } from "node:test";
import type { z } from "zod";
import type { Check } from "../checks/check.ts";
import { issue, SIGNS_DATA } from "../testing/authority.ts";
import { tdxPolicySchema } from "./policy.ts";
import {
  issuePck,
  level,
  makeCollateral,
  makeQuote,
  moduleIdentity,
  moduleLevel,
  pck,
  pem,
  platformCa,
  qeIdentity,
  root,
  ROOT_KEY_SHA256,
  sgxExtension,
  tcbInfo,
  type CollateralOptions,
  type QuoteOptions,
} from "./testing/platform.ts";
import { verifyTdx, type TdxInput } from "./verify.ts";

/** Within the validity of everything the test platform has. */
const AT = new Date("2026-01-01T00:00:00Z");

type PolicyOptions = z.input<typeof tdxPolicySchema>;

interface Case {
  readonly quote?: QuoteOptions;
  readonly collateral?: CollateralOptions | null;
  readonly policy?: PolicyOptions;
  readonly input?: Partial<TdxInput>;
  readonly at?: Date;
}

async function verify({ quote = {}, collateral = {}, policy = {}, input = {}, at = AT }: Case = {}) {
  const given = {
    quote: await makeQuote(quote),
    ...(collateral === null ? {} : { collateral: [await makeCollateral(collateral)] }),
    ...input,
  };
  return verifyTdx(given, tdxPolicySchema.parse({ trust_anchors: [ROOT_KEY_SHA256], ...policy }), at, webcrypto);
}

const find = (checks: readonly Check[], name: string): Check => {
  const [check, ...others] = checks.filter((one) => one.name === name);
  assert.ok(
    check !== undefined && others.length === 0,
    `one check «${name}» among ${checks.map((one) => one.name).join(", ")}`,
  );
  return check;
};

/** Runs a case in which exactly these checks fail, each by its code. */
async function fails(
  options: Case,
  expected: Readonly<Record<string, string>>,
): Promise<Awaited<ReturnType<typeof verify>>> {
  const result = await verify(options);
  assert.deepEqual(
    Object.fromEntries(result.checks.filter(({ status }) => status === "failed").map(({ name, code }) => [name, code])),
    expected,
  );
  return result;
}

async function notPerformed(options: Case, names: readonly string[]): Promise<void> {
  const { checks } = await fails(options, {});
  for (const name of names) assert.equal(find(checks, name).status, "not-performed", name);
}

const register = (value: number): Uint8Array => new Uint8Array(48).fill(value);
const hex = (value: number): string => Buffer.from(register(value)).toString("hex");

test("a sound quote with current collateral passes every check it can", async () => {
  const { verified, checks } = await fails(
    { input: { reportData: new Uint8Array(64), measurements: [hex(0x11)], launchDigest: register(0) } },
    {},
  );
  assert.ok(verified !== null);
  assert.deepEqual(
    [verified.platform, verified.tcb?.status, verified.pck.fmspc, verified.mrTd[0]],
    ["intel-tdx", "UpToDate", "aabbcc000001", 0x11],
  );
  assert.deepEqual(
    checks.filter(({ status }) => status === "not-performed").map(({ name }) => name),
    ["RTMR0", "RTMR1", "RTMR2", "event log"],
  );
  assert.equal(new Set(checks.map(({ name }) => name)).size, checks.length, "every check has a name of its own");
});

test("without collateral the quote is authentic, and its TCB status not performed", async () => {
  const { verified, checks } = await fails({ collateral: null }, {});
  assert.equal(verified?.tcb, null);
  for (const name of ["PCK revocation", "TCB info", "QE identity", "TCB status"])
    assert.equal(find(checks, name).status, "not-performed");
});

test("each missing part of the collateral is said", async () => {
  const without = (...names: readonly string[]): Case => ({
    collateral: { members: Object.fromEntries(names.map((name) => [name, null])) },
  });
  await notPerformed(without("tcb_info", "tcb_info_signature"), ["TCB info", "TCB status"]);
  await notPerformed(without("qe_identity", "qe_identity_signature"), ["QE identity", "TCB status"]);
  await notPerformed(without("root_ca_crl"), [
    "PCK revocation",
    "TCB info signer revocation",
    "QE identity signer revocation",
  ]);
  await notPerformed(without("pck_crl"), ["PCK revocation"]);
  await notPerformed(without("tcb_info_issuer_chain", "qe_identity_issuer_chain"), [
    "TCB info signature",
    "QE identity signature",
    "TCB status",
  ]);
});

test("collateral nobody can read fails, and the quote is verified without it", async () => {
  const { verified, checks } = await fails(
    { input: { collateral: [new Uint8Array(3)] } },
    { "collateral format": "EVIDENCE_COLLATERAL_INVALID" },
  );
  assert.deepEqual([verified?.tcb, find(checks, "TCB status").status], [null, "not-performed"]);
});

test("every link from the TD report to the root has to hold", async () => {
  const other = await issuePck();
  const none = async (options: Case, expected: Readonly<Record<string, string>>): Promise<void> => {
    assert.equal((await fails(options, expected)).verified, null);
  };
  await none(
    { quote: { qe: { 320: new Uint8Array(32) } } },
    { "attestation key binding": "EVIDENCE_SIGNATURE_INVALID" },
  );
  await none({ quote: { qe: { 383: Uint8Array.of(1) } } }, { "attestation key binding": "EVIDENCE_SIGNATURE_INVALID" });
  await none(
    { quote: { certification: { type: 5, data: Buffer.from(pem(other, platformCa, root)) } } },
    { "quoting enclave signature": "EVIDENCE_SIGNATURE_INVALID" },
  );
  await none({ quote: { qe: { 128: new Uint8Array(32) } } }, { "quoting enclave": "EVIDENCE_SIGNATURE_INVALID" });
  await none({ quote: { qe: { 256: Uint8Array.of(1) } } }, { "quoting enclave": "EVIDENCE_SIGNATURE_INVALID" });
  await none({ quote: { qe: { 48: Uint8Array.of(0x13) } } }, { "quoting enclave": "EVIDENCE_SIGNATURE_INVALID" });
  await none({ policy: { trust_anchors: ["00".repeat(32)] } }, { "PCK chain": "EVIDENCE_ROOT_NOT_TRUSTED" });
  await none(
    { quote: { certification: { type: 5, data: Buffer.from(pem(pck)) } }, collateral: null },
    { "PCK chain": "EVIDENCE_CHAIN_INVALID" },
  );
  const signed = await makeQuote();
  signed[48 + 520] = 1;
  await none({ input: { quote: signed } }, { "quote signature": "EVIDENCE_SIGNATURE_INVALID" });
});

test("a quote that only names its PCK needs the chain from elsewhere", async () => {
  const named: QuoteOptions = { certification: { type: 3, data: new Uint8Array(404) } };
  assert.equal((await fails({ quote: named }, { "PCK certificates": "EVIDENCE_CHAIN_INVALID" })).verified, null);
  const { verified } = await fails(
    { quote: named, collateral: { members: { pck_certificate_chain: pem(pck, platformCa, root) } } },
    {},
  );
  assert.ok(verified !== null);
  await fails(
    { quote: { certification: { type: 5, data: Uint8Array.from(pck.der) } } },
    { "PCK certificates": "EVIDENCE_CHAIN_INVALID" },
  );
});

test("a PCK is a certificate with Intel's SGX extension and no authority", async () => {
  const plain = await issuePck(sgxExtension(), { extensions: [] });
  assert.equal((await fails({ quote: { pck: plain } }, { "PCK platform": "EVIDENCE_CHAIN_INVALID" })).verified, null);
  const authority = await issuePck(sgxExtension(), { ca: true });
  assert.equal(
    (await fails({ quote: { pck: authority } }, { "PCK platform": "EVIDENCE_CHAIN_INVALID" })).verified,
    null,
  );
});

test("expired and revoked certificates fail, the quote stays authentic", async () => {
  const late = { at: new Date("2027-02-01T00:00:00Z"), collateral: null };
  assert.ok((await fails(late, { "PCK validity": "EVIDENCE_EXPIRED" })).verified !== null);
  assert.ok(
    (await fails({ collateral: { pckList: { serials: ["04"] } } }, { "PCK revocation": "EVIDENCE_REVOKED" }))
      .verified !== null,
  );
  await fails({ collateral: { rootList: { serials: ["02"] } } }, { "PCK revocation": "EVIDENCE_REVOKED" });
  await fails(
    { collateral: { rootList: { serials: ["03"] } } },
    { "TCB info signer revocation": "EVIDENCE_REVOKED", "QE identity signer revocation": "EVIDENCE_REVOKED" },
  );
});

test("a stale revocation list fails, or is not performed where the policy says so", async () => {
  const collateral = { pckList: { until: new Date("2025-12-31T00:00:00Z") } };
  await fails({ collateral }, { "PCK revocation": "EVIDENCE_EXPIRED" });
  await notPerformed({ collateral, policy: { stale_lists: "accept" } }, ["PCK revocation"]);
});

test("collateral is believed when a TCB signing certificate of the root signed exactly these bytes", async () => {
  const invalid = { "TCB info signature": "EVIDENCE_COLLATERAL_INVALID" };
  await fails({ collateral: { members: { tcb_info: `${JSON.stringify(tcbInfo())} ` } } }, invalid);
  await fails({ collateral: { members: { tcb_info: JSON.stringify(tcbInfo({ fmspc: "aabbcc000001" })) } } }, invalid);
  const formatted = JSON.stringify(tcbInfo(), null, 2);
  await fails({ collateral: { info: formatted } }, {});
  await fails(
    { collateral: { members: { qe_identity: JSON.stringify(qeIdentity({ isvprodid: 3 })) } } },
    { "QE identity signature": "EVIDENCE_COLLATERAL_INVALID" },
  );
});

test("a PCK, an authority and a stranger may not sign collateral", async () => {
  const named = { subject: "CN=Intel SGX TCB Signing", keys: pck.keys };
  const stranger = await issue(
    { subject: "CN=Somebody", serial: "09", ca: false, uses: SIGNS_DATA, keys: pck.keys },
    root,
  );
  for (const infoSigner of [
    pck,
    await issuePck(sgxExtension(), named),
    await issue({ ...named, serial: "0a", ca: true }, root),
    stranger,
  ]) {
    const { verified } = await fails(
      { collateral: { infoSigner } },
      { "TCB info signature": "EVIDENCE_COLLATERAL_INVALID" },
    );
    assert.equal(verified?.tcb, null);
  }
  const below = await issue({ ...named, serial: "08", ca: false }, platformCa);
  await fails({ collateral: { infoSigner: below } }, { "TCB info signer issuer": "EVIDENCE_CHAIN_INVALID" });
  const otherRoot = await issue({ subject: "CN=Intel SGX Root CA", ca: true });
  const foreign = await issue({ ...named, serial: "08", ca: false }, otherRoot);
  const { verified } = await fails(
    { collateral: { infoSigner: foreign, members: { tcb_info_issuer_chain: pem(foreign, otherRoot) } } },
    { "TCB info signer chain": "EVIDENCE_ROOT_NOT_TRUSTED" },
  );
  assert.equal(verified?.tcb, null);
});

test("collateral has its time and its evaluation", async () => {
  await fails({ at: new Date("2026-01-14T00:00:00Z") }, {});
  await fails(
    { at: new Date("2026-01-14T00:00:01Z") },
    { "TCB info freshness": "EVIDENCE_EXPIRED", "QE identity freshness": "EVIDENCE_EXPIRED" },
  );
  await fails(
    { at: new Date("2025-12-14T23:59:59Z") },
    { "TCB info freshness": "EVIDENCE_EXPIRED", "QE identity freshness": "EVIDENCE_EXPIRED" },
  );
  await fails(
    { collateral: { info: tcbInfo({ tcbEvaluationDataNumber: 16 }) } },
    { "TCB info evaluation": "EVIDENCE_COLLATERAL_INVALID" },
  );
  await fails(
    { policy: { tcb: { minimum_evaluation_number: 21 } } },
    { "TCB info evaluation": "EVIDENCE_COLLATERAL_INVALID", "QE identity evaluation": "EVIDENCE_COLLATERAL_INVALID" },
  );
});

test("collateral of another platform, enclave or module is not used", async () => {
  const fits = async (
    collateral: CollateralOptions,
    quote: QuoteOptions,
    expected: Readonly<Record<string, string>>,
  ): Promise<void> => {
    const { verified, checks } = await fails({ collateral, quote }, expected);
    assert.deepEqual([verified?.tcb, find(checks, "TCB status").status], [null, "not-performed"]);
  };
  await fits({ info: tcbInfo({ fmspc: "AABBCC000002" }) }, {}, { "TCB info platform": "EVIDENCE_COLLATERAL_INVALID" });
  await fits({ info: tcbInfo({ pceId: "0001" }) }, {}, { "TCB info platform": "EVIDENCE_COLLATERAL_INVALID" });
  for (const other of [
    { miscselect: "01000000" },
    { attributes: "15000000000000000000000000000000" },
    { mrsigner: "00".repeat(32) },
    { isvprodid: 3 },
  ])
    await fits({ identity: qeIdentity(other) }, {}, { "QE identity match": "EVIDENCE_SIGNATURE_INVALID" });
  await fits(
    { identity: qeIdentity({ attributesMask: "FF".repeat(16) }) },
    { qe: { 60: Uint8Array.of(1) } },
    { "QE identity match": "EVIDENCE_SIGNATURE_INVALID" },
  );
  await fits({}, { body: { 1: Uint8Array.of(2) } }, { "TDX module": "EVIDENCE_TCB_NOT_ACCEPTED" });
  await fits({ info: tcbInfo({ tdxModuleIdentities: undefined }) }, {}, { "TDX module": "EVIDENCE_TCB_NOT_ACCEPTED" });
  await fits(
    {},
    { body: { 64: Uint8Array.of(1) } },
    { "TDX module": "EVIDENCE_POLICY_VIOLATION", "TDX module signer": "EVIDENCE_POLICY_VIOLATION" },
  );
  const unmasked = tcbInfo({
    tdxModuleIdentities: [moduleIdentity("TDX_01", [moduleLevel(6, "UpToDate")], { attributesMask: "00".repeat(8) })],
  });
  await fits(
    { info: unmasked },
    { body: { 112: Uint8Array.of(1) } },
    { "TDX module": "EVIDENCE_POLICY_VIOLATION", "TDX module signer": "EVIDENCE_POLICY_VIOLATION" },
  );
  await fits(
    {},
    { body: { 112: Uint8Array.of(1) } },
    { "TDX module": "EVIDENCE_POLICY_VIOLATION", "TDX module signer": "EVIDENCE_POLICY_VIOLATION" },
  );
});

const OUTDATED: CollateralOptions = {
  info: tcbInfo({
    tcbLevels: [
      level([9, 11, [6, 0, 5]], "UpToDate"),
      level([5, 11, [6, 0, 5]], "OutOfDate", "2025-10-01T00:00:00Z", ["INTEL-SA-00009"]),
    ],
  }),
};
const rejected = { "TCB status": "EVIDENCE_TCB_NOT_ACCEPTED" };

test("a status is accepted when the policy lists it, within its grace", async () => {
  const { verified, checks } = await fails({ collateral: OUTDATED }, rejected);
  assert.deepEqual([verified?.tcb?.status, verified?.tcb?.advisoryIds], ["OutOfDate", ["INTEL-SA-00009"]]);
  assert.match(find(checks, "TCB status").why, /OutOfDate \(INTEL-SA-00009\).*platform OutOfDate of 2025-10-01/);
  const accepting = (grace_days?: number): Case => ({
    collateral: OUTDATED,
    policy: {
      tcb: {
        accepted_statuses: [
          { status: "UpToDate" },
          { status: "OutOfDate", ...(grace_days === undefined ? {} : { grace_days }) },
        ],
      },
    },
  });
  await fails(accepting(), {});
  // 92 days lie between the level's date and the time of verification.
  await fails(accepting(92), {});
  await fails(accepting(91), rejected);
  await fails({ policy: { tcb: { accepted_statuses: [{ status: "OutOfDate" }] } } }, rejected);
});

test("a platform below every level is rejected, and Revoked is accepted by nobody", async () => {
  const below = await fails(
    { collateral: { info: tcbInfo({ tcbLevels: [level([9, 11, [6, 0, 5]], "UpToDate")] }) } },
    rejected,
  );
  assert.equal(below.verified?.tcb, null);
  await fails(
    { collateral: { info: tcbInfo({ tcbLevels: [level([5, 11, [6, 0, 5]], "Revoked")] }) } },
    { "TCB status": "EVIDENCE_REVOKED" },
  );
  assert.throws(() => tdxPolicySchema.parse({ tcb: { accepted_statuses: [{ status: "Revoked" }] } }));
});

test("relaunch is advised for a TDX 1.5 TD started under an old module", async () => {
  const quote: QuoteOptions = {
    version: 5,
    bodyType: 3,
    body: { 0: Uint8Array.of(4, 1, 5), 584: Uint8Array.of(6, 1, 5) },
  };
  const { verified } = await fails({ quote }, rejected);
  assert.equal(verified?.tcb?.status, "RelaunchAdvised");
  await fails({ quote, policy: { tcb: { accepted_statuses: [{ status: "RelaunchAdvised" }] } } }, {});
  const unknown = await fails(
    { quote: { ...quote, body: { 0: Uint8Array.of(4, 1, 5), 584: Uint8Array.of(6, 9, 5) } } },
    rejected,
  );
  assert.equal(unknown.verified?.tcb, null);
});

const attributes = (...bits: readonly number[]): Uint8Array =>
  Uint8Array.from(
    new Uint8Array(new BigUint64Array([bits.reduce((all, bit) => all | (1n << BigInt(bit)), 0n)]).buffer),
  );
const withAttributes = (...bits: readonly number[]): Case => ({ quote: { body: { 120: attributes(...bits) } } });

test("a TD under debug is rejected by that name, and no policy accepts it", async () => {
  const { verified } = await fails(withAttributes(0, 28), { debug: "EVIDENCE_DEBUG" });
  assert.ok(verified !== null);
  assert.throws(() => tdxPolicySchema.parse({ allowed_attributes: ["DEBUG"] }));
});

test("every attribute but the allowed ones is a violation", async () => {
  const violation = { "TD attributes": "EVIDENCE_POLICY_VIOLATION" };
  for (let bit = 1; bit < 64; bit += 1)
    await fails(withAttributes(28, bit), [28, 30, 63].includes(bit) ? {} : violation);
  await fails(withAttributes(), violation);
  await fails({ ...withAttributes(), policy: { required_attributes: [] } }, {});
  await fails({ ...withAttributes(28, 29), policy: { allowed_attributes: ["MIGRATABLE"] } }, {});
});

test("the check of attributes names those that are set, and those that should or should not be", async () => {
  for (const [bits, required, why] of [
    [[], [], "none set"],
    [[28], [], "SEPT_VE_DISABLE"],
    [[28, 29], ["SEPT_VE_DISABLE"], "MIGRATABLE set"],
    [[29], ["SEPT_VE_DISABLE"], "MIGRATABLE set; SEPT_VE_DISABLE not set"],
  ] as const) {
    const { checks } = await verify({ ...withAttributes(...bits), policy: { required_attributes: [...required] } });
    assert.equal(find(checks, "TD attributes").why, why);
  }
});

test("XFAM has the bits every TD has and none that no TD can have", async () => {
  const withFeatures = (value: bigint): Case => ({
    quote: { body: { 128: new Uint8Array(new BigUint64Array([value]).buffer) } },
  });
  await fails(withFeatures(0x6dbe7n), {});
  await fails(withFeatures(0x3n), {});
  for (const value of [0x1n, 0x2n, 0x0n, 0xfn, 0x83n | (1n << 19n), 0x3n | (1n << 63n)])
    await fails(withFeatures(value), { XFAM: "EVIDENCE_POLICY_VIOLATION" });
});

test("registers are zero unless another value is expected", async () => {
  const cases: readonly (readonly [
    offset: number,
    name: string,
    code: string,
    key: "rtmr3" | "mrconfigid" | "mrowner" | "mrownerconfig",
  ])[] = [
    [184, "MRCONFIGID", "EVIDENCE_POLICY_VIOLATION", "mrconfigid"],
    [232, "MROWNER", "EVIDENCE_POLICY_VIOLATION", "mrowner"],
    [280, "MROWNERCONFIG", "EVIDENCE_POLICY_VIOLATION", "mrownerconfig"],
    [472, "RTMR3", "EVIDENCE_MEASUREMENT_MISMATCH", "rtmr3"],
  ];
  for (const [offset, name, code, key] of cases) {
    const quote: QuoteOptions = { body: { [offset]: register(7) } };
    await fails({ quote }, { [name]: code });
    await fails({ quote, policy: { [key]: hex(7) } }, {});
    await fails({ quote, policy: { [key]: hex(8) } }, { [name]: code });
    await fails({ policy: { [key]: hex(7) } }, { [name]: code });
  }
  const bound: QuoteOptions = { version: 5, bodyType: 3, body: { 600: register(7) } };
  await fails({ quote: bound }, { MRSERVICETD: "EVIDENCE_POLICY_VIOLATION" });
  await fails({ quote: bound, policy: { mrservicetd: hex(7) } }, {});
});

test("measurements are compared with what the caller and the policy accept, each", async () => {
  const mismatch = { MRTD: "EVIDENCE_MEASUREMENT_MISMATCH" };
  const measured = (measurements: readonly string[], accepted: string[]): Case => ({
    input: { measurements },
    policy: { measurements: accepted },
  });
  await fails(measured([hex(1), hex(0x11).toUpperCase()], []), {});
  await fails(measured([hex(1)], []), mismatch);
  await fails(measured([], [hex(0x11)]), {});
  await fails(measured([], [hex(1)]), mismatch);
  await fails(measured([hex(0x11)], [hex(1)]), mismatch);
  await fails(measured([hex(1)], [hex(0x11)]), mismatch);
  for (const [index, key] of (["rtmr0", "rtmr1", "rtmr2"] as const).entries()) {
    const quote: QuoteOptions = { body: { [328 + 48 * index]: register(3) } };
    await fails({ quote, policy: { [key]: [hex(2), hex(3)] } }, {});
    await fails({ quote, policy: { [key]: [hex(2)] } }, { [`RTMR${index}`]: "EVIDENCE_MEASUREMENT_MISMATCH" });
    await fails({ quote, policy: { [key]: [] } }, { [`RTMR${index}`]: "EVIDENCE_MEASUREMENT_MISMATCH" });
  }
});

test("report data counts in all its 64 bytes, the launch digest in all its 48", async () => {
  const reportData = new Uint8Array(64).fill(5);
  const quote: QuoteOptions = { body: { 520: reportData, 184: register(6) } };
  await fails({ quote, input: { reportData, launchDigest: register(6) } }, {});
  for (const at of [0, 31, 32, 63]) {
    await fails(
      { quote, input: { reportData: reportData.with(at, 6), launchDigest: register(6) } },
      { "report data": "EVIDENCE_REPORT_DATA_MISMATCH" },
    );
    await fails(
      { quote, input: { reportData, launchDigest: register(6).with(Math.min(at, 47), 5) } },
      { "launch digest": "EVIDENCE_LAUNCH_NOT_BOUND" },
    );
  }
  await fails(
    { quote, input: { reportData: reportData.subarray(0, 32), launchDigest: register(6).subarray(0, 32) } },
    { "report data": "EVIDENCE_REPORT_DATA_MISMATCH", "launch digest": "EVIDENCE_LAUNCH_NOT_BOUND" },
  );
  await notPerformed({}, ["report data", "launch digest", "MRTD"]);
});

test("authenticity only checks format, signatures and chain, and says that it did no more", async () => {
  const policy: PolicyOptions = { authenticity_only: true };
  const { verified, checks } = await fails(
    { ...withAttributes(0), collateral: OUTDATED, policy, input: { measurements: [hex(1)] } },
    {},
  );
  assert.ok(verified !== null && verified.tcb === null);
  for (const name of ["TCB status", "debug", "MRTD", "report data", "launch digest", "event log"])
    assert.deepEqual([find(checks, name).status, find(checks, name).why], ["not-performed", "authenticity only"]);
  await fails(
    { policy, quote: { qe: { 128: new Uint8Array(32) } } },
    { "quoting enclave": "EVIDENCE_SIGNATURE_INVALID" },
  );
});

test("what was verified cannot be changed through the bytes that were handed in", async () => {
  const quote = await makeQuote({ body: { 184: register(6) } });
  const pending = verifyTdx(
    { quote },
    tdxPolicySchema.parse({ trust_anchors: [ROOT_KEY_SHA256], mrconfigid: hex(6) }),
    AT,
    webcrypto,
  );
  quote.fill(0);
  const { verified, checks } = await pending;
  assert.deepEqual(verified?.mrConfigId, register(6));
  assert.deepEqual(
    checks.filter(({ status }) => status === "failed"),
    [],
  );
});

test("nothing in a quote that is not authentic is appraised", async () => {
  const { checks } = await fails(
    { ...withAttributes(0), policy: { trust_anchors: ["00".repeat(32)] } },
    { "PCK chain": "EVIDENCE_ROOT_NOT_TRUSTED" },
  );
  assert.equal(find(checks, "appraisal").status, "not-performed");
  assert.equal(
    checks.some(({ name }) => name === "debug"),
    false,
  );
});
