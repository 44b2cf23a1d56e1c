import type { Evidence } from "@cmcp/appraise/evidence";
import { sessionReportData } from "@cmcp/attestation";

/** Most sessions whose evidence is cached, the latest ones. */
const MAX_REMEMBERED = 1024;

/** What collecting session evidence needs. */
export interface SessionEvidenceOptions {
  readonly thumbprint: Uint8Array;
  readonly validityMs: number;
  /** Whether stale evidence is used if the platform gives no new one. The claim then says that it is stale. */
  readonly keepStale: boolean;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly collect: (reportData: Uint8Array, principalId: string) => Promise<Evidence>;
}

interface CachedEvidence {
  readonly made: number;
  readonly evidence: Promise<Evidence>;
}

/**
 * Evidence that commits to the root of a session's chain, collected on first use. The root never changes, so one report serves every claim
 * of the session until it is too old.
 */
export class SessionEvidence {
  readonly #options: SessionEvidenceOptions;
  readonly #byRoot = new Map<string, CachedEvidence>();

  constructor(options: SessionEvidenceOptions) {
    this.#options = options;
  }

  /** @param root the root of the session's chain, 64 hex digits. @throws CmcpError as `collect` does */
  async of(root: string, principalId: string): Promise<Evidence> {
    const { now, validityMs, keepStale, thumbprint, collect } = this.#options;
    const known = this.#byRoot.get(root);
    if (known !== undefined && now() - known.made < validityMs) return await known.evidence;
    const made = { made: now(), evidence: collect(sessionReportData(thumbprint, root), principalId) };
    this.#remember(root, made);
    try {
      return await made.evidence;
    } catch (thrown) {
      const served = keepStale ? known : undefined;
      if (this.#byRoot.get(root) === made) {
        if (served === undefined) this.#byRoot.delete(root);
        else this.#byRoot.set(root, served);
      }
      if (served === undefined) throw thrown;
      return await served.evidence;
    }
  }

  #remember(root: string, made: CachedEvidence): void {
    this.#byRoot.delete(root);
    this.#byRoot.set(root, made);
    const oldest = this.#byRoot.keys().next();
    if (this.#byRoot.size > MAX_REMEMBERED && oldest.done !== true) this.#byRoot.delete(oldest.value);
  }
}
