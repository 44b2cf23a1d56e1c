import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test, type TestContext } from "node:test";
import { temporaryDirectory } from "../../testing/temporary-directory.ts";
import { platformOf } from "./platform.ts";

/** A host whose kernel shows these files. */
function host(t: TestContext, files: Readonly<Record<string, string>>): { sys: string; dev: string } {
  const root = temporaryDirectory(t);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return { sys: join(root, "sys"), dev: join(root, "dev") };
}

const SNP = "sys/module/kvm_amd/parameters/sev_snp";
const TDX = "sys/module/kvm_intel/parameters/tdx";

test("the best a host has is taken, and a virtual TPM where it has nothing", (t) => {
  assert.equal(platformOf("auto", host(t, { [SNP]: "Y\n", "dev/sev": "" })), "sev-snp");
  assert.equal(platformOf("auto", host(t, { [TDX]: "Y\n" })), "tdx");
  assert.equal(platformOf("auto", host(t, { [SNP]: "N\n", "dev/sev": "", [TDX]: "N\n" })), "vtpm");
  assert.equal(
    platformOf("auto", host(t, { [SNP]: "Y\n" })),
    "vtpm",
    "without the security processor's device nothing starts",
  );
  assert.equal(platformOf("auto", host(t, {})), "vtpm");
});

test("what is asked for is taken where it is there, and else refused with what would help", (t) => {
  const both = host(t, { [SNP]: "1", "dev/sev": "", [TDX]: "1" });
  for (const platform of ["sev-snp", "tdx", "vtpm"] as const) assert.equal(platformOf(platform, both), platform);
  const bare = host(t, {});
  assert.equal(platformOf("vtpm", bare), "vtpm");
  assert.throws(() => platformOf("sev-snp", bare), {
    code: "LAUNCH_HARDWARE_MISSING",
    message: /this host has no sev-snp switched on: use an EPYC/,
  });
  assert.throws(() => platformOf("tdx", bare), {
    code: "LAUNCH_HARDWARE_MISSING",
    message: /this host has no tdx switched on: use a Xeon/,
  });
});
