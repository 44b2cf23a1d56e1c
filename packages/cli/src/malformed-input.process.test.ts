/** A file that is not of its form ends with 30, as shipped: a download that broke off is no finding about anybody. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { canonicalBytes } from "@cmcp/boundary";
import { Machine, signedReport } from "../../appraise/src/sev-snp/testing/machine.ts";
import { ISSUED_AT, recordOf } from "../../verify/src/testing/session.ts";
import { replay } from "./evidence/testing/replay.ts";

const CLI = fileURLToPath(new URL("../dist/cmcp.mjs", import.meta.url));
const AT = ["--at", new Date((ISSUED_AT + 30) * 1000).toISOString()];
const { claim, bundle, receipts } = recordOf();
let folder = "";
const file = (name: string): string => join(folder, name);

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "cmcp-malformed-"));
  const receipt = canonicalBytes(receipts[0] ?? {});
  for (const [name, bytes] of Object.entries({
    claim: canonicalBytes(claim),
    bundle: canonicalBytes(bundle),
    receipt,
    cut: receipt.slice(0, -9),
    empty: new Uint8Array(),
    text: Buffer.from("{]"),
  }))
    await writeFile(file(name), bytes);
});
after(() => rm(folder, { recursive: true }));

async function cmcp(...args: string[]): Promise<{ code: number | string | null | undefined; out: string }> {
  return await new Promise((resolve) => {
    execFile(
      process.execPath,
      ["--disable-warning=ExperimentalWarning", CLI, ...args, "--json"],
      { env: { PATH: process.env["PATH"] } },
      (error, out) => resolve({ code: error === null ? 0 : error.code, out }),
    );
  });
}

test("a receipt or an evidence file that broke off is malformed, beside a record that holds", async () => {
  const record = ["verify", file("claim"), "--audit-bundle", file("bundle"), "--allow-software-only", ...AT];
  const alone = ["audit", "verify", file("bundle"), "--allow-software-only"];
  for (const command of [record, alone]) {
    assert.equal((await cmcp(...command, "--receipt", file("receipt"))).code, 0);
    for (const name of ["empty", "cut"])
      assert.equal((await cmcp(...command, "--receipt", file(name))).code, 30, `${command[0]} ${name}`);
  }
  assert.equal((await cmcp(...record, "--evidence", file("empty"))).code, 30);
});

test("evidence that is none ends show and fetch with 30, and what a service answers with 10", async (t) => {
  for (const name of ["empty", "text", "claim"]) {
    const commands = [
      ["evidence", "show", file(name)],
      ["evidence", "show", file(name), "--as", "collateral"],
      ["evidence", "fetch", "--into", file(name)],
      ["evidence", "fetch", "--platform", "tdx", "--evidence", file(name), "--out", file("out")],
    ];
    for (const command of commands) {
      const { code, out } = await cmcp(...command);
      assert.equal(code, 30, `${command.join(" ")}: ${out}`);
      assert.match((JSON.parse(out) as { error: { code: string } }).error.code, /^EVIDENCE_/);
    }
  }
  const machine = await Machine.make("Genoa");
  const report = Buffer.from(await signedReport("Genoa", await machine.key())).toString("base64");
  await writeFile(
    file("evidence"),
    JSON.stringify({
      format: "cmcp-evidence-v1",
      provider: "sev-snp",
      platform: "amd-sev-snp",
      report_data: Buffer.alloc(64).toString("base64"),
      generated_at: "2026-01-01T00:00:00Z",
      report,
      certificates: [],
    }),
  );
  const { service, asked } = await replay(t, () => ({ body: "no certificate" }));
  const { code, out } = await cmcp(
    "evidence",
    "fetch",
    "--into",
    file("evidence"),
    "--product",
    "Genoa",
    "--service",
    service,
  );
  assert.deepEqual(
    [code, asked.length > 0, (JSON.parse(out) as { error: { code: string } }).error.code],
    [10, true, "EVIDENCE_MALFORMED"],
  );
});
