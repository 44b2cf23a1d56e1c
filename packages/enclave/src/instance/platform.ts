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

/** The machine that the process runs on. */
export interface PlatformAccess {
  readonly machine: Machine;
}

/** A stream through the host's egress relay. */
export type Dial = (host: string, port: number, signal: AbortSignal) => Promise<Duplex>;

/** What finding the platform needs: the machine, and the host's relay. */
export interface PlatformPorts {
  readonly access: PlatformAccess;
  readonly dial: Dial;
}

/** The platform of an enclave, and the launch it is bound to. */
export interface BoundPlatform {
  readonly attester: Attester;
  readonly launch: BoundLaunch;
}

/**
 * In an image, checks that the machine was launched for a document with these digests, before anything parses it. The measured command
 * line names the platform, not the document. `null` for a process of a host, which has no launch yet.
 *
 * @throws CmcpError `LAUNCH_DIGEST_MISMATCH`, `ATTESTATION_REPORT_UNAVAILABLE`
 */
export async function bindImage(digests: LaunchDigests, reach: PlatformPorts): Promise<BoundPlatform | null> {
  const image = reach.access.machine.imagePlatform();
  return image === null ? null : await bind(providerOfImage(image), digests, reach);
}

/**
 * Checks the document against the platform of the image. In a process it finds the platform and binds the launch to it. Any failure is
 * fatal, and nothing in the document takes effect before.
 *
 * @param image the result of {@link bindImage} for the same document
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
      `the platform reports measurement ${measurement}, but attestation.expected_measurement is ${expected}`,
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
    // The only address besides tool servers. The host's relay allows it on Azure only.
    dialMetadata: async (signal) => await dial(METADATA_HOST, METADATA_PORT, signal),
    tdReport: async () => await readLocalTdReport(),
    derivedKey: localDerivedKey(),
  });
  return { attester, launch: await attester.bindLaunch(digests) };
}
