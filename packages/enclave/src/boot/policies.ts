import { CmcpError, type Untrusted } from "@cmcp/boundary";
import { parsePolicyReload } from "@cmcp/launch";
import {
  compilePolicy,
  readBundle,
  requireHigherVersion,
  verifyBundleSignature,
  type CompiledPolicy,
} from "@cmcp/policy";
import type { Core } from "./core.ts";
import { instanceReport, type InstanceReport } from "../instance/report.ts";
import { record, type Recorded } from "../record/recorder.ts";

/** What the launch document says about replacing the policy. */
interface ReloadTerms {
  /** Ed25519 key that bundles must be signed with, base64url of 32 bytes. */
  readonly signingKey: string | null;
  readonly reloadable: boolean;
  readonly workerUrl: URL;
}

/** The policy in force, and the one way to replace it. */
export class Policies {
  readonly #terms: ReloadTerms;
  #current: CompiledPolicy;
  #last: Promise<unknown> = Promise.resolve();

  constructor(first: CompiledPolicy, terms: ReloadTerms) {
    this.#current = first;
    this.#terms = terms;
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
  async reload(core: Core, received: Untrusted<Uint8Array>): Promise<InstanceReport> {
    const run = this.#last.then(() => this.#replace(core, received));
    this.#last = run.catch(() => undefined);
    return await run;
  }

  async #replace(core: Core, received: Untrusted<Uint8Array>): Promise<InstanceReport> {
    const { signingKey, reloadable, workerUrl } = this.#terms;
    if (!reloadable || signingKey === null)
      throw new CmcpError("NOT_SUPPORTED", "the launch document allows no other policy bundle");
    const bundle = readBundle(parsePolicyReload(received).policy_bundle);
    verifyBundleSignature(bundle, signingKey);
    // The host gives it again where the answer was lost.
    if (bundle.hash === this.#current.bundle.hash)
      return await instanceReport(core, bundle.hash, bundle.hash, (reportData) => core.attest(reportData));
    requireHigherVersion(bundle.version, this.#current.bundle.version);
    core.journal.assertWritable();
    const next = await compilePolicy(bundle, core.catalog, { workerUrl });
    // Before the change, so that nothing is decided under a policy no report could be had for.
    const report = await instanceReport(core, bundle.hash, bundle.hash, (reportData) => core.attest(reportData));
    await this.#install(core, next, report);
    core.freshness.renew();
    // What a caller may use is for the new policy to say.
    for (const list of ["tools", "prompts", "resources"] as const) core.listeners.listChanged(list);
    return report;
  }

  /**
   * The change itself, in one synchronous step: no decision falls between the new policy and its entry in a
   * session's chain, so every later entry of the chain that names the new policy comes after that one.
   */
  async #install(core: Core, next: CompiledPolicy, report: InstanceReport): Promise<void> {
    const detail = {
      policy_hash: next.bundle.hash,
      policy_version: next.bundle.version,
      previous_policy_hash: this.#current.bundle.hash,
      report_data: report.evidence.report_data,
    };
    this.#current = next;
    const stored: Recorded["stored"][] = [];
    for (const recorded of core.sessions.openSessions()) {
      if (recorded.started === null || recorded.ended) continue;
      // No call can be added to a session without room for this entry, so nothing there needs it.
      if (recorded.chain.room === 0) core.sessions.setAside(recorded);
      else
        stored.push(
          record(core, recorded, {
            entry_type: "policy_load",
            policy_decision: "n/a",
            response_inspection_result: "n/a",
            detail,
          }).stored,
        );
    }
    // An entry the host is slow to take is retried by the journal; the chain has it already.
    await Promise.allSettled(stored);
  }
}
