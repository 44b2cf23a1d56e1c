/** How much each member of an evidence file may hold. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { untrusted, type JsonObject } from "@cmcp/boundary";
import { looksLikeEvidenceFile } from "../../appraisal/from-evidence-file.ts";
import { readEvidenceFile } from "./read.ts";
import type { ClaimPlace } from "./schema.ts";
import { writeEvidenceFile } from "./write.ts";

const MEBIBYTES = 1024 * 1024;
const DIGEST = `sha256:${"a".repeat(64)}`;
const HASH = "a".repeat(43);
const PLACE: ClaimPlace = { index: 0, path: [], note: "", seq: 0, body_hash: DIGEST, claim_hash: DIGEST };
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const base64 = (characters: number): string => "A".repeat(characters);

const FILE: JsonObject = JSON.parse(
  JSON.stringify(
    writeEvidenceFile({
      platform: "amd-sev-snp",
      measurement: "",
      reportData: new Uint8Array(64),
      firmware: "",
      generatedAt: 0,
      parts: { provider: "sev-snp", report: new Uint8Array(1184), certificates: [] },
    }),
  ),
) as JsonObject;

function isRead(change: object): boolean {
  try {
    readEvidenceFile(untrusted(utf8(JSON.stringify({ ...FILE, ...change }))));
    return true;
  } catch {
    return false;
  }
}
const place = (change: Partial<ClaimPlace>): object => ({ log: { ...PLACE, ...change } });

/** How much at most, and whether so much is read. */
const BOUNDS: readonly (readonly [what: string, most: number, reads: (size: number) => boolean])[] = [
  ["certificates", 16, (size) => isRead({ certificates: Array<string>(size).fill("AA") })],
  ["files of collateral", 16, (size) => isRead({ collateral: Array<string>(size).fill("AA") })],
  ["hashes of a claim's path", 48, (size) => isRead(place({ path: Array<string>(size).fill(HASH) }))],
  ["characters of a claim's note", 4_096, (size) => isRead(place({ note: "n".repeat(size) }))],
];

for (const [what, most, reads] of BOUNDS)
  test(`${what}: ${most} at most`, () => {
    assert.deepEqual([reads(most), reads(most + 1)], [true, false]);
  });

test("a report has 3 MiB of base64 at most, and a launch document 24", () => {
  // No bytes have one more character, so there are two.
  for (const [member, most] of [
    ["report", 3 * MEBIBYTES],
    ["launch_document", 24 * MEBIBYTES],
  ] as const) {
    const reads = (size: number): boolean => isRead({ [member]: base64(size) });
    assert.deepEqual([reads(most), reads(most + 2)], [true, false], member);
  }
});

test("a file that is made at no time is refused, and an offset is a time's", () => {
  assert.ok(isRead({ generated_at: "2026-08-01T00:00:00+02:00" }));
  assert.ok(!isRead({ generated_at: "2026-08-01" }));
});

test("a claim's place begins at the first leaf and the first record", () => {
  assert.ok(isRead(place({ index: 0, seq: 0 })));
  for (const change of [{ index: -1 }, { seq: -1 }]) assert.ok(!isRead(place(change)));
});

test("a file is known by its format within the first 64 KiB", () => {
  const name = '"cmcp-evidence-v1"';
  const shown = (before: number): boolean => looksLikeEvidenceFile(utf8(`{${" ".repeat(before)}${name}}`));
  const most = 64 * 1024 - name.length - 1;
  assert.deepEqual([shown(0), shown(most), shown(most + 1)], [true, true, false]);
  assert.equal(looksLikeEvidenceFile(utf8(` \n\t{${name}`)), true);
  for (const other of ["", name, `[${name}`, "{}", `!{${name}`])
    assert.equal(looksLikeEvidenceFile(utf8(other)), false);
});
