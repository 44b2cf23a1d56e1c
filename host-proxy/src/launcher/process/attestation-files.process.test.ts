import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import process from "node:process";
import { test } from "node:test";
import { attestationFlags } from "./attestation-files.ts";

/** What a process with these flags may do, asked of Node itself. */
function allowed(setting: string, questions: readonly (readonly ["fs.read" | "fs.write", string])[]): boolean[] {
  const script = `process.stdout.write(JSON.stringify(${JSON.stringify(questions)}.map(([scope, path]) => process.permission.has(scope, path))))`;
  return JSON.parse(
    execFileSync(process.execPath, ["--permission", ...attestationFlags(setting), "--eval", script], {
      encoding: "utf8",
      env: {},
    }),
  ) as boolean[];
}

const QUESTIONS = [
  ["fs.write", "/dev/tpmrm0"],
  ["fs.read", "/sys/kernel/security/tpm0/binary_bios_measurements"],
  ["fs.write", "/sys/kernel/config/tsm/report/cmcp-1/inblob"],
  ["fs.read", "/sys/firmware/acpi/tables/data/CCEL"],
  ["fs.read", "/sys/class/dmi/id/chassis_asset_tag"],
  ["fs.read", "/etc/passwd"],
  ["fs.write", "/dev/sda"],
] as const;

test("a provider's devices and files are open to the enclave, and no others", () => {
  const expected: Record<string, boolean[]> = {
    tpm: [true, true, false, false, false, false, false],
    "azure-cvm": [true, true, false, false, true, false, false],
    "sev-snp": [false, false, true, false, false, false, false],
    tdx: [false, false, true, true, false, false, false],
    auto: [true, true, true, true, true, false, false],
    "software-only": [false, false, false, false, false, false, false],
  };
  for (const [setting, answers] of Object.entries(expected))
    assert.deepEqual(allowed(setting, QUESTIONS), answers, setting);
});
