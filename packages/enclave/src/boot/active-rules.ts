import { CmcpError, type Untrusted } from "@cmcp/boundary";
import { parseReload } from "@cmcp/launch";
import {
  compilePolicy,
  readBundle,
  readsFindings,
  requireHigherVersion,
  SigningKeys,
  type CompiledPolicy,
} from "@cmcp/policy";
import type { Rules } from "../call/rules.ts";
import type { InstanceReport, RulesHashes } from "../instance/report.ts";
import type { Journal } from "../record/journal.ts";
import type { Recorder } from "../record/recorder.ts";
import type { Sessions } from "../record/sessions.ts";
import { retiredKey, signerOf } from "./bundle-signer.ts";
import type { NextCatalogs } from "./next-catalog.ts";

/** The settings of the launch document for replacing policy and catalog. */
export interface ReloadSettings {
  /** Ed25519 key that bundles must be signed with, base64url of 32 bytes. */
  readonly signingKey: string | null;
  readonly reloadable: boolean;
  readonly workerUrl: URL;
  /** Whether the build carries the data of detectors; without it no policy may read findings. */
  readonly hasDetectors: boolean;
  /** Reads later catalogs; `null` where the launch document's catalog stays. */
  readonly catalogs: Pick<NextCatalogs, "accept"> | null;
}

/** What a reload needs. */
export interface ReloadPorts {
  readonly journal: Pick<Journal, "assertWritable">;
  readonly sessions: Pick<Sessions, "openSessions" | "scheduleClose">;
  readonly recorder: Pick<Recorder, "noteInAll">;
  /** Makes a report of the instance that commits to policy and catalog. */
  readonly report: (rules: RulesHashes) => Promise<InstanceReport>;
  /** Called when other rules are in force. */
  readonly installed: (report: InstanceReport, before: Rules) => void;
}

/** Policy and catalog that are in force, and what came with them. */
interface InForce extends Rules {
  /** The version that the catalog came with; `null` for the launch document's own. */
  readonly catalogVersion: number | null;
  /** The key that signed the policy. */
  readonly signedBy: string | null;
}

/** What a message brings, checked but not compiled. */
interface Candidate extends Omit<InForce, "policy"> {
  readonly bundle: CompiledPolicy["bundle"];
}

/** @throws CmcpError `DETECTOR_DATA_REFUSED` for a policy that reads what no detector can find */
function requireDetectors(policy: CompiledPolicy, hasDetectors: boolean): void {
  if (readsFindings(policy) && !hasDetectors)
    throw new CmcpError(
      "DETECTOR_DATA_REFUSED",
      "the policy reads findings, and this build carries no detectors' data",
    );
}

/** Policy and catalog in force. `reload` is the only way to replace them. */
export class ActiveRules {
  readonly #settings: ReloadSettings;
  /** The keys that bundles are signed with. */
  readonly keys: SigningKeys;
  #current: InForce;
  #last: Promise<unknown> = Promise.resolve();

  constructor(first: Rules, settings: ReloadSettings) {
    requireDetectors(first.policy, settings.hasDetectors);
    this.#current = { ...first, catalogVersion: null, signedBy: settings.signingKey };
    this.#settings = settings;
    this.keys = new SigningKeys(settings.signingKey);
  }

  /** The rules in force now. */
  get current(): Rules {
    return this.#current;
  }

