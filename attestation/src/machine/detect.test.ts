import assert from "node:assert/strict";
import { test } from "node:test";
import { detectProvider, type Provider } from "./detect.ts";
import type { ImagePlatform } from "./image-platform.ts";
import { thisMachine, withTpmSocket, type Machine } from "./machine.ts";

const AZURE = "7783-7084-3265-9085-8269-3286-77";
const EVERYTHING = ["/dev/sev-guest", "/dev/tdx_guest", "/dev/tpmrm0"];
const UNSUPPORTED = { code: "ATTESTATION_PROVIDER_UNSUPPORTED" };

const machine = (devices: readonly string[], chassis = "", image: ImagePlatform | null = null): Machine => ({
  exists: (path) => devices.includes(path),
  chassisTag: () => chassis,
  tpm: () => {
    const path = devices.find((device) => device.startsWith("/dev/tpm"));
    return path === undefined ? null : { kind: "device", path };
  },
  imagePlatform: () => image,
});

test("software-only is taken where it is named, and as the last resort in development alone", () => {
  const software = { provider: "software-only", passedOver: [] };
  for (const found of [machine([]), machine(EVERYTHING)])
    for (const development of [true, false])
      assert.deepEqual(detectProvider("software-only", development, found), software);
  assert.deepEqual(detectProvider("auto", true, machine([])), software);
  assert.throws(() => detectProvider("auto", false, machine([])), { ...UNSUPPORTED, message: /CMCP_DEV_MODE=1/ });
});

test("hardware is taken in order of its root of trust", () => {
  const strongest: readonly (readonly [Machine, Provider, readonly Provider[]])[] = [
    [machine(EVERYTHING, AZURE), "sev-snp", ["tdx", "azure-cvm", "tpm"]],
    [machine(EVERYTHING.slice(1), AZURE), "tdx", ["azure-cvm", "tpm"]],
    [machine(["/dev/tpm0"], AZURE), "azure-cvm", ["tpm"]],
    [machine(["/dev/tpmrm0"]), "tpm", []],
    [machine(["/dev/tpm0"], "another tag"), "tpm", []],
  ];
  for (const [found, provider, passedOver] of strongest)
    assert.deepEqual(detectProvider("auto", false, found), { provider, passedOver });
});

test("in development the machine's TPM is left alone unless it is asked for by name", () => {
  assert.deepEqual(detectProvider("auto", true, machine(["/dev/tpmrm0"], AZURE)), {
    provider: "software-only",
    passedOver: ["azure-cvm", "tpm"],
  });
  assert.deepEqual(detectProvider("auto", true, machine(EVERYTHING)), {
    provider: "sev-snp",
    passedOver: ["tdx", "tpm"],
  });
  assert.deepEqual(detectProvider("tpm", true, machine(EVERYTHING)), { provider: "tpm", passedOver: [] });
});

test("an Azure tag without a TPM is no confidential machine", () => {
  assert.throws(() => detectProvider("azure-cvm", false, machine([], AZURE)), {
    ...UNSUPPORTED,
    message: /chassis tag and a TPM/,
  });
  assert.throws(() => detectProvider("azure-cvm", false, machine(["/dev/tpmrm0"])), UNSUPPORTED);
});

test("a provider asked for by name is taken where it is and refused where it is not", () => {
  for (const setting of ["sev-snp", "tdx", "azure-cvm", "tpm"] satisfies Provider[]) {
    for (const development of [true, false]) {
      assert.deepEqual(detectProvider(setting, development, machine(EVERYTHING, AZURE)), {
        provider: setting,
        passedOver: [],
      });
      assert.throws(() => detectProvider(setting, development, machine([])), {
        ...UNSUPPORTED,
        message: new RegExp(` ${setting} `),
      });
    }
  }
});

test("an image has the provider of its platform and takes no document for another, development or not", () => {
  const providers: readonly (readonly [ImagePlatform, Provider])[] = [
    ["sev-snp", "sev-snp"],
    ["tdx", "tdx"],
    ["vtpm", "tpm"],
  ];
  for (const [image, provider] of providers) {
    // Whatever devices the host shows besides.
    for (const here of [machine([], "", image), machine(EVERYTHING, AZURE, image)]) {
      for (const development of [true, false]) {
        for (const setting of [provider, "auto"] as const)
          assert.deepEqual(detectProvider(setting, development, here), { provider, passedOver: [] });
        for (const other of ["sev-snp", "tdx", "azure-cvm", "tpm", "software-only"] as const) {
          if (other !== provider)
            assert.throws(() => detectProvider(other, development, here), {
              ...UNSUPPORTED,
              message: new RegExp(`${other} is not what this image was started as: its command line says ${image}`),
            });
        }
      }
    }
  }
});

test("an image that was started to be tried has software alone, and in development alone", () => {
  const tried = machine(EVERYTHING, AZURE, "none");
  for (const setting of ["software-only", "auto"] as const) {
    assert.deepEqual(detectProvider(setting, true, tried), { provider: "software-only", passedOver: [] });
    assert.throws(() => detectProvider(setting, false, tried), { ...UNSUPPORTED, message: /CMCP_DEV_MODE=1/ });
  }
  assert.throws(() => detectProvider("tpm", true, tried), UNSUPPORTED);
});

test("on the machine the tests run on detection has an answer, and a socket stands for a TPM", () => {
  assert.notEqual(detectProvider("auto", true, thisMachine).provider, "tpm");
  const socket = withTpmSocket(thisMachine, "/run/swtpm.sock");
  assert.deepEqual(socket.tpm(), { kind: "socket", path: "/run/swtpm.sock" });
  assert.equal(detectProvider("tpm", false, socket).provider, "tpm");
});
