import assert from "node:assert/strict";
import { test } from "node:test";
import { toBase64 } from "@cmcp/boundary";
import * as fc from "fast-check";
import { formatCheckpoint, parseCheckpoint } from "./checkpoint.ts";
import { isKeyName } from "./key.ts";
import { parseNote } from "./note.ts";
import { MAX_LOG_SIZE } from "./path.ts";
import { EMPTY_RANGE, rootOf } from "./tree.ts";

/** The example of C2SP tlog-checkpoint. */
const TEXT = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
const NOTE = `${TEXT}\n— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n`;

const refused = (text: string): void => assert.throws(() => parseCheckpoint(text), { code: "NOTE_MALFORMED" }, text);

test("the published checkpoint reads, and is written as it was", () => {
  const checkpoint = parseCheckpoint(parseNote(NOTE).text);
  assert.equal(checkpoint.origin, "example.com/behind-the-sofa");
  assert.equal(checkpoint.size, 20_852_163);
  assert.equal(toBase64(checkpoint.root), "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=");
  assert.equal(formatCheckpoint(checkpoint), TEXT);
});

test("any head reads as it was written", () => {
  const origin = fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 }).filter(isKeyName);
  const size = fc.integer({ min: 1, max: MAX_LOG_SIZE });
  fc.assert(
    fc.property(origin, size, fc.uint8Array({ minLength: 32, maxLength: 32 }), (of, leaves, root) => {
      const checkpoint = { origin: of, size: leaves, root: Uint8Array.from(root) };
      assert.deepEqual(parseCheckpoint(formatCheckpoint(checkpoint)), checkpoint);
    }),
  );
});

test("what is not exactly a checkpoint is refused", () => {
  const [origin = "", size = "", root = ""] = TEXT.split("\n");
  for (const text of [
    "",
    "\n\n\n",
    TEXT.slice(0, -1),
    `${TEXT}\n`,
    `${TEXT}extension\n`,
    `${TEXT}extension`,
    `${origin}\n${size}\n`,
    `\n${size}\n${root}\n`,
    `a b\n${size}\n${root}\n`,
    `a+b\n${size}\n${root}\n`,
    ...["", "-1", "+1", "01", "00", "1.0", "1e3", " 1", "1 ", "0x1", "\u0661", `${2 ** 48 + 1}`, "9".repeat(400)].map(
      (other) => `${origin}\n${other}\n${root}\n`,
    ),
    ...[
      "",
      root.slice(0, -1),
      root.slice(0, -4),
      `${root}AAAA`,
      root.replace("/", "_"),
      root.replace("2I=", "2J="),
    ].map((other) => `${origin}\n${size}\n${other}\n`),
  ])
    refused(text);
});

test("the empty tree has one root hash", () => {
  const root = rootOf(EMPTY_RANGE);
  assert.equal(parseCheckpoint(formatCheckpoint({ origin: "a", size: 0, root })).size, 0);
  refused(formatCheckpoint({ origin: "a", size: 0, root: new Uint8Array(32) }));
});

test("any text is a checkpoint or NOTE_MALFORMED", () => {
  const parts = fc.array(fc.constantFrom(...TEXT.split(/(?<=\n)/), "\n", "0\n", "a", "é"), { maxLength: 6 });
  fc.assert(
    fc.property(parts, (all) => {
      const text = all.join("");
      try {
        assert.equal(formatCheckpoint(parseCheckpoint(text)), text);
      } catch (thrown) {
        assert.equal((thrown as { code?: unknown }).code, "NOTE_MALFORMED");
      }
    }),
  );
});
