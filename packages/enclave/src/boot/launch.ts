import { hash } from "node:crypto";
import { networkInterfaces } from "node:os";
import { openedEpoch, type SignedLostStore } from "@cmcp/audit";
import { CmcpError, examine, type JsonValue, type Untrusted } from "@cmcp/boundary";
import { loadCatalog, requireCatalogHash, requireProvenance, type Catalog } from "@cmcp/catalog";
import { carriedDetectors, type Detectors } from "@cmcp/findings";
import { prepareSchemas } from "@cmcp/inspection";
import { requireKnownNames } from "@cmcp/limits";
import { parseLaunchDocument, type Config, type LaunchDocument } from "@cmcp/launch";
import { readBundle, requirePinned, type PolicyBundle } from "@cmcp/policy";
import type { CompileWorker } from "@cmcp/policy/worker";
import { Vocabulary } from "@cmcp/session";
import type { ExchangePool } from "@cmcp/wire";
import {
  bindImage,
  establishPlatform,
  type Dial,
  type BoundPlatform,
  type PlatformAccess,
} from "../instance/platform.ts";
import { dialEgress } from "../servers/egress.ts";
import { witnessSettings, type WitnessSettings } from "./witness-settings.ts";

/** What keeps this process from the network, as the process itself observes it. */
export type Isolation = "network-namespace" | "none";

/** What the process passes to the enclave. */
export interface Environment {
  /** Streams to the host's services: store and egress relay. */
  readonly host: ExchangePool;
  /** The script that compiles policy candidates in a disposable worker. */
  readonly policyWorker: URL;
  /** A worker that was started early, for the policy of the launch document. */
  readonly firstCompiler: CompileWorker;
  /** `sha256:` and hex of this process's script. */
  readonly buildDigest: string;
  readonly platform: PlatformAccess;
  /** Monotonic milliseconds. */
  readonly monotonic: () => number;
  /** Socket of the spawner of stdio servers; `null` if none runs. */
  readonly spawner: string | null;
  /** Requests that a key opens before another takes its place; those of the sealed channel's SPEC unless it is there. */
  readonly requestsOfKey?: number;
}

/** An accepted launch document. */
export interface AcceptedLaunch {
  readonly document: LaunchDocument;
  readonly config: Config;
  /** The document's bytes as received. They contain no secret, but the policy may be private. */
  readonly bytes: Uint8Array;
  /** SHA-256 of those bytes. */
  readonly sha256: Buffer;
  /** The same as `sha256:` and hex. */
  readonly digest: string;
  readonly platform: BoundPlatform;
  /** Whether this is the published image, and not a process of a host. */
  readonly inImage: boolean;
  readonly isolation: Isolation;
  readonly dial: Dial;
  /** `null` where the log has no witnesses. */
  readonly witnesses: WitnessSettings | null;
  /** The operator's statement that opened the log's epoch; `null` in the first one. */
  readonly lostStore: SignedLostStore | null;
}

/** Policy and catalog of the document, checked against the hashes that it pins. */
export interface LaunchContents {
  readonly bundle: PolicyBundle;
  readonly catalog: Catalog;
  readonly vocabulary: Vocabulary;
  /** `null` if the build carries no detectors' data, which only some policies and settings need. */
  readonly detectors: Detectors | null;
}

/** Accepts a launch document: hashes its bytes, compares the hash with the one that the hardware was launched with, then parses it. */
export async function acceptLaunch(received: Untrusted<Uint8Array>, environment: Environment): Promise<AcceptedLaunch> {
  // Hashed as received, before anything parses them.
  const bytes = examine(received);
  const digests = {
    sha256: hash("sha256", bytes, "buffer"),
    sha384: hash("sha384", bytes, "buffer"),
  };
  const dial: Dial = async (host, port, signal) => await dialEgress(environment.host, host, port, signal);
  const reached = { access: environment.platform, dial };
  // In an image, compared with the launch digest of the hardware, also before anything parses them.
  const image = await bindImage(digests, reached);
  const document = parseLaunchDocument(received);
  const { log, enclave } = document.config;
  const witnesses = witnessSettings(log);
  const { origin, lost_store } = log;
  const lostStore = openedEpoch({ origin, lostStore: lost_store, operatorKeys: enclave.operator_keys });
  const isolation = observeIsolation();
  if (isolation === "none" && !document.development)
    throw new CmcpError("ISOLATION_UNAVAILABLE", "this process can reach a network; that needs development mode");
  const platform = await establishPlatform(document, image, digests, reached);
  const digest = `sha256:${digests.sha256.toString("hex")}`;
  const { config } = document;
  const { sha256 } = digests;
  const inImage = image !== null;
  return { document, config, bytes, sha256, digest, platform, inImage, isolation, dial, witnesses, lostStore };
}

/** Loads policy bundle and catalog, and checks both against the hashes that the document pins. */
export async function loadLaunchContents({ document, config }: AcceptedLaunch): Promise<LaunchContents> {
  const vocabulary = new Vocabulary(config.sensitivity);
  const bundle = readBundle(document.policy_bundle);
  requirePinned(bundle, {
    hash: document.pins.policy_hash ?? null,
    signingKey: document.trust_anchors.policy_signing_key ?? null,
    reloadable: config.policy_reload_interval_seconds > 0,
  });
  const { finding_labels: labels } = config.enclave;
  requireLabels(labels, vocabulary);
  const detectors = await carriedDetectors();
  if (detectors === null && labels !== undefined)
    throw new CmcpError(
      "DETECTOR_DATA_REFUSED",
      "enclave.finding_labels needs detectors, and this build carries no data for them",
    );
  const catalog = loadHeldCatalog({ document, config }, { vocabulary, detectors }, document.catalog);
  requireCatalogHash(catalog.hash, document.pins.catalog_hash ?? null);
  return { bundle, catalog, vocabulary, detectors };
}

/**
 * Loads a catalog, holds it to the configuration, and prepares the schemas of its tools.
 * @throws CmcpError as `loadCatalog` and `requireKnownNames`
 */
export function loadHeldCatalog(
  { document, config }: Pick<AcceptedLaunch, "document" | "config">,
  { vocabulary, detectors }: Pick<LaunchContents, "vocabulary" | "detectors">,
  raw: JsonValue,
): Catalog {
  const toolSearch = config.enclave.tool_search ?? false;
  const catalog = loadCatalog(raw, { developmentMode: document.development, vocabulary, detectors, toolSearch });
  requireKnownNames(config, catalog, (label) => vocabulary.has(label));
  requireProvenance(catalog.servers, config.attestation.required_provenance_kind);
  for (const tool of catalog.tools.values()) prepareSchemas(tool);
  return catalog;
}

/** @throws CmcpError `CONFIG_INVALID` for a label that is not known */
function requireLabels(labels: Config["enclave"]["finding_labels"], vocabulary: Vocabulary): void {
  for (const [of, label] of Object.entries(labels ?? {}))
    if (label !== undefined && !vocabulary.has(label))
      throw new CmcpError(
        "CONFIG_INVALID",
        `enclave.finding_labels.${of}: ${JSON.stringify(label)} is not a sensitivity label`,
      );
}

/**
 * Observes the isolation. In an empty network namespace no interface has an address, not even loopback. Otherwise sockets could reach a
 * network, and the answer is `none` whatever the launcher claims.
 */
function observeIsolation(): Isolation {
  return Object.keys(networkInterfaces()).length === 0 ? "network-namespace" : "none";
}
