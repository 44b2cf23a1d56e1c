import { createHash } from "node:crypto";
import type { ProvisionFacts } from "@cmcp/audit";
import { canonicalBytes } from "@cmcp/boundary";
import type { Provision } from "@cmcp/launch";
import type { Journal } from "./journal.ts";
import type { Recorder } from "./recorder.ts";
import type { Sessions } from "./sessions.ts";

/** What provisionings are recorded with. */
export interface ProvisionPorts {
  readonly journal: Pick<Journal, "append" | "assertWritable">;
  readonly instance: string;
  readonly sessions: Pick<Sessions, "openSessions">;
  readonly recorder: Pick<Recorder, "noteInAll">;
}

/** What becomes of a message: refused as a whole before anything is recorded, or taken once its record is stored. */
export interface ProvisionSteps {
  readonly check: () => void;
  readonly apply: () => void;
}

/** Records who may call and with which credentials, each time the host says so: what an instance took is in its journal and in its sessions. */
export class Provisions {
  readonly #parts: ProvisionPorts;
  #sequence = 0;
  #inForce: { readonly sequence: number; readonly hash: string } | null = null;
  #last: Promise<unknown> = Promise.resolve();

  constructor(parts: ProvisionPorts) {
    this.#parts = parts;
  }

  /** The latest that was taken; `null` before the first. */
  get inForce(): { readonly sequence: number; readonly hash: string } | null {
    return this.#inForce;
  }

  /**
   * Takes a message, one at a time. @throws CmcpError of `check`, or `AUDIT_STORE_UNAVAILABLE`; what was in force stays
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
    // The number is used up even where the host is late with the record: it will be stored.
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

/** What a message brings, in the one order there is. */
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

/** Of a token only its hash is known, and whoever has that can compare it; it lets nobody in. */
function commitment(sha256: string): string {
  return createHash("sha256").update(Buffer.from(sha256, "hex")).digest("hex");
}
