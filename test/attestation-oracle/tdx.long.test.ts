/**
 * Holds the TDX verifier against `@phala/dcap-qvl-web`, whose core is Rust and of other authors: every quote of the
 * corpus under every set of collateral, and changed ones of both. Where the two differ, docs/decisions/tdx-oracle.md
 * says why, and this test reads its table.
 */
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { tdxPolicySchema } from "../../packages/appraise/src/tdx/policy.ts";
import {
  COLLATERAL,
  collateralFiles,
  corpusFile,
  genuineQuote,
  QUOTES,
  type CollateralName,
  type QuoteName,
} from "../../packages/appraise/src/tdx/testing/corpus.ts";
import { verifyTdx } from "../../packages/appraise/src/tdx/verify.ts";
import { NO_SHARED_FOLDER, sharedFolder } from "../../packages/appraise/src/testing/shared.ts";
import { verifyWithDcapQvl } from "./dcap-qvl.ts";

const skip = sharedFolder() === null ? NO_SHARED_FOLDER : false;
const DOCUMENT = new URL("../../docs/decisions/tdx-oracle.md", import.meta.url);

/** Neither enforces the other's expectations of registers; SEPT_VE_DISABLE both require. */
const POLICY = tdxPolicySchema.parse({ tcb: { minimum_evaluation_number: 0 } });
const REGISTERS: readonly string[] = ["RTMR3", "MRCONFIGID", "MROWNER", "MROWNERCONFIG", "MRSERVICETD"];

/** The other implementation cannot do without a list of PCKs; the corpus has none of September 2024, so it gets a later one. */
const FOR_THEM: Readonly<Partial<Record<CollateralName, string>>> = {
  "2024-09 c0806f": "collateral/dcap-rs__data_pck_platform_crl.der",
};

/**
 * A status with its advisories, or `rejected`. That a status is not accepted is policy, and nothing to differ in. A
 * list of nobody in the chain leaves revocation not performed here; the other implementation stops.
 */
async function ourVerdict(
  quote: Uint8Array,
  collateral: readonly Uint8Array[],
  at: Date,
  lists: "all" | "some" = "all",
): Promise<string> {
  const { verified, checks } = await verifyTdx({ quote, collateral }, POLICY, at, webcrypto);
  const tcb = verified?.tcb;
  const failed = checks.some(
    ({ status, name }) => status === "failed" && !REGISTERS.includes(name) && !(name === "TCB status" && tcb !== null),
  );
  const unlisted =
    lists === "all" && checks.some(({ status, name }) => status === "not-performed" && name.endsWith("revocation"));
  return tcb && !failed && !unlisted ? [tcb.status, ...tcb.advisoryIds].join(" ") : "rejected";
}

/** The other implementation calls a platform below every level `Unknown` and leaves it to the caller. */
function theirVerdict(quote: Uint8Array, collateral: readonly Uint8Array[], at: Date): string {
  const verdict = verifyWithDcapQvl(quote, collateral, at);
  return "error" in verdict || verdict.status === "Unknown"
    ? "rejected"
    : [verdict.status, ...[...verdict.advisoryIds].sort()].join(" ");
}

interface Difference {
  readonly quote: string;
  readonly collateral: string;
  readonly theirs: string;
  readonly ours: string;
}

async function documentedDifferences(): Promise<readonly Difference[]> {
  const rows = (await readFile(DOCUMENT, "utf8")).matchAll(/^\| `(v\d-[^`]+)` \| `([^`]+)` \| ([^|]+) \| ([^|]+) \|/gm);
  return [...rows].map(([, quote = "", collateral = "", theirs = "", ours = ""]) => ({
    quote,
    collateral,
    theirs: theirs.trim(),
    ours: ours.trim(),
  }));
}

test("both give every quote of the corpus the same status under every set of collateral, but for what is documented", {
  skip,
}, async () => {
  const found: Difference[] = [];
  let statuses = 0;
  for (const [collateral, set] of Object.entries(COLLATERAL) as [
    CollateralName,
    (typeof COLLATERAL)[CollateralName],
  ][]) {
    const files = collateralFiles(set);
    const extra = FOR_THEM[collateral];
    for (const quote of QUOTES) {
      const bytes = genuineQuote(quote);
      const ours = await ourVerdict(bytes, files, set.at, extra === undefined ? "all" : "some");
      const theirs = theirVerdict(bytes, extra === undefined ? files : [...files, corpusFile(extra)], set.at);
      if (ours !== theirs) found.push({ quote, collateral, theirs, ours });
      else if (ours !== "rejected") statuses += 1;
    }
  }
  assert.deepEqual(found, await documentedDifferences());
  assert.equal(statuses, 8, "pairs that have a status, and the same");
});

const QUOTE: QuoteName = "v4-b0c06f000000-0c699dd453";
const SET = COLLATERAL["2026-08 b0c06f"];
/** Sampled: every bit is flipped in the verifier's own tests. */
const STRIDE = 397;

const flip = (bytes: Uint8Array, bit: number): Uint8Array =>
  bytes.with(bit >> 3, (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7)));

test("both reject a quote with a flipped bit anywhere before its certificates", { skip }, async () => {
  const quote = genuineQuote(QUOTE);
  const files = collateralFiles(SET);
  assert.deepEqual(
    [await ourVerdict(quote, files, SET.at), theirVerdict(quote, files, SET.at)],
    ["UpToDate", "UpToDate"],
  );
  const certificates = new TextDecoder("latin1").decode(quote).indexOf("-----BEGIN");
  for (let bit = 0; bit < (certificates - 6) * 8; bit += STRIDE) {
    const changed = flip(quote, bit);
    const [ours, theirs] = [await ourVerdict(changed, files, SET.at), theirVerdict(changed, files, SET.at)];
    assert.equal(ours, "rejected", `bit ${bit}`);
    assert.equal(theirs, "rejected", `bit ${bit}`);
  }
});

test("both reject a changed TCB info, list or signature", { skip }, async () => {
  const quote = genuineQuote(QUOTE);
  const bundle = JSON.parse(new TextDecoder().decode(corpusFile(SET.files[0]))) as Record<string, string>;
  for (const member of ["tcb_info", "tcb_info_signature", "root_ca_crl", "pck_crl"]) {
    const text = bundle[member] ?? "";
    for (let index = 30; index < text.length - 2; index += Math.ceil(text.length / 12)) {
      const digit = text[index] ?? "";
      const other = /\d/.test(digit) ? String((Number(digit) + 1) % 10) : digit === "a" ? "b" : "a";
      const changed = [
        new TextEncoder().encode(
          JSON.stringify({ ...bundle, [member]: text.slice(0, index) + other + text.slice(index + 1) }),
        ),
      ];
      assert.equal(await ourVerdict(quote, changed, SET.at), "rejected", `${member} at ${index}`);
      let theirs: string;
      try {
        theirs = theirVerdict(quote, changed, SET.at);
      } catch {
        // The bundle is read with this project's reader first, which already refused it.
        theirs = "rejected";
      }
      assert.equal(theirs, "rejected", `${member} at ${index}`);
    }
  }
});
