import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { createLog, dropWhenUnread } from "./log.ts";

test("a reader that does not read loses lines, whole ones, and gets those after it reads again", async () => {
  const out = new PassThrough({ highWaterMark: 0 });
  const log = createLog({ level: "info", destination: dropWhenUnread(out) });
  const line = "a".repeat(2_000);
  for (let n = 0; n < 2_000; n += 1) log.info("enclave output", { line });
  const waiting = out.writableLength + out.readableLength;
  assert.ok(waiting > 900 * 1024 && waiting <= 1024 * 1024 + 4_096, `${waiting} bytes wait`);
  const lines: string[] = [];
  out.setEncoding("utf8").on("data", (text: string) => lines.push(...text.trimEnd().split("\n")));
  while (out.writableLength > 0) await new Promise((resolve) => setImmediate(resolve));
  log.warn("enclave output dropped", { dropped: 1 });
  await new Promise((resolve) => setImmediate(resolve));
  for (const text of lines) JSON.parse(text);
  assert.match(lines.at(-1) ?? "", /dropped/);
});
