import { CmcpError, type Untrusted } from "@cmcp/boundary";
import { parsePolicyReload } from "@cmcp/launch";
import {
  compilePolicy,
  readBundle,
  requireHigherVersion,
  verifyBundleSignature,
  type CompiledPolicy,
} from "@cmcp/policy";
import type { Catalog } from "@cmcp/catalog";
import type { InstanceReport } from "../instance/report.ts";
import type { Journal } from "../record/journal.ts";
import type { Recorder } from "../record/recorder.ts";
import type { Sessions } from "../record/sessions.ts";

/** What the launch document says about replacing the policy. */
interface ReloadSettings {
  /** Ed25519 key that bundles must be signed with, base64url of 32 bytes. */
  readonly signingKey: string | null;
  readonly reloadable: boolean;
  readonly workerUrl: URL;
}

/** What a reload works on. */
export interface ReloadPorts {
  readonly catalog: Pick<Catalog, "tools">;
  readonly journal: Pick<Journal, "assertWritable">;
  readonly sessions: Pick<Sessions, "openSessions" | "scheduleClose">;
  readonly recorder: Pick<Recorder, "noteInAll">;
  /** Asks for a report of the instance that commits to a policy. */
  readonly report: (policyHash: string) => Promise<InstanceReport>;
  /** Told once another policy is in force under a new report. */
  readonly installed: () => void;
}

/** The policy in force, and the one way to replace it. */
export class ActivePolicy {
  readonly #settings: ReloadSettings;
  #current: CompiledPolicy;
  #last: Promise<unknown> = Promise.resolve();

  constructor(first: CompiledPolicy, settings: ReloadSettings) {
    this.#current = first;
    this.#settings = settings;
  }

  /** The policy in force now. */
  get current(): CompiledPolicy {
    return this.#current;
  }

  /**
   * Puts another bundle in force, if the launch document allows it, the pinned key signed it and its version
   * is higher. Calls already decided keep their decision. One reload at a time. The bundle in force, given again, changes nothing.
   *
   * @param received - the host's message, see `parsePolicyReload`
   * @throws CmcpError saying why not; the policy in force stays
   */
  async reload(parts: ReloadPorts, received: Untrusted<Uint8Array>): Promise<InstanceReport> {
    const run = this.#last.then(() => this.#replace(parts, received));
    this.#last = run.catch(() => undefined);
    return await run;
  }

  async #replace(parts: ReloadPorts, received: Untrusted<Uint8Array>): Promise<InstanceReport> {
    const { signingKey, reloadable, workerUrl } = this.#settings;
    if (!reloadable || signingKey === null)
      throw new CmcpError("NOT_SUPPORTED", "the launch document allows no other policy bundle");
    const bundle = readBundle(parsePolicyReload(received).policy_bundle);
    verifyBundleSignature(bundle, signingKey);
    // The host gives it again where the answer was lost.
    if (bundle.hash === this.#current.bundle.hash) return await parts.report(bundle.hash);
    requireHigherVersion(bundle.version, this.#current.bundle.version);
    parts.journal.assertWritable();
    const next = await compilePolicy(bundle, parts.catalog, { workerUrl });
    // Before the change, so that nothing is decided under a policy no report could be had for.
    const report = await parts.report(bundle.hash);
    await this.#install(parts, next, report);
    parts.installed();
    return report;
  }

  /**
   * The change itself, in one synchronous step: no decision falls between the new policy and its entry in a
   * session's chain, so every later entry of the chain that names the new policy comes after that one.
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
    // No call can be added to a session without room for this entry, so nothing there needs it.
    for (const recorded of full) sessions.scheduleClose(recorded);
    await stored;
  }
}
