import { CmcpError, type Untrusted } from "@cmcp/boundary";
import { parsePolicyReload } from "@cmcp/launch";
import {
  compilePolicy,
  readBundle,
  readsFindings,
  requireHigherVersion,
  verifyBundleSignature,
  SigningKeys,
  type CompiledPolicy,
  type PolicyBundle,
} from "@cmcp/policy";
import type { Catalog } from "@cmcp/catalog";
import type { InstanceReport } from "../instance/report.ts";
import type { Journal } from "../record/journal.ts";
import type { Recorder } from "../record/recorder.ts";
import type { Sessions } from "../record/sessions.ts";

/** The settings of the launch document for replacing the policy. */
interface ReloadSettings {
  /** Ed25519 key that bundles must be signed with, base64url of 32 bytes. */
  readonly signingKey: string | null;
  readonly reloadable: boolean;
  readonly workerUrl: URL;
  /** Whether the build carries the data of detectors; without it no policy may read findings. */
  readonly hasDetectors: boolean;
}

/** What a reload needs. */
export interface ReloadPorts {
  readonly catalog: Pick<Catalog, "tools">;
  readonly journal: Pick<Journal, "assertWritable">;
  readonly sessions: Pick<Sessions, "openSessions" | "scheduleClose">;
  readonly recorder: Pick<Recorder, "noteInAll">;
  /** Makes a report of the instance that commits to a policy. */
  readonly report: (policyHash: string) => Promise<InstanceReport>;
  /** Called when another policy is in force. */
  readonly installed: () => void;
}

function retiredKey(): CmcpError {
  return new CmcpError(
    "POLICY_SIGNING_KEY_REVOKED",
    "the policy bundle is signed by a key that handed over or was revoked",
  );
}

function isSignedBy(bundle: PolicyBundle, key: string): boolean {
  try {
    verifyBundleSignature(bundle, key);
    return true;
  } catch {
    return false;
  }
}

/** @throws CmcpError `DETECTOR_DATA_REFUSED` for a policy that reads what no detector can find */
function requireDetectors(policy: CompiledPolicy, hasDetectors: boolean): void {
  if (readsFindings(policy) && !hasDetectors)
    throw new CmcpError(
      "DETECTOR_DATA_REFUSED",
      "the policy reads findings, and this build carries no detectors' data",
    );
}

/** The policy in force. `reload` is the only way to replace it. */
export class ActivePolicy {
  readonly #settings: ReloadSettings;
  /** The keys that bundles are signed with. */
  readonly keys: SigningKeys;
  #current: CompiledPolicy;
  /** The key that signed the policy in force. */
  #signedBy: string | null;
  #last: Promise<unknown> = Promise.resolve();

  constructor(first: CompiledPolicy, settings: ReloadSettings) {
    requireDetectors(first, settings.hasDetectors);
    this.#current = first;
    this.#settings = settings;
    this.#signedBy = settings.signingKey;
    this.keys = new SigningKeys(settings.signingKey);
  }

  /** The policy in force now. */
  get current(): CompiledPolicy {
    return this.#current;
  }

  /** Whether the policy in force was signed by a key that is not revoked. */
  get isTrusted(): boolean {
    return !this.keys.isRevoked(this.#signedBy);
  }

  /**
   * Puts another bundle in force. The launch document must allow it, the pinned key must have signed it, and its
   * version must be higher. Calls that are decided keep their decision. Reloads run one at a time. The bundle in force
   * can be sent again and changes nothing.
   *
   * @param received - the host's message, see `parsePolicyReload`
   * @throws CmcpError if the bundle is refused; the policy in force stays
   */
  async reload(parts: ReloadPorts, received: Untrusted<Uint8Array>): Promise<InstanceReport> {
    const run = this.#last.then(() => this.#replace(parts, received));
    this.#last = run.catch(() => undefined);
    return await run;
  }

  async #replace(parts: ReloadPorts, received: Untrusted<Uint8Array>): Promise<InstanceReport> {
    const { signingKey, reloadable, workerUrl, hasDetectors } = this.#settings;
    if (!reloadable || signingKey === null)
      throw new CmcpError("NOT_SUPPORTED", "the launch document does not allow policy reloads");
    const bundle = readBundle(parsePolicyReload(received).policy_bundle);
    const key = this.#signerOf(bundle, signingKey);
    // The host sends it again if it did not get the answer.
    if (bundle.hash === this.#current.bundle.hash) {
      this.#signedBy = key;
      return await parts.report(bundle.hash);
    }
    requireHigherVersion(bundle.version, this.#current.bundle.version);
    parts.journal.assertWritable();
    const next = await compilePolicy(bundle, parts.catalog, { workerUrl });
    requireDetectors(next, hasDetectors);
    // Before the change, so that no call is decided under a policy without a report.
    const report = await parts.report(bundle.hash);
    // The key may have handed over while the bundle was compiled.
    if (key !== this.keys.current) throw retiredKey();
    this.#signedBy = key;
    await this.#install(parts, next, report);
    parts.installed();
    return report;
  }

  /**
   * The key that signed a bundle: the present one, or for the bundle in force the one it came into force with.
   * @throws CmcpError `POLICY_SIGNATURE_INVALID`, `POLICY_SIGNING_KEY_REVOKED`
   */
  #signerOf(bundle: PolicyBundle, first: string): string {
    const { current } = this.keys;
    if (current !== null && isSignedBy(bundle, current)) return current;
    const signedBy = this.#signedBy;
    // The host hands the bundle in force over again.
    if (
      bundle.hash === this.#current.bundle.hash &&
      signedBy !== null &&
      this.isTrusted &&
      isSignedBy(bundle, signedBy)
    )
      return signedBy;
    if (this.keys.hasSigned((key) => isSignedBy(bundle, key))) throw retiredKey();
    verifyBundleSignature(bundle, current ?? first);
    throw retiredKey();
  }

  /**
   * Changes the policy and adds the entry to each chain, in one synchronous step. So in every chain the entry comes
   * before all decisions under the new policy.
   */
  async #install({ sessions, recorder }: ReloadPorts, next: CompiledPolicy, report: InstanceReport): Promise<void> {
    const detail = {
      policy_hash: next.bundle.hash,
      policy_version: next.bundle.version,
      previous_policy_hash: this.#current.bundle.hash,
      report_data: report.evidence.report_data,
    };
    this.#current = next;
    const { stored, full } = recorder.noteInAll(sessions.openSessions(), { entry_type: "policy_load", detail });
    // A session without room for this entry has no room for a call either.
    for (const recorded of full) sessions.scheduleClose(recorded);
    await stored;
  }
}
