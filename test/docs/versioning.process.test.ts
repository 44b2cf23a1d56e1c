/** docs/explanation/versioning.md names the marks that the code writes. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CMCP_VERSION, EAT_PROFILES, TRACE_RECORD_PROFILE } from "@cmcp/claim/schema";
import { ROOT } from "./deployment-folder.ts";

const page = readFileSync(join(ROOT, "docs/explanation/versioning.md"), "utf8");

/** The text that a source gives to a constant. */
function constant(file: string, name: string): string {
  const [, value] =
    new RegExp(`^export const ${name} = "?([^";]+)"?;$`, "m").exec(readFileSync(join(ROOT, file), "utf8")) ?? [];
  assert.ok(value !== undefined, `${file} has no ${name}`);
  return value;
}

for (const [format, mark] of [
  ["claim", `\`${CMCP_VERSION}\``],
  ["Trust Record", `\`${TRACE_RECORD_PROFILE}\``],
  ["receipt", `\`${constant("packages/audit/src/receipt.ts", "RECEIPT_VERSION")}\``],
  ["record of the log", `\`${constant("packages/audit/src/leaf.ts", "LEAF_VERSION")}\``],
  ["audit store", `now ${constant("host-proxy/src/store/sqlite/log-schema.ts", "SCHEMA_VERSION")}`],
  ["`measurements.json`", `\`${constant("packages/measure/src/measurements.ts", "MEASUREMENTS_FORMAT")}\``],
] as const) {
  test(`the mark of the ${format} is ${mark}`, () => {
    const row = page.split("\n").find((line) => line.startsWith(`| ${format} |`));
    assert.ok(row !== undefined);
    assert.ok(row.includes(`${mark} |`) || row.includes(`${mark};`), row);
  });
}

test("the profiles of claims are named", () => {
  for (const profile of EAT_PROFILES) assert.ok(page.includes(`\`${profile}\``), profile);
});
