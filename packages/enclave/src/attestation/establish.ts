import { createHash } from "node:crypto";
import type { Duplex } from "node:stream";
import { CmcpError, examine, type Untrusted } from "@cmcp/boundary";
import { attesterOf, detectProvider, METADATA_HOST, localDerivedKey, METADATA_PORT, readLocalTdReport, type Attester, type BoundLaunch, type Machine } from "@cmcp/attestation";
import type { LaunchDocument } from "@cmcp/launch";

/** What the process may reach of the machine around it. */
export interface PlatformAccess {
  readonly machine: Machine;
}

/** A stream through the host's egress relay. */
export type Dial = (host: string, port: number, signal: AbortSignal) => Promise<Duplex>;

/** The launch document as it was received, hashed before anything read it. */
export interface MeasuredBytes {
  readonly received: Untrusted<Uint8Array>;
  /** SHA-256 of it, 32 bytes. */
  readonly sha256: Uint8Array;
}

/** The platform an enclave runs on, and what it was launched as. */
export interface EstablishedPlatform {
  readonly attester: Attester;
  readonly launch: BoundLaunch;
}

/**
 * Finds the platform and establishes that it was launched for exactly these bytes and as the image the document
 * expects. Any failure is fatal: nothing of the document is acted on before.
 *
 * @throws CmcpError `ATTESTATION_PROVIDER_UNSUPPORTED`, `LAUNCH_DIGEST_MISMATCH`, `EVIDENCE_MEASUREMENT_MISMATCH`,
 * `ATTESTATION_REPORT_UNAVAILABLE`
 */
export async function establishPlatform(document: LaunchDocument, bytes: MeasuredBytes, access: PlatformAccess, dial: Dial): Promise<EstablishedPlatform> {
  const { provider: setting, expected_measurement: expected } = document.config.attestation;
  const { provider } = detectProvider(setting, document.development, access.machine);
  const attester = attesterOf(provider, {
    tpm: access.machine.tpm(),
    // The one address besides tool servers that is dialled; the host's relay has it on its list for Azure only.
    dialMetadata: async (signal) => await dial(METADATA_HOST, METADATA_PORT, signal),
    tdReport: async () => await readLocalTdReport(),
    derivedKey: localDerivedKey(),
  });
  const launch = await attester.bindLaunch({ sha256: bytes.sha256, sha384: new Uint8Array(createHash("sha384").update(examine(bytes.received)).digest()) });
  if (expected !== null && launch.measurement !== expected) {
    throw new CmcpError("EVIDENCE_MEASUREMENT_MISMATCH", `the platform reports measurement ${launch.measurement}, attestation.expected_measurement is another`);
  }
  return { attester, launch };
}
