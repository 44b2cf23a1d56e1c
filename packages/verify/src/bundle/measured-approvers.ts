import { approverDigest, approverSchema, assertionSchema, type Approver, type PasskeyAssertion } from "@cmcp/approval";
import type { AuditEntry } from "@cmcp/audit/schema";
import { parseJsonText, type JsonValue } from "@cmcp/boundary";
import type { VerifierCrypto } from "../crypto.ts";

/** The approvers that a session's start names, each by a digest of its key. */
export class MeasuredApprovers {
  readonly #digests: ReadonlyMap<string, string>;

  /** @param said `name:digest`, joined by commas; anything else names nobody */
  constructor(said: unknown = null) {
    const named = typeof said === "string" ? said.split(",") : [];
    this.#digests = new Map(
      named.map((one) => {
        const [name = "", digest = ""] = one.split(":");
        return [name, digest] as const;
      }),
    );
  }

  /** Whether this approver, with this key, is among them. */
  async has(crypto: VerifierCrypto, approver: Approver): Promise<boolean> {
    return this.#digests.get(approver.id) === (await approverDigest(crypto, approver));
  }
}

/** The approver that an entry names with its key, and what it signed with; `null` where it has none. */
export interface RecordedSignature {
  readonly approver: Approver;
  readonly by: { readonly signature: string } | { readonly assertion: PasskeyAssertion };
}

/** Reads the signature of an entry `approval`. */
export function signatureIn({ detail }: AuditEntry): RecordedSignature | null {
  const said = detail ?? {};
  const approver = approverSchema.safeParse(jsonIn(said["approver_key"]));
  if (!approver.success) return null;
  const { approval_signature: signature, authenticator_data, client_data_json } = said;
  if (typeof signature === "string") return { approver: approver.data, by: { signature } };
  const assertion = assertionSchema.safeParse({ authenticator_data, client_data_json, signature: said["signature"] });
  return assertion.success ? { approver: approver.data, by: { assertion: assertion.data } } : null;
}

function jsonIn(text: unknown): JsonValue {
  if (typeof text !== "string") return null;
  try {
    return parseJsonText(text);
  } catch {
    // It is then no approver's key.
    return null;
  }
}
