import { createHash, createPublicKey, X509Certificate } from "node:crypto";
import { sharedFile } from "../../testing/shared.ts";
import type { TpmEvidence } from "../evidence.ts";
import { readTpmEvidence } from "../read-evidence.ts";
import { tpmPolicySchema, type TpmPolicy } from "../policy.ts";

/** A genuine quote of the corpus with what its policy has to say for it to be accepted. */
export interface GenuineQuote {
  readonly name: string;
  readonly evidence: TpmEvidence;
  readonly policy: TpmPolicy;
  readonly reportData: Uint8Array;
  /** A time at which its certificates, where it has some, were valid. */
  readonly at: Date;
}

const FOLDER = "evidence/tpm";
const SIMULATOR = "ms-tpm-simulator-agent-manifest";
const AZURE = "azure-trusted-launch-cmcp";
const ALL_REGISTERS = Array.from({ length: 24 }, (_, index) => index);

export function tpmFile(path: string): Uint8Array<ArrayBuffer> {
  return sharedFile(`${FOLDER}/${path}`) ?? new Uint8Array();
}

function hexFile(path: string): Uint8Array {
  return Buffer.from(new TextDecoder().decode(tpmFile(path)).trim(), "hex");
}

/** SHA-256 of the SubjectPublicKeyInfo in a PEM public key or certificate, by Node's reader. */
function pin(path: string): string {
  const text = Buffer.from(tpmFile(path)).toString();
  const key = text.includes("CERTIFICATE") ? new X509Certificate(text).publicKey : createPublicKey(text);
  return createHash("sha256")
    .update(key.export({ type: "spki", format: "der" }))
    .digest("hex");
}

/** SHA-256 of the attestation key of the Google instance whose quotes are here; its certificate's issuer is not in the corpus. */
const GOOGLE_KEY = "6a114d75ad6e7b75f7da33dead50f2e29bf509108646ced2e588bebc35f0d5b6";
const TRUSTEE_KEY = "a517f03ffdaee469aef1a19569547e330726335d0461c3ef6383409c6295679e";

/** Every genuine quote that has a signature. Call it only where the corpus is. */
export function genuineQuotes(): readonly GenuineQuote[] {
  const simulator = (["rsassa-sha256", "rsassa-sha384", "ecdsa-sha384"] as const).map((name) => ({
    name,
    evidence: readTpmEvidence(tpmFile(`${SIMULATOR}/${name}-attest.bin`), [
      tpmFile(`${SIMULATOR}/${name}-tpmt-signature.bin`),
      tpmFile(`${SIMULATOR}/${name}-ak-chain.pem`),
    ]),
    policy: tpmPolicySchema.parse({ root_key_sha256: [pin(`${SIMULATOR}/${name}-root.pem`)], selections: [[0, 1, 2]] }),
    reportData: hexFile(`${SIMULATOR}/nonce.hex`),
    at: new Date("2026-08-15T00:00:00Z"),
  }));
  const azure = {
    name: "azure trusted launch",
    evidence: readTpmEvidence(
      tpmFile(`${AZURE}/quote.msg`),
      ["quote.sig", "pcrs.bin", "ak.pub"].map((file) => tpmFile(`${AZURE}/${file}`)),
    ),
    policy: tpmPolicySchema.parse({
      attestation_key_sha256: [pin(`${AZURE}/ak.pub`)],
      selections: [[0, 1, 2, 3, 4, 5, 6, 7]],
    }),
    reportData: hexFile(`${AZURE}/nonce.hex`),
    at: new Date("2026-08-15T00:00:00Z"),
  };
  const google = {
    name: "google compute engine",
    evidence: readTpmEvidence(tpmFile("gce-go-tpm-tools/gce-cos-85-nonce9009.pb")),
    policy: tpmPolicySchema.parse({ attestation_key_sha256: [GOOGLE_KEY] }),
    reportData: Uint8Array.of(0x90, 0x09),
    at: new Date("2021-09-01T00:00:00Z"),
  };
  const trustee = {
    name: "confidential containers",
    evidence: readTpmEvidence(tpmFile("trustee/tpm_evidence.json")),
    policy: tpmPolicySchema.parse({ attestation_key_sha256: [TRUSTEE_KEY], selections: [ALL_REGISTERS] }),
    reportData: Buffer.from(
      "a04182b506878d4f29b91ee606a71a0d3361ccf1b22db20c98adcaa537bea393ef0e41a18b3569ab678f1497fbc5c12000000000000000000000000000000000",
      "hex",
    ),
    at: new Date("2026-08-15T00:00:00Z"),
  };
  return [...simulator, azure, google, trustee];
}
