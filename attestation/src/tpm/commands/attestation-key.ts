import { DerReader, TAG } from "@cmcp/appraise/evidence";
import { ByteReader } from "@cmcp/boundary";
import { hasHandle } from "./capability.ts";
import { HANDLE } from "./codes.ts";
import { readNv } from "./nv.ts";
import { createPrimary, flush, readPublic } from "./objects.ts";
import { attestationKeyTemplate } from "./templates.ts";
import { readResponse, type Tpm } from "./tpm.ts";

/** Where Azure keeps the attestation key it made, and its certificate (guest attestation of Azure virtual machines). */
export const AZURE_KEY_HANDLE = 0x81000003;
export const AZURE_KEY_CERTIFICATE_INDEX = 0x01c101d0;

/** Where Google Compute Engine keeps templates of its attestation keys and their certificates: ECC first, then RSA. */
const GCE_KEYS = [
  { certificate: 0x01c10002, template: 0x01c10003 },
  { certificate: 0x01c10000, template: 0x01c10001 },
] as const;

/** A restricted signing key that is loaded. */
export interface AttestationKey {
  readonly handle: number;
  /** TPMT_PUBLIC. */
  readonly publicArea: Uint8Array;
  /** The platform's DER certificate of it; none for a key nobody vouches for. */
  readonly certificates: readonly Uint8Array[];
  /** Takes the key out of the TPM's memory; a key that the platform keeps there stays. */
  release(): Promise<void>;
}

/**
 * The key to sign quotes with: the one the platform certified where there is one, else one made from the TPM's
 * endorsement seed. That one is the same at every start, yet only its public half says so.
 */
export async function loadAttestationKey(tpm: Tpm): Promise<AttestationKey> {
  return (await loadAzureKey(tpm)) ?? (await loadGceKey(tpm)) ?? (await makeKey(tpm, attestationKeyTemplate(), []));
}

/** The key Azure certified, `null` where the certificate or the key is missing. */
async function loadAzureKey(tpm: Tpm): Promise<AttestationKey | null> {
  if (!(await hasHandle(tpm, AZURE_KEY_CERTIFICATE_INDEX)) || !(await hasHandle(tpm, AZURE_KEY_HANDLE))) return null;
  return await persistentKey(tpm, AZURE_KEY_HANDLE, [await readCertificate(tpm, AZURE_KEY_CERTIFICATE_INDEX)]);
}

/** A key that stays in the TPM under a persistent handle. */
export async function persistentKey(
  tpm: Tpm,
  handle: number,
  certificates: readonly Uint8Array[],
): Promise<AttestationKey> {
  return { handle, publicArea: await readPublic(tpm, handle), certificates, release: () => Promise.resolve() };
}

async function loadGceKey(tpm: Tpm): Promise<AttestationKey | null> {
  for (const { certificate, template } of GCE_KEYS) {
    if (!(await hasHandle(tpm, certificate)) || !(await hasHandle(tpm, template))) continue;
    return await makeKey(tpm, bareTemplate(await readNv(tpm, template)), [await readCertificate(tpm, certificate)]);
  }
  return null;
}

async function makeKey(tpm: Tpm, template: Uint8Array, certificates: readonly Uint8Array[]): Promise<AttestationKey> {
  const { handle, publicArea } = await createPrimary(tpm, HANDLE.endorsement, template);
  return { handle, publicArea, certificates, release: async () => await flush(tpm, handle) };
}

/** A template as TPMT_PUBLIC, whether it is kept with its length (TPM2B_PUBLIC) or without. */
function bareTemplate(stored: Uint8Array): Uint8Array {
  return readResponse("TPM2_NV_Read", () => {
    const length = new ByteReader(stored, "the key's template", "big").u16();
    return length === stored.length - 2 ? stored.subarray(2) : stored;
  });
}

/** A certificate in NV; indices are often larger than what is in them. */
async function readCertificate(tpm: Tpm, index: number): Promise<Uint8Array> {
  const stored = await readNv(tpm, index);
  return readResponse("TPM2_NV_Read", () =>
    new DerReader(stored, "the attestation key's certificate").next(TAG.sequence).whole.slice(),
  );
}
