import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { untrusted } from "@cmcp/boundary";
import { decodeFrame, encodeFrame, type Frame } from "./frame.ts";
import { Framer } from "./framer.ts";
import * as limits from "./limits.ts";

const spec = await readFile(new URL("../SPEC.md", import.meta.url), "utf8");
const blocks = (kind: string): string[] =>
  [...spec.matchAll(new RegExp(`\`\`\`${kind}\\n([^\`]*)\`\`\``, "g"))].map((match) => match[1] ?? "");

function readWire(bytes: Uint8Array): Frame[] {
  const frames: Frame[] = [];
  const framer = new Framer();
  framer.push(untrusted(bytes), (payload) => {
    frames.push(decodeFrame(payload));
  });
  return frames;
}

const examples = blocks("example");
assert.ok(examples.length >= 9);

for (const example of examples) {
  const [text = "", hex = ""] = example.trim().split("\n");
  test(`the example ${text} is what the code writes and reads`, () => {
    const value = JSON.parse(text.replace(/h'([0-9a-f]*)'/, '"$1"')) as Record<string, unknown>;
    if (typeof value["data"] === "string") value["data"] = Buffer.from(value["data"], "hex");
    assert.equal(Buffer.from(encodeFrame(value as Frame)).toString("hex"), hex);
    assert.deepEqual(readWire(Buffer.from(hex, "hex")), [value]);
  });
}

test("the refused examples are refused with their codes", () => {
  const lines = blocks("refused").flatMap((block) => block.trim().split("\n"));
  assert.ok(lines.length >= 13);
  for (const line of lines) {
    const [code, hex = ""] = line.split(/ +/);
    assert.throws(() => readWire(Buffer.from(hex, "hex")), { name: "CmcpError", code }, line);
  }
});

test("the numbers of the page are the code's", () => {
  const {
    MAX_FRAME_BYTES,
    MAX_DATA_BYTES,
    MAX_DEPTH,
    MAX_ITEMS,
    MAX_HEADERS,
    MAX_HEADERS_BYTES,
    MAX_HEADER_NAME,
    MAX_HEADER_VALUE,
    MAX_PATH,
    MAX_IDENTIFIER,
    MAX_ERROR_MESSAGE,
  } = limits;
  for (const stated of [
    `1 … ${MAX_FRAME_BYTES} (MAX_FRAME_BYTES)`,
    `1–${MAX_DATA_BYTES} bytes (\`MAX_DATA_BYTES\`)`,
    `depth at most ${MAX_DEPTH}`,
    `at most ${MAX_ITEMS} items`,
    `at most ${MAX_HEADERS} fields and ${MAX_HEADERS_BYTES} bytes`,
    `1–${MAX_HEADER_NAME} of the characters of an RFC 9110 token`,
    `0–${MAX_HEADER_VALUE} of tab`,
    `up to ${MAX_PATH - 1} more`,
    `1–${MAX_IDENTIFIER} of \`A-Z a-z 0-9 . _ : -\``,
    `0–${MAX_ERROR_MESSAGE} UTF-16 units`,
    `${limits.IDLE_MS / 1000} s (\`IDLE_MS\``,
    `${limits.POOLED_IDLE_MS / 1000} s (\`POOLED_IDLE_MS\``,
    `${limits.LINGER_MS / 1000} s (\`LINGER_MS\``,
    `${limits.READ_AHEAD_BYTES / 1024} KiB or ${limits.READ_AHEAD_FRAMES} frames`,
  ]) {
    assert.ok(spec.includes(stated), stated);
  }
  const size: Record<string, number> = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };
  for (const [opening, limit] of Object.entries(limits.BODY_LIMITS)) {
    const row = new RegExp(`^\\| [^|]*\`${opening}\`[^|]* \\| (\\d+) (\\w+) \\| ([\\d^]+) \\|$`, "m").exec(spec);
    const frames = row?.[3]?.startsWith("2^") === true ? 2 ** Number(row[3].slice(2)) : Number(row?.[3]);
    assert.deepEqual({ bytes: Number(row?.[1]) * (size[row?.[2] ?? ""] ?? 0), frames }, { ...limit }, opening);
  }
});
