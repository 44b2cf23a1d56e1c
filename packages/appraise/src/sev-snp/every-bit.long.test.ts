/** Every single bit of genuine reports, one of each product and version. */
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { test } from "node:test";
import { everyBit } from "../testing/every-bit.ts";
import { NO_SHARED_FOLDER, sharedFile, sharedFolder } from "../testing/shared.ts";
import { sevSnpPolicySchema } from "./policy.ts";
import { REPORT_BYTES } from "./report.ts";
import { verifySevSnp } from "./verify.ts";

const skip = sharedFolder() === null ? NO_SHARED_FOLDER : false;
const AUTHENTICITY = sevSnpPolicySchema.parse({ authenticity_only: true });

/** Report, its key, and a day on which the key's certificate is valid. */
const SAMPLES = [
  ["milan-v2-vcek-120d77b213", "sev-vcek-milan-3bbfb6ee25", "2025-06-01"],
  ["milan-v3-vcek-19ade12877", "sev-vcek-milan-b4165c7b5d", "2026-10-01"],
  ["genoa-v3-vcek-227a641db2", "sev-vcek-genoa-c065f7299e", "2026-06-01"],
  ["turin-v5-vcek-3f44a09b76", "sev-vcek-turin-1488981572", "2026-06-01"],
] as const;

for (const [name, certificate, day] of SAMPLES) {
  test(`no bit of ${name} can be flipped, signed or signature`, { skip }, async () => {
    const report = sharedFile(`evidence/amd/reports/${name}.report.bin`) ?? new Uint8Array();
    const certificates = [sharedFile(`evidence/amd/certs/${certificate}.der`) ?? new Uint8Array()];
    const verify = async (changed: Uint8Array) =>
      await verifySevSnp({ report: changed, certificates }, AUTHENTICITY, new Date(day), webcrypto);
    assert.ok((await verify(report)).verified !== null, "as it is, it is authentic");
    await everyBit(report, [0, REPORT_BYTES], async (changed, bit) => {
      const { verified, checks } = await verify(changed);
      assert.ok(verified === null && checks.some(({ status }) => status === "failed"), `bit ${bit}`);
    });
  });
}
