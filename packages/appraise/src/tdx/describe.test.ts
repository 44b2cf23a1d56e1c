import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCollateral } from "./collateral.ts";
import { describeTdxCollateral, describeTdxQuote } from "./describe.ts";
import { parseTdxQuote } from "./quote.ts";
import { makeCollateral, makeQuote } from "./testing/platform.ts";

const SPAN = "2025-01-01T00:00:00.000Z to 2027-01-01T00:00:00.000Z";
const ISSUED = "2025-12-15T00:00:00.000Z to 2026-01-14T00:00:00.000Z";
const SVN = "06010500000000000000000000000000 (module 1, its security version 6)";
const filled = (length: number, byte: number): Uint8Array => new Uint8Array(length).fill(byte);
const rows = (quote: Uint8Array): readonly (readonly [string, string])[] =>
  describeTdxQuote(parseTdxQuote(quote)).map(({ label, value }) => [label, value]);

test("a quote is shown register by register, and what is zero as such", async () => {
  const body = {
    16: filled(48, 1),
    64: filled(48, 2),
    112: Uint8Array.of(3),
    184: filled(48, 4),
    232: filled(48, 5),
    280: filled(48, 6),
    328: filled(48, 7),
    376: filled(48, 8),
    424: filled(48, 9),
    472: filled(48, 10),
    520: filled(64, 11),
  };
  const shown = rows(await makeQuote({ body, header: { 28: filled(16, 12) }, qe: { 64: filled(32, 13) } }));
  assert.deepEqual(shown, [
    ["quote", "TDX, version 4, TD report 1.0"],
    ["TEE_TCB_SVN", SVN],
    ["MRSEAM", "01".repeat(48)],
    ["MRSIGNERSEAM", "02".repeat(48)],
    ["SEAM attributes", "3"],
    ["TD attributes", "SEPT_VE_DISABLE"],
    ["XFAM", "e7"],
    ["MRTD", "11".repeat(48)],
    ["MRCONFIGID", "04".repeat(48)],
    ["MROWNER", "05".repeat(48)],
    ["MROWNERCONFIG", "06".repeat(48)],
    ["RTMR0", "07".repeat(48)],
    ["RTMR1", "08".repeat(48)],
    ["RTMR2", "09".repeat(48)],
    ["RTMR3", "0a".repeat(48)],
    ["report data", "0b".repeat(64)],
    ["platform", "0c".repeat(16)],
    ["quoting enclave", "product 2, security version 6"],
    ["quoting enclave's MRSIGNER", "dc9e2a7c6f948f17474e34a7fc43ed030f7c1563f1babddf6340c82e0e54a8c5"],
    ["quoting enclave's MRENCLAVE", "0d".repeat(32)],
    ["certificate 1", `CN=Intel SGX PCK Certificate; ${SPAN}`],
    ["certificate 2", `CN=Intel SGX PCK Platform CA; ${SPAN}`],
    ["certificate 3", `CN=Intel SGX Root CA; ${SPAN}`],
    ["PCK", "FMSPC aabbcc000001, PCEID 0000, PCESVN 11, SGX TCB components 5 5 5 5 5 5 5 5 5 5 5 5 5 5 5 5"],
  ]);
  const bare = new Map(rows(await makeQuote({ body: { 120: new Uint8Array(4) } })));
  for (const label of ["MRSIGNERSEAM", "MRCONFIGID", "MROWNER", "MROWNERCONFIG", "RTMR0", "RTMR3", "report data"])
    assert.equal(bare.get(label), "zero", label);
  assert.equal(bare.get("TD attributes"), "none");
});

test("a report of TDX 1.5 has two registers more, and certification data without certificates is named", async () => {
  const certification = { type: 4, data: new Uint8Array(9) };
  const shown = new Map(
    rows(await makeQuote({ version: 5, bodyType: 3, body: { 600: filled(48, 1) }, certification })),
  );
  assert.deepEqual(
    ["quote", "TEE_TCB_SVN_2", "MRSERVICETD", "PCK"].map((label) => shown.get(label)),
    ["TDX, version 5, TD report 1.5", SVN, "01".repeat(48), "named by certification data of type 4, no certificates"],
  );
  const chainless = rows(await makeQuote({ certification: { type: 5, data: new Uint8Array(9).fill(1) } }));
  assert.deepEqual(chainless.at(-1), ["PCK", "9 bytes that are no chain of PCK certificates"]);
});

test("collateral is shown with what it is about, its levels with the advisories they have", async () => {
  const zeros = " 0".repeat(13);
  assert.deepEqual(
    describeTdxCollateral(parseCollateral([await makeCollateral({ rootList: { serials: ["07"] } })])).map(
      ({ label, value }) => `${label}: ${value}`,
    ),
    [
      `TCB info: FMSPC aabbcc000001, evaluation 20; ${ISSUED}`,
      `TCB level: UpToDate of 2025-01-01: SGX ${Array.from({ length: 16 }, () => 5).join(" ")}, PCESVN 11, TDX 6 0 5${zeros}`,
      `TCB level: OutOfDate of 2024-06-01: SGX ${Array.from({ length: 16 }, () => 3).join(" ")}, PCESVN 11, TDX 3 0 3${zeros}; INTEL-SA-00001`,
      `QE identity: product 2, evaluation 20; ${ISSUED}`,
      `revocation list: CN=Intel SGX Root CA, 1 entries; ${SPAN}`,
      `revocation list: CN=Intel SGX PCK Platform CA, 0 entries; ${SPAN}`,
      `certificate: CN=Intel SGX PCK Platform CA; ${SPAN}`,
      `certificate: CN=Intel SGX Root CA; ${SPAN}`,
      `certificate: CN=Intel SGX TCB Signing; ${SPAN}`,
    ],
  );
  const members = { tcb_info: null, tcb_info_signature: null, qe_identity: null, qe_identity_signature: null };
  const parts = describeTdxCollateral(parseCollateral([await makeCollateral({ members })]));
  assert.deepEqual([...new Set(parts.map(({ label }) => label))], ["revocation list", "certificate"]);
});
