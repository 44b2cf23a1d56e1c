import { hash } from "node:crypto";
import type { ProvisionFacts } from "@cmcp/audit";
import { canonicalText } from "@cmcp/boundary";

/** The provisioning before, or that its body is not there. */
type Before = ProvisionFacts | "unknown" | null;

/** Holds each stored set that a key brought back to the provisioning before it. */
export class ProvisionChain {
  #before: Before = null;
  #restored = 0;

  /** Stored sets that a key brought back, as far as bodies show. */
  get restored(): number {
    return this.#restored;
  }

  /** @param facts `null` where the body is not there. @returns what is wrong, or `null` */
  add(facts: ProvisionFacts | null): string | null {
    const before = this.#before;
    this.#before = facts ?? "unknown";
    if (facts?.restored_from === undefined) return null;
    this.#restored += 1;
    if (facts.statement === undefined || facts.stored === undefined)
      return "a stored set that no signed statement brought back, or that was not stored again";
    if (before === "unknown") return null;
    const isOfBefore =
      before?.stored !== undefined &&
      before.statement !== undefined &&
      (before.restored_from ?? hashOf(before)) === facts.restored_from &&
      setOf(before) === setOf(facts);
    return isOfBefore ? null : "a stored set that is not that of the provisioning before it";
  }
}

/** What a provisioning's record says of its set. */
function setOf({ principals, credentials }: ProvisionFacts): string {
  return canonicalText({ principals, credentials });
}

function hashOf(facts: ProvisionFacts): string {
  return `sha256:${hash("sha256", canonicalText(facts))}`;
}
