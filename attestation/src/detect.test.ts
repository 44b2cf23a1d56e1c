import assert from "node:assert/strict";
import { test } from "node:test";
import { detectProvider, type ProviderSetting } from "./detect.ts";
import { thisMachine, type Machine } from "./machine.ts";

const AZURE = "7783-7084-3265-9085-8269-3286-77";
const EVERYTHING = ["/dev/sev-guest", "/dev/tdx_guest", "/dev/tpmrm0"];

const machine = (devices: readonly string[], chassis = ""): Machine => ({ exists: (path) => devices.includes(path), chassisTag: () => chassis });
const software = (passedOver: readonly string[] = []) => ({ provider: "software-only", passedOver });

test("software-only starts in development alone, chosen by name or as the last resort", () => {
  for (const setting of ["software-only", "auto"] as const) {
    assert.deepEqual(detectProvider(setting, true, machine([])), software());
    assert.throws(() => detectProvider(setting, false, machine([])), { code: "ATTESTATION_PROVIDER_UNSUPPORTED", message: /CMCP_DEV_MODE=1/ });
  }
  assert.throws(() => detectProvider("software-only", false, machine(EVERYTHING)), { code: "ATTESTATION_PROVIDER_UNSUPPORTED" });
});

test("hardware is looked for in order of its root of trust", () => {
  assert.deepEqual(detectProvider("auto", true, machine(EVERYTHING, AZURE)), software(["sev-snp", "tdx", "azure-cvm", "tpm"]));
  const strongest: readonly (readonly [Machine, string])[] = [
    [machine(EVERYTHING, AZURE), "sev-snp"],
    [machine(EVERYTHING.slice(1), AZURE), "tdx"],
    [machine(["/dev/tpm0"], AZURE), "azure-cvm"],
    [machine(["/dev/tpmrm0"]), "tpm"],
    [machine(["/dev/tpm0"], "another tag"), "tpm"],
  ];
  for (const [found, name] of strongest) {
    assert.throws(() => detectProvider("auto", false, found), { code: "ATTESTATION_PROVIDER_NOT_IMPLEMENTED", message: new RegExp(` ${name} `) });
  }
});

test("an Azure tag without a TPM is no confidential machine", () => {
  assert.deepEqual(detectProvider("auto", true, machine([], AZURE)), software());
});

test("hardware that is here but cannot be used is passed over in development only, and named", () => {
  assert.deepEqual(detectProvider("auto", true, machine(["/dev/tdx_guest"])), software(["tdx"]));
  assert.throws(() => detectProvider("auto", false, machine(["/dev/tdx_guest"])), { code: "ATTESTATION_PROVIDER_NOT_IMPLEMENTED" });
});

test("a provider asked for by name is refused by name, in development too", () => {
  for (const setting of ["sev-snp", "tdx", "azure-cvm", "tpm"] satisfies ProviderSetting[]) {
    for (const development of [true, false]) {
      assert.throws(() => detectProvider(setting, development, machine(EVERYTHING, AZURE)), { code: "ATTESTATION_PROVIDER_NOT_IMPLEMENTED", message: new RegExp(` ${setting} `) });
    }
  }
  for (const development of [true, false]) {
    assert.throws(() => detectProvider("opaque", development, machine([])), { code: "ATTESTATION_PROVIDER_UNSUPPORTED", message: /no assurance/ });
  }
});

test("on the machine the tests run on detection has an answer", () => {
  assert.equal(detectProvider("auto", true, thisMachine).provider, "software-only");
});
