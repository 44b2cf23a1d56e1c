import { createHash } from "node:crypto";
import type { ProvisionFacts } from "@cmcp/audit";
import { canonicalBytes } from "@cmcp/boundary";
import type { Provision } from "@cmcp/launch";
import type { Journal } from "./journal.ts";
import type { Recorder } from "./recorder.ts";
import type { Sessions } from "./sessions.ts";

/** What recording provisionings needs. */
export interface ProvisionPorts {
  readonly journal: Pick<Journal, "append" | "assertWritable">;
  readonly instance: string;
  /** Sequence of the last provisioning of the log. */
  readonly sequence: number;
  /** The commitment to a token, from its SHA-256 in hex. */
  readonly commit: (sha256: string) => string;
  readonly sessions: Pick<Sessions, "openSessions">;
  readonly recorder: Pick<Recorder, "noteInAll">;
}

/** The two steps for a message: `check` throws before anything is recorded, `apply` runs once the record is stored. */
export interface ProvisionSteps {
  readonly check: () => void;
  readonly apply: () => void;
}

/** Records each provisioning, in the journal and in every open session. */
export class Provisions {
  readonly #parts: ProvisionPorts;
  #sequence: number;
  #inForce: { readonly sequence: number; readonly hash: string } | null = null;
  #last: Promise<unknown> = Promise.resolve();

  constructor(parts: ProvisionPorts) {
    this.#parts = parts;
    this.#sequence = parts.sequence;
  }

  /** The latest provisioning; `null` before the first. */
  get inForce(): { readonly sequence: number; readonly hash: string } | null {
    return this.#inForce;
  }

  /**
   * Takes a message. Messages are taken one at a time.
   * @throws CmcpError of `check`, or `AUDIT_STORE_UNAVAILABLE`; the provisioning in force stays
   */
  async take(message: Provision, steps: ProvisionSteps): Promise<void> {
    const run = this.#last.then(() => this.#take(message, steps));
    this.#last = run.catch(() => undefined);
    await run;
  }

  async #take(message: Provision, { check, apply }: ProvisionSteps): Promise<void> {
    const { journal, instance, sessions, recorder } = this.#parts;
    check();
    journal.assertWritable();
    // The number is used up even if the host is late, because the record will still be stored.
    this.#sequence += 1;
    const facts = provisionFacts(message, this.#sequence, this.#parts.commit);
    await journal.append(instance, { kind: "provision", body: facts });
    const hash = `sha256:${createHash("sha256").update(canonicalBytes(facts)).digest("hex")}`;
    apply();
    this.#inForce = { sequence: facts.sequence, hash };
    const detail = { provision_sequence: facts.sequence, provision_hash: hash };
    await recorder.noteInAll(sessions.openSessions(), { entry_type: "provision", detail }).stored;
  }
}

/** The facts of a message, sorted so that they have one form. */
export function provisionFacts(
  { tokens, tokenless, credentials = [] }: Provision,
  sequence: number,
  commit: (sha256: string) => string,
): ProvisionFacts {
  const byPrincipal = new Map<string, string[]>();
  for (const { principal, sha256 } of tokens)
    byPrincipal.set(principal, [...(byPrincipal.get(principal) ?? []), commit(sha256)]);
  return {
    sequence,
    ...(tokenless === true ? { tokenless } : {}),
    principals: [...byPrincipal]
      .map(([principal, committed]) => ({ principal, tokens: committed.toSorted() }))
      .toSorted((a, b) => (a.principal < b.principal ? -1 : 1)),
    credentials: credentials.map(({ name }) => name).toSorted(),
  };
}

/**
 * A commitment to a token in one log, in hex: SHA-256 over the origin, a newline, and the 32 bytes of the token's own
 * SHA-256. It identifies the token in the record and cannot be used as one.
 */
export function tokenCommitment(origin: string, sha256: string): string {
  return createHash("sha256").update(`${origin}\n`).update(Buffer.from(sha256, "hex")).digest("hex");
}
