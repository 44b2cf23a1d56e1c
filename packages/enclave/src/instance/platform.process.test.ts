import assert from "node:assert/strict";
import { test } from "node:test";
import type { ImagePlatform, Machine } from "@cmcp/attestation";
import { untrusted } from "@cmcp/boundary";
import { buildLaunchDocument, parseConfig, parseLaunchDocument } from "@cmcp/launch";
import { NO_SWTPM, Swtpm } from "../../../../attestation/src/tpm/transport/testing/swtpm.ts";
import { bindImage, establishPlatform } from "./platform.ts";

const machine = (devices: readonly string[], image: ImagePlatform | null = null): Machine => ({
  exists: (path) => devices.includes(path),
  chassisTag: () => "",
  tpm: () => null,
  imagePlatform: () => image,
});
const nothingDialled = (): Promise<never> => Promise.reject(new Error("nothing is dialled"));
const DIGESTS = { sha256: new Uint8Array(32), sha384: new Uint8Array(48) };

const documentOf = (attestation: string) => {
  const { config } = parseConfig(`attestation: {${attestation}}`, { env: { CMCP_DEV_MODE: "1" } });
  return parseLaunchDocument(
    untrusted(
      buildLaunchDocument({
        v: 1,
        platform: config.attestation.provider,
        development: true,
        config,
        policy_bundle: {},
        catalog: [],
        pins: {},
        trust_anchors: {},
      }),
    ),
  );
};

test("a document for another platform, or of another image, is refused before anything of it is used", async () => {
  const establish = async (attestation: string, devices: readonly string[] = []) =>
    await establishPlatform(documentOf(attestation), null, DIGESTS, {
      access: { machine: machine(devices) },
      dial: nothingDialled,
    });
  const { attester, launch } = await establish("provider: software-only");
  assert.deepEqual([attester.provider, launch.platform, launch.carrier], ["software-only", "software-only", "none"]);
  await establish(`provider: auto, expected_measurement: '${launch.measurement}'`);
  await assert.rejects(establish(`provider: auto, expected_measurement: 'sha256:${"1".repeat(64)}'`), {
    code: "EVIDENCE_MEASUREMENT_MISMATCH",
  });
  for (const provider of ["sev-snp", "tdx", "tpm", "azure-cvm"])
    await assert.rejects(establish(`provider: ${provider}`), { code: "ATTESTATION_PROVIDER_UNSUPPORTED" });
  await assert.rejects(
    establish("provider: sev-snp", ["/dev/sev-guest"]),
    { code: "ATTESTATION_REPORT_UNAVAILABLE" },
    "the device alone gives no report",
  );
});

test("an image asks its own platform what it was launched for, whatever devices there are, and a process asks nothing before it has read", async () => {
  const bound = async (image: ImagePlatform | null) =>
    await bindImage(DIGESTS, {
      access: { machine: machine(["/dev/sev-guest", "/dev/tdx_guest"], image) },
      dial: nothingDialled,
    });
  assert.equal(await bound(null), null);
  assert.equal((await bound("none"))?.launch.carrier, "none");
  // Nothing of the kind is here to be asked.
  for (const image of ["sev-snp", "tdx", "vtpm"] as const)
    await assert.rejects(bound(image), { code: "ATTESTATION_REPORT_UNAVAILABLE" });
});

test("an image takes no document for another platform, and is bound once", async () => {
  const access = { machine: machine([], "none") };
  const image = await bindImage(DIGESTS, { access, dial: nothingDialled });
  for (const provider of ["software-only", "auto"])
    assert.equal(
      await establishPlatform(documentOf(`provider: ${provider}`), image, DIGESTS, { access, dial: nothingDialled }),
      image,
    );
  for (const provider of ["sev-snp", "tdx", "tpm", "azure-cvm"])
    await assert.rejects(
      establishPlatform(documentOf(`provider: ${provider}`), image, DIGESTS, { access, dial: nothingDialled }),
      { code: "ATTESTATION_PROVIDER_UNSUPPORTED" },
    );
});

test("an image with a TPM measures the bytes before it reads them, and then no others", async (t) => {
  const swtpm = await Swtpm.start();
  if (swtpm === null) return t.skip(NO_SWTPM);
  t.after(() => swtpm.stop());
  const access = { machine: { ...machine([], "vtpm"), tpm: () => ({ kind: "socket", path: swtpm.socket }) as const } };
  const image = await bindImage(DIGESTS, { access, dial: nothingDialled });
  assert.deepEqual([image?.attester.provider, image?.launch.carrier], ["tpm", "PCR 15"]);
  await assert.rejects(
    bindImage({ ...DIGESTS, sha256: new Uint8Array(32).fill(1) }, { access, dial: nothingDialled }),
    {
      code: "LAUNCH_DIGEST_MISMATCH",
    },
  );
  assert.equal(
    await establishPlatform(documentOf("provider: tpm"), image, DIGESTS, { access, dial: nothingDialled }),
    image,
  );
  await assert.rejects(
    establishPlatform(documentOf("provider: software-only"), image, DIGESTS, { access, dial: nothingDialled }),
    { code: "ATTESTATION_PROVIDER_UNSUPPORTED" },
  );
});
