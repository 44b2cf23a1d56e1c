/** The dependency audit never takes silence for a pass. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const script = fileURLToPath(new URL("../../scripts/audit.sh", import.meta.url));

const ANSWERS: readonly (readonly [string, string, number, number])[] = [
  ["no advisory", "No known vulnerabilities found", 0, 0],
  ["advisories below the level", "2 vulnerabilities found\nSeverity: 2 low", 0, 0],
  ["advisories", "3 vulnerabilities found\nSeverity: 1 low | 2 high", 1, 1],
  ["an endpoint that refuses", "ERR_PNPM_AUDIT_BAD_RESPONSE  The audit endpoint responded with 405", 1, 75],
  ["no network", "ENOTFOUND", 1, 75],
  ["a tool that is not there", "not found", 127, 75],
  ["success without a result", "", 0, 75],
];

for (const [what, said, code, wanted] of ANSWERS) {
  test(`${what}: exit ${wanted}`, async () => {
    const folder = await mkdtemp(join(tmpdir(), "cmcp-audit-"));
    try {
      const stand = join(folder, "pnpm");
      await writeFile(stand, `#!/bin/sh\ncat <<'SAID'\n${said}\nSAID\nexit ${code}\n`);
      await chmod(stand, 0o755);
      const run = spawnSync("sh", [script], {
        env: { PATH: process.env["PATH"], CMCP_AUDIT_COMMAND: stand },
        encoding: "utf8",
      });
      assert.equal(run.status, wanted, run.stdout + run.stderr);
      if (said !== "") assert.ok(run.stdout.includes(said));
      assert.equal(/NOT DONE\. Tried: pnpm audit --prod --audit-level=high/.test(run.stderr), wanted === 75);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
}
