import assert from "node:assert/strict";
import { test } from "node:test";
import { issue, SIGNS_DATA } from "../testing/authority.ts";
import {
  issuePck,
  moduleIdentity,
  moduleLevel,
  pck,
  pem,
  platformCa,
  qeIdentity,
  root,
  sgxExtension,
  tcbInfo,
  type CollateralOptions,
  type QuoteOptions,
} from "./testing/platform.ts";
import { fails, find } from "./testing/verification.ts";

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
