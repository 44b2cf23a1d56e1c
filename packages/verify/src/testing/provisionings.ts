/** Records of provisionings whose set is stored. */
import { createHash } from "node:crypto";
import type { ProvisionFacts } from "@cmcp/audit";
import { canonicalBytes } from "@cmcp/boundary";

const statement = { hash: `sha256:${"5".repeat(64)}`, key: "A".repeat(43), sequence: 1 };

export const STORED = { nonce: "A".repeat(16), ciphertext: "A".repeat(24) };

/** One that gave a set. */
export const GIVEN: ProvisionFacts = {
  sequence: 1,
  principals: [{ principal: "alice", tokens: ["ab".repeat(32)] }],
  credentials: ["ledger"],
  statement,
  stored: STORED,
};

/** One that stored nothing. */
export const UNSTORED = without(GIVEN, "stored");

/** The set of another one, brought back. */
export function backOf(given: ProvisionFacts, changes: Partial<ProvisionFacts> = {}): ProvisionFacts {
  const back = { ...given, sequence: 2, statement: { ...statement, sequence: 2 }, stored: STORED };
  return { ...back, restored_from: provisionHashOf(given), ...changes };
}

export function without(facts: ProvisionFacts, member: "statement" | "stored"): ProvisionFacts {
  const { [member]: _, ...rest } = facts;
  return rest;
}

export function provisionHashOf(facts: ProvisionFacts): string {
  return `sha256:${createHash("sha256").update(canonicalBytes(facts)).digest("hex")}`;
}
