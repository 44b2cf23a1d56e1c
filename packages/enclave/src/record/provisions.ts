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
  #sequence = 0;
  #inForce: { readonly sequence: number; readonly hash: string } | null = null;
  #last: Promise<unknown> = Promise.resolve();

  constructor(parts: ProvisionPorts) {
    this.#parts = parts;
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
    const facts = provisionFacts(message, this.#sequence);
    await journal.append(instance, { kind: "provision", body: facts });
    const hash = `sha256:${createHash("sha256").update(canonicalBytes(facts)).digest("hex")}`;
    apply();
    this.#inForce = { sequence: facts.sequence, hash };
    const detail = { provision_sequence: facts.sequence, provision_hash: hash };
    await recorder.noteInAll(sessions.openSessions(), { entry_type: "provision", detail }).stored;
  }
}

/** The facts of a message, sorted so that they have one form. */
export function provisionFacts({ tokens, tokenless, credentials = [] }: Provision, sequence: number): ProvisionFacts {
  const byPrincipal = new Map<string, string[]>();
  for (const { principal, sha256 } of tokens)
    byPrincipal.set(principal, [...(byPrincipal.get(principal) ?? []), commitment(sha256)]);
  return {
    sequence,
    ...(tokenless === true ? { tokenless } : {}),
    principals: [...byPrincipal]
      .map(([principal, committed]) => ({ principal, tokens: committed.toSorted() }))
      .toSorted((a, b) => (a.principal < b.principal ? -1 : 1)),
    credentials: credentials.map(({ name }) => name).toSorted(),
  };
}

/** A hash of the token hash, in hex. It identifies the token in the record and cannot be used as one. */
function commitment(sha256: string): string {
  return createHash("sha256").update(Buffer.from(sha256, "hex")).digest("hex");
}
