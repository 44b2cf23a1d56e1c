import { policyKeyDetail, type LogState, type SignedPolicyKey } from "@cmcp/audit";
import { CmcpError } from "@cmcp/boundary";
import type { SigningKeys } from "@cmcp/policy";
import type { Recorder } from "./recorder.ts";
import type { Sessions } from "./sessions.ts";
import { writeWholeSession, type WholeSessionPorts } from "./whole-session.ts";

/** What changing policy signing keys needs. */
export interface PolicyKeyPorts extends WholeSessionPorts {
  readonly keys: SigningKeys;
  readonly recorder: Pick<Recorder, "noteInAll">;
  readonly sessions: Pick<Sessions, "openSessions">;
  /** Whether a key signed a statement. */
  readonly verifies: (key: string, statement: object, signature: string) => boolean;
}

/** Succession and revocation of the keys that policy bundles are signed with. Each change has its entry. */
export class PolicyKeys {
  readonly #ports: PolicyKeyPorts;

  constructor(ports: PolicyKeyPorts) {
    this.#ports = ports;
  }

  /** @throws CmcpError `POLICY_KEY_REVOCATION_INVALID` for a statement that changes nothing here, or that the present key did not sign */
  assertApplicable(signed: SignedPolicyKey): void {
    this.#ports.keys.assertApplicable(changeOf(signed));
    if (!hasPresentSignature(signed, this.#ports.verifies))
      throw new CmcpError(
        "POLICY_KEY_REVOCATION_INVALID",
        "the present policy signing key did not sign the succession",
      );
  }

  /** Makes a change, and waits until the host has stored its entry. The entry is in every open session and in a session of its own. */
  async apply(signed: SignedPolicyKey): Promise<void> {
    const { keys, recorder, sessions } = this.#ports;
    this.assertApplicable(signed);
    keys.apply(changeOf(signed));
    const detail = policyKeyDetail(signed);
    const entry = { entry_type: "break_glass_used", detail } as const;
    void recorder.noteInAll(sessions.openSessions(), entry);
    await writeWholeSession(this.#ports, { principal: "(operator)", entries: [entry] }).stored;
  }
}

/**
 * Takes over the changes that earlier instances recorded. Each needs the signatures that it needed when it was made.
 * @param hasSigned whether an operator of the measured configuration signed a statement
 */
export function restorePolicyKeys(
  { keys, verifies }: Pick<PolicyKeyPorts, "keys" | "verifies">,
  { policyKeys: statements }: Pick<LogState, "policyKeys">,
  hasSigned: (signed: SignedPolicyKey) => boolean,
): void {
  keys.restore(statements.filter((signed) => hasSigned(signed) && hasPresentSignature(signed, verifies)).map(changeOf));
}

function changeOf({ statement }: SignedPolicyKey) {
  return { key: statement.policy_key, next: "next_key" in statement ? statement.next_key : null };
}

function hasPresentSignature(
  { statement, present_signature: present }: SignedPolicyKey,
  verifies: PolicyKeyPorts["verifies"],
): boolean {
  if (statement.purpose === "policy-key-revoke") return true;
  return present !== undefined && verifies(statement.policy_key, statement, present);
}
