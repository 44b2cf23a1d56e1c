/** The system service of `deployment/`, as systemd itself reads it. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test, type TestContext } from "node:test";
import { ROOT } from "../gateway/deployment.ts";

const UNIT = readFileSync(join(ROOT, "deployment/cmcp.service"), "utf8");
const missing = spawnSync("systemd-analyze", ["--version"]).error !== undefined;
const skip =
  missing && process.env["CMCP_REQUIRE_ALL"] !== "1" ? "systemd-analyze is missing: apt-get install systemd" : false;

/** What `systemd-analyze verify` says of a unit whose program is where this machine has it. */
function verified(t: TestContext, unit: string): { readonly code: number | null; readonly said: string } {
  const folder = mkdtempSync(join(tmpdir(), "cmcp-unit-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "cmcp.service");
  writeFileSync(file, unit.replace("/usr/local/bin/cmcp", join(ROOT, "packages/cli/bin/cmcp.js")));
  const { status, stdout, stderr } = spawnSync("systemd-analyze", ["verify", "--man=no", file], { encoding: "utf8" });
  // Of units of the machine itself, which it reads along, it may say something too.
  const lines = `${stdout}${stderr}`.split("\n").filter((line) => line.includes("cmcp"));
  return { code: status, said: lines.join("\n") };
}

test("systemd finds nothing wrong with the unit", { skip }, (t) => {
  assert.deepEqual(verified(t, UNIT), { code: 0, said: "" });
});

test("systemd would have found a wrong key, and a program that is missing", { skip }, (t) => {
  assert.match(verified(t, UNIT.replace("KillMode=", "KilMode=")).said, /KilMode/);
  assert.match(verified(t, UNIT.replace("/usr/local/bin/cmcp", "/usr/local/bin/no-cmcp")).said, /no-cmcp/);
});