  /** Hashes of policy and catalog in force now. */
  get hashes(): RulesHashes {
    return { policy: this.#current.policy.bundle.hash, catalog: this.#current.catalog.hash };
  }

  /** The version that the catalog in force came with; `null` for the launch document's own. */
  get catalogVersion(): number | null {
    return this.#current.catalogVersion;
  }

  /** Whether the policy in force was signed by a key that is not revoked. */
  get isTrusted(): boolean {
    return !this.keys.isRevoked(this.#current.signedBy);
  }

  /**
   * Puts another bundle, another catalog, or both in force. The launch document must allow it. The pinned key must have signed the bundle,
   * enough catalog keys must have approved the catalog, and each version must be higher. Calls that are decided keep their decision.
   * Reloads run one at a time. What is in force can be sent again and changes nothing.
   *
   * @param received - the host's message, see `parseReload`
   * @throws CmcpError if any of it is refused; the rules in force stay
   */
  async reload(parts: ReloadPorts, received: Untrusted<Uint8Array>): Promise<InstanceReport> {
    const run = this.#last.then(() => this.#replace(parts, received));
    this.#last = run.catch(() => undefined);
    return await run;
  }

  async #replace(parts: ReloadPorts, received: Untrusted<Uint8Array>): Promise<InstanceReport> {
    const { workerUrl, hasDetectors } = this.#settings;
    const before = this.#current;
    const candidate = this.#read(received);
    const { bundle, catalog } = candidate;
    // The host sends it again if it did not get the answer.
    if (bundle.hash === before.policy.bundle.hash && catalog === before.catalog) {
      this.#current = { ...before, signedBy: candidate.signedBy };
      return await parts.report(this.hashes);
    }
    parts.journal.assertWritable();
    const policy = await compilePolicy(bundle, catalog, { workerUrl });
    requireDetectors(policy, hasDetectors);
    // Before the change, so that no call is decided under rules without a report.
    const report = await parts.report({ policy: bundle.hash, catalog: catalog.hash });
    // The key may have handed over while the bundle was compiled.
    if (bundle.hash !== before.policy.bundle.hash && candidate.signedBy !== this.keys.current) throw retiredKey();
    await this.#install(parts, { ...candidate, policy }, report);
    return report;
  }

  /** Reads a message and holds what it brings to the launch document. What it does not bring stays as it is. */
  #read(received: Untrusted<Uint8Array>): Candidate {
    const { policy_bundle: files, catalog: written } = parseReload(received);
    const { policy, catalog, catalogVersion, signedBy } = this.#current;
    const bundle = files === undefined ? policy.bundle : readBundle(files);
    const { catalogs } = this.#settings;
    if (written !== undefined && catalogs === null)
      throw new CmcpError("NOT_SUPPORTED", "the launch document does not allow another catalog");
    const inForce = { catalog, version: catalogVersion };
    const next = written === undefined || catalogs === null ? inForce : catalogs.accept(written, inForce);
    return {
      bundle,
      signedBy: files === undefined ? signedBy : this.#signerOf(bundle),
      catalog: next.catalog,
      catalogVersion: next.version,
    };
  }

  /** The key of a bundle that may be in force. @throws CmcpError `NOT_SUPPORTED`, `POLICY_VERSION_NOT_HIGHER`, and as {@link signerOf} */
  #signerOf(bundle: CompiledPolicy["bundle"]): string {
    const { signingKey, reloadable } = this.#settings;
    if (!reloadable || signingKey === null)
      throw new CmcpError("NOT_SUPPORTED", "the launch document does not allow policy reloads");
    const { policy, signedBy } = this.#current;
    const isInForce = bundle.hash === policy.bundle.hash;
    const key = signerOf(bundle, this.keys, {
      first: signingKey,
      inForce: isInForce && this.isTrusted ? signedBy : null,
    });
    if (!isInForce) requireHigherVersion(bundle.version, policy.bundle.version);
    return key;
  }

  /**
   * Changes the rules and adds the entries to each chain, in one synchronous step. So in every chain the entries come
   * before all decisions under the new rules.
   */
  async #install(
    { sessions, recorder, installed }: ReloadPorts,
    next: InForce & Candidate,
    report: InstanceReport,
  ): Promise<void> {
    const before = this.#current;
    const { policy, catalog, catalogVersion, signedBy } = next;
    this.#current = { policy, catalog, catalogVersion, signedBy };
    // With the first call that they decide, agents can ask for the report that names them.
    installed(report, before);
    const notes = loadEntries(before, this.#current, report).map((entry) =>
      recorder.noteInAll(sessions.openSessions(), entry),
    );
    // A session without room for these entries has no room for a call either.
    for (const { full } of notes) for (const recorded of full) sessions.scheduleClose(recorded);
    await Promise.all(notes.map(({ stored }) => stored));
  }
}

/** The entries that say what came into force. */
function loadEntries(before: InForce, after: InForce, { evidence: { report_data } }: InstanceReport) {
  const { bundle } = after.policy;
  const policy = {
    entry_type: "policy_load",
    detail: {
      policy_hash: bundle.hash,
      policy_version: bundle.version,
      previous_policy_hash: before.policy.bundle.hash,
      report_data,
    },
  } as const;
  const catalog = {
    entry_type: "catalog_load",
    detail: {
      catalog_hash: after.catalog.hash,
      catalog_version: after.catalogVersion ?? 0,
      previous_catalog_hash: before.catalog.hash,
      report_data,
    },
  } as const;
  return [
    ...(bundle.hash === before.policy.bundle.hash ? [] : [policy]),
    ...(after.catalog === before.catalog ? [] : [catalog]),
  ];
}
