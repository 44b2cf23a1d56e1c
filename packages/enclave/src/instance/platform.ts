import type { Duplex } from "node:stream";
import { CmcpError } from "@cmcp/boundary";
import {
  attesterOf,
  detectProvider,
  METADATA_HOST,
  localDerivedKey,
  METADATA_PORT,
  providerOfImage,
  readLocalTdReport,
  type Attester,
  type BoundLaunch,
  type LaunchDigests,
  type Machine,
  type Provider,
} from "@cmcp/attestation";
import type { LaunchDocument } from "@cmcp/launch";

/** What the process may reach of the machine around it. */
export interface PlatformAccess {
  readonly machine: Machine;
}

/** A stream through the host's egress relay. */
export type Dial = (host: string, port: number, signal: AbortSignal) => Promise<Duplex>;

/** What a platform is established with: the machine around the process, and the host's relay. */
export interface PlatformPorts {
  readonly access: PlatformAccess;
  readonly dial: Dial;
}

/** The platform an enclave runs on, and what it was launched as. */
export interface BoundPlatform {
  readonly attester: Attester;
  readonly launch: BoundLaunch;
}

/**
 * In an image, establishes that the machine was launched for exactly the bytes with these digests, before anything parses
 * them: what the machine is comes from the measured command line, not from them. `null` for a process of a host, which was
 * launched for nothing yet.
 *
 * @throws CmcpError `LAUNCH_DIGEST_MISMATCH`, `ATTESTATION_REPORT_UNAVAILABLE`
 */
export async function bindImage(digests: LaunchDigests, reach: PlatformPorts): Promise<BoundPlatform | null> {
  const image = reach.access.machine.imagePlatform();
  return image === null ? null : await bind(providerOfImage(image), digests, reach);
}

/**
 * Holds the document to the platform of the image; for a process, finds the platform and binds the launch to it. Any failure
 * is fatal: nothing of the document is acted on before.
 *
 * @param image what {@link bindImage} gave for the same bytes
 * @throws CmcpError `ATTESTATION_PROVIDER_UNSUPPORTED`, `LAUNCH_DIGEST_MISMATCH`, `EVIDENCE_MEASUREMENT_MISMATCH`,
 * `ATTESTATION_REPORT_UNAVAILABLE`
 */
export async function establishPlatform(
  document: LaunchDocument,
  image: BoundPlatform | null,
  digests: LaunchDigests,
  reach: PlatformPorts,
): Promise<BoundPlatform> {
  const { provider: setting, expected_measurement: expected } = document.config.attestation;
  const { provider } = detectProvider(setting, document.development, reach.access.machine);
  const platform = image ?? (await bind(provider, digests, reach));
  const { measurement } = platform.launch;
  if (expected !== null && measurement !== expected) {
    throw new CmcpError(
      "EVIDENCE_MEASUREMENT_MISMATCH",
      `the platform reports measurement ${measurement}, attestation.expected_measurement is another`,
    );
  }
  return platform;
}

async function bind(
  provider: Provider,
  digests: LaunchDigests,
  { access, dial }: PlatformPorts,
): Promise<BoundPlatform> {
  const attester = attesterOf(provider, {
    tpm: access.machine.tpm(),
    // The one address besides tool servers that is dialled; the host's relay has it on its list for Azure only.
    dialMetadata: async (signal) => await dial(METADATA_HOST, METADATA_PORT, signal),
    tdReport: async () => await readLocalTdReport(),
    derivedKey: localDerivedKey(),
  });
  return { attester, launch: await attester.bindLaunch(digests) };
}
