import assert from "node:assert/strict";
import { test } from "node:test";
import { untrusted } from "@cmcp/boundary";
import { evidenceBytes } from "./appraisal/evidence-text.ts";
import { parseAppraisalPolicy } from "./appraisal/load-policy.ts";
import { readAzureJson } from "./azure/json.ts";
import { parseRuntimeData } from "./azure/runtime-data.ts";
import { readEvidenceJson } from "./evidence/file/read.ts";
import { readBundle } from "./tdx/collateral-bundle.ts";
import { parseTcbInfo } from "./tdx/tcb-info.ts";
import { readJsonEvidence } from "./tpm/forms/json.ts";
import { readStoredQuote } from "./tpm/forms/stored-quote.ts";

// A sender chooses every byte of these documents. Their readers read no more than this of one.

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const KIB = 1024;
const MIB = KIB * KIB;

interface Reader {
  readonly read: (text: string) => unknown;
  readonly bytes: number;
  readonly depth: number;
  readonly items: number;
}

const READERS: Readonly<Record<string, Reader>> = {
  "appraisal policy": {
    read: (text) => parseAppraisalPolicy(untrusted(utf8(text))),
    bytes: MIB,
    depth: 12,
    items: 20_000,
  },
  "TPM evidence": { read: (text) => readJsonEvidence(untrusted(utf8(text))), bytes: 4 * MIB, depth: 8, items: 20_000 },
  "Azure evidence": { read: (text) => readAzureJson(untrusted(utf8(text))), bytes: 4 * MIB, depth: 8, items: 60_000 },
  "runtime data": { read: (text) => parseRuntimeData(utf8(text)), bytes: 16 * KIB, depth: 6, items: 256 },
  "evidence file": {
    read: (text) => readEvidenceJson(untrusted(utf8(text))),
    bytes: 32 * MIB,
    depth: 12,
    items: 50_000,
  },
  "collateral bundle": {
    read: (text) =>
      readBundle(text, { tcbInfo: null, qeIdentity: null, revocationLists: [], certificates: [], pckChain: [] }),
    bytes: 2 * MIB,
    depth: 16,
    items: 50_000,
  },
  "TCB info": { read: (text) => parseTcbInfo(utf8(text)), bytes: 256 * KIB, depth: 12, items: 20_000 },
};

/** Whether a reader looks at what a document says, which is nothing any of them takes; else it is out of bounds. */
function withinBounds({ read }: Reader, text: string): boolean {
  try {
    read(text);
  } catch (thrown) {
    return !/JSON document is|nested deeper|more than \d+ values/.test(String(thrown));
  }
  return true;
}

/** Object and arrays, so many deep. */
const nested = (depth: number): string => `{"x":${"[".repeat(depth - 1)}${"]".repeat(depth - 1)}}`;
/** So many values and names. */
const counted = (items: number): string => `{"x":[${Array.from({ length: items - 3 }, () => "0").join(",")}]}`;

test("a document is read up to its reader's bounds and not beyond", () => {
  for (const [name, reader] of Object.entries(READERS)) {
    const { bytes, depth, items } = reader;
    assert.ok(withinBounds(reader, "{}".padEnd(bytes)) && !withinBounds(reader, "{}".padEnd(bytes + 1)), name);
    assert.ok(withinBounds(reader, nested(depth)) && !withinBounds(reader, nested(depth + 1)), name);
    assert.ok(withinBounds(reader, counted(items)) && !withinBounds(reader, counted(items + 1)), name);
  }
});

test("an answer with a quote in it is read up to its bounds, and is no answer beyond", () => {
  const quote = '{"quote":"00","x":';
  const read = (text: string): boolean => evidenceBytes("tdx", utf8(text)).length === 1;
  const array = (items: number): string => `[${Array.from({ length: items }, () => "0").join(",")}]`;
  for (const [within, beyond] of [
    [`${quote}0}`.padEnd(4 * MIB), `${quote}0}`.padEnd(4 * MIB + 1)],
    [`${quote}${"[".repeat(15)}${"]".repeat(15)}}`, `${quote}${"[".repeat(16)}${"]".repeat(16)}}`],
    [`${quote}${array(50_000 - 5)}}`, `${quote}${array(50_000 - 4)}}`],
  ] as const)
    assert.ok(read(within) && !read(beyond), within.slice(0, 40));
});

test("evidence that is text is read up to 256 KiB, and is taken for bytes beyond", () => {
  for (const [length, read] of [
    [256 * KIB, true],
    [256 * KIB + 1, false],
  ] as const)
    assert.equal(evidenceBytes("tdx", utf8("00".padEnd(length))).length === 1, read);
});

test("a stored quote in JSON is read up to its bounds, and is another form beyond", () => {
  const quote = (message: number, signature: number): string =>
    JSON.stringify({
      message: Array.from({ length: message }, () => 0),
      signature: Array.from({ length: signature }, () => 0),
      pcrs: [],
    });
  const read = (text: string): boolean => readStoredQuote(utf8(text)) !== null;
  assert.ok(read(quote(1, 1).padEnd(256 * KIB)) && !read(quote(1, 1).padEnd(256 * KIB + 1)));
  // The object, its three names and its three arrays are values too.
  assert.ok(read(quote(4096, 8192 - 4096 - 7)) && !read(quote(4096, 8192 - 4096 - 6)));
  assert.ok(!read(quote(4097, 1)) && !read(quote(1, 4097)));
});
