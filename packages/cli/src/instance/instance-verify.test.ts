import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { InstanceVerdict } from "@cmcp/verify";
import { CmcpError } from "@cmcp/boundary";
import { run as runCommand } from "../evidence/testing/commands.ts";
import { instanceVerify } from "./instance-verify.ts";
import type { ShownInstance } from "./shown-instance.ts";

const REPORT = new URL("../../../claim/examples/record/instance.json", import.meta.url);
const NONCE = "Zm9yLXRoZS1leGFtcGxl";

const run = (...args: string[]): ReturnType<typeof runCommand> => runCommand(instanceVerify, ...args);
const USAGE = (thrown: unknown): boolean => thrown instanceof CmcpError && thrown.code === "USAGE";

describe("cmcp instance verify", () => {
  let folder: string;
  let report: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-instance-"));
    report = join(folder, "report.json");
    await writeFile(report, await readFile(REPORT));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  test("0: a software-only report that was asked for, with its nonce and keys", async () => {
    const { code, out } = await run(report, "--allow-software-only", "--nonce", NONCE, "--json");
    assert.equal(code, 0);
    const verdict = JSON.parse(out) as InstanceVerdict;
    assert.deepEqual([verdict.outcome, verdict.assurance], ["accepted", "functional only"]);
    const text = (await run(report, "--allow-software-only")).out;
    assert.match(text, /^ACCEPTED \(assurance: functional only\)\n/);
    assert.ok(text.includes(`signing key: ${verdict.keys?.["signing"]}\n`));
    assert.match(text, /^platform: software-only\nmeasurement: sha256:0{64}\n/m);
    assert.match(text, /^mode: enforcing$/m);
    assert.match(text, /^witnesses: not known \(--launch-document\)$/m);
    const shown = JSON.parse(out) as ShownInstance;
    assert.deepEqual(
      [shown.instance, shown.platform, shown.mode, shown.channel, shown.witnesses, shown.padded_answers],
      [verdict.keys?.["signing"], "software-only", "enforcing", null, null, null],
    );
  });

  test("10: without hardware evidence, of another nonce, policy or key", async () => {
    for (const args of [
      [],
      ["--allow-software-only", "--nonce", "another-nonce-00"],
      ["--allow-software-only", "--policy-hash", `sha256:${"0".repeat(64)}`],
      ["--allow-software-only", "--trusted-key", "A".repeat(43)],
    ]) {
      const { code, out } = await run(report, ...args);
      assert.deepEqual([code, out.includes("signing key:")], [10, false]);
    }
  });

  test("20: of a platform that this version cannot verify; 30: no report; 64: no argument, or one that is wrong", async () => {
    const text = await readFile(report, "utf8");
    const other = join(folder, "other.json");
    await writeFile(other, text.replace('"platform": "software-only"', '"platform": "another"'));
    assert.equal((await run(other)).code, 20);
    await writeFile(other, text.slice(1));
    assert.equal((await run(other)).code, 30);
    await assert.rejects(run(), USAGE);
    await assert.rejects(run(report, "--allow-mode", "none"), USAGE);
  });
});
