import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { test } from "node:test";
import { tdxPolicySchema } from "./policy.ts";
import {
  issuePck,
  makeQuote,
  pck,
  pem,
  platformCa,
  root,
  ROOT_KEY_SHA256,
  sgxExtension,
  type QuoteOptions,
} from "./testing/platform.ts";
import { verifyTdx } from "./verify.ts";
import {
  AT,
  fails,
  find,
  hex,
  notPerformed,
  OUTDATED,
  register,
  withAttributes,
  type Case,
  type PolicyOptions,
} from "./testing/verification.ts";

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
