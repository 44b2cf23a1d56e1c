import assert from "node:assert/strict";
import { test } from "node:test";
import { imagePlatformOf } from "./image-platform.ts";
import { thisMachine } from "./machine.ts";

const ADDON = "/lib/cmcp/vsock.node";

test("an image is what its PID 1 says; a process is none", () => {
  for (const platform of ["sev-snp", "tdx", "vtpm", "none"] as const)
    assert.equal(imagePlatformOf({ CMCP_IMAGE_PLATFORM: platform, CMCP_VSOCK_ADDON: ADDON }), platform);
  assert.equal(imagePlatformOf({}), null);
  assert.equal(thisMachine.imagePlatform(), null, "the tests run in no image");
});

test("an image that does not say it, or says what nobody knows, is not taken for a process", () => {
  for (const environment of [
    { CMCP_VSOCK_ADDON: ADDON },
    { CMCP_IMAGE_PLATFORM: "sgx" },
    { CMCP_IMAGE_PLATFORM: "SEV-SNP", CMCP_VSOCK_ADDON: ADDON },
  ]) {
    assert.throws(() => imagePlatformOf(environment), { code: "ATTESTATION_PROVIDER_UNSUPPORTED" });
  }
});
