/** What `--measurements` says of the host's ACPI tables, in text and as JSON. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { after, before, test } from "node:test";
import { Machine, signedReport } from "../../../appraise/src/sev-snp/testing/machine.ts";
import { NOW } from "../../../appraise/src/testing/authority.ts";
import { evidenceVerify } from "./evidence-verify.ts";

let folder = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "cmcp-acpi-"));
  const machine = await Machine.make();
  const key = await machine.key();
  await writeFile(join(folder, "report.bin"), await signedReport("Genoa", key));
  for (const [name, { der }] of Object.entries({ key, signing: machine.signing.VCEK, root: machine.root }))
    await writeFile(join(folder, `${name}.der`), der);
  await writeFile(
    join(folder, "policy.json"),
    JSON.stringify({ required: ["measurement"], sev_snp: { trust_anchors: machine.policy().trust_anchors } }),
  );
});
after(() => rm(folder, { recursive: true }));

/** Verifies a report of an image that was measured with this command line and so many processors. */
async function run(commandLine: string | null, vcpus: number, ...more: string[]): Promise<string> {
  const shape = { vmm: "QEMU", vcpus, vcpu_type: "EPYC-v4", vcpu_sig: "0xa00f11", guest_features: "0x1" };
  const entry = {
    platform: "sev-snp",
    shape,
    command_line: commandLine,
    files: ["OVMF.fd"],
    registers: { measurement: ["aa".repeat(48)] },
  };
  await writeFile(
    join(folder, "measurements.json"),
    JSON.stringify({
      format: "cmcp-measurements-v1",
      image: { name: "image", version: "1", files: [] },
      accepted: [entry],
    }),
  );
  const at = (name: string): string => join(folder, name);
  const out = new PassThrough();
  const code = await evidenceVerify.run(
    [
      "--platform",
      "sev-snp",
      "--evidence",
      at("report.bin"),
      "--certs",
      at("key.der"),
      "--certs",
      at("signing.der"),
      "--certs",
      at("root.der"),
      "--policy",
      at("policy.json"),
      "--measurements",
      at("measurements.json"),
      "--at",
      NOW.toISOString(),
      ...more,
    ],
    { out, err: out, colour: false },
  );
  out.end();
  const text = (await out.toArray()).join("");
  assert.equal(code, 0, text);
  return text;
}

test("says so for an image whose measurement leaves ACPI to the host, and not for one that does not", async () => {
  assert.doesNotMatch(await run("acpi=off panic=-1", 1), /ACPI/);
  assert.match(
    await run("panic=-1", 1),
    /not performed ACPI unconstrained: warning: the measured command line has no acpi=off/,
  );
  assert.match(await run("acpi=off", 2), /ACPI unconstrained: warning: 2 processors/);
  const { checks } = JSON.parse(await run(null, 1, "--json")) as { checks: { name: string; status: string }[] };
  assert.equal(checks.find(({ name }) => name === "ACPI unconstrained")?.status, "not-performed");
});
