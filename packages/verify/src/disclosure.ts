import { sha256, type VerifierCrypto } from "@cmcp/appraise";
import {
  commitmentOf,
  commitmentPrefix,
  COMMITTED_FIELDS,
  disclosedCallSchema,
  MAX_DISCLOSED_CALL_BYTES,
  type CommittedField,
  type DisclosedCall,
} from "@cmcp/audit/schema";
import { fromHex, toHex } from "@cmcp/boundary";
import type { Checklist } from "./checklist.ts";
import { readForm, type Form } from "./parse.ts";
import type { SessionFacts } from "./session/session-facts.ts";

const DISCLOSURE: Form<DisclosedCall> = {
  limits: { maxBytes: MAX_DISCLOSED_CALL_BYTES, maxDepth: 4, maxItems: 64 },
  shape: disclosedCallSchema,
  code: "DISCLOSURE_MALFORMED",
  what: "disclosed call",
};

/** @throws CmcpError `DISCLOSURE_MALFORMED` */
export function parseDisclosure(bytes: Uint8Array): DisclosedCall {
  return readForm(bytes, DISCLOSURE);
}

/** Holds a disclosed call to the commitments of its entry, field by field: that of an entry whose session is `session`. */
export async function checkDisclosure(
  crypto: VerifierCrypto,
  disclosed: DisclosedCall,
  { session, entries }: { readonly session: string; readonly entries: Pick<SessionFacts, "at"> },
  list: Checklist,
): Promise<void> {
  const { session_id, call_id, sequence_number: number, fields } = disclosed;
  const entry = entries.at(number);
  const name = `disclosed call ${number}`;
  const isOfEntry = session_id === session && entry?.entry_type === "tool_call" && entry.call_id === call_id;
  if (
    !list.require(name, isOfEntry, "DISCLOSURE_INVALID", {
      passed: "the call of the entry at this place",
      failed: "the session has no entry of this call at this place",
    }) ||
    entry === undefined
  )
    return;
  for (const field of COMMITTED_FIELDS) {
    const commitment = commitmentOf(entry, field);
    const shown = fields[field];
    if (shown !== undefined)
      list.require(`${name} ${field}`, commitment === (await committed(crypto, field, shown)), "DISCLOSURE_INVALID", {
        passed: "what the entry commits to",
        failed: "not what the entry commits to",
      });
    else if (commitment !== null)
      list.notPerformed(`${name} ${field}`, "the entry commits to it, and it is not disclosed");
  }
}

/** What a commitment is made of: salt in hex, and the canonical JSON that it commits to. */
export interface Opening {
  readonly salt: string;
  readonly text: string;
}

/**
 * Whether a salt and a text open a commitment (the claim's SPEC, "Payload hashes").
 *
 * @param commitment `sha256:` and hex, of an entry or of a sealed call's receipt
 */
export async function opensCommitment(
  crypto: VerifierCrypto,
  field: CommittedField,
  opening: Opening,
  commitment: string,
): Promise<boolean> {
  return (await committed(crypto, field, opening)) === commitment;
}

async function committed(crypto: VerifierCrypto, field: CommittedField, { salt, text }: Opening): Promise<string> {
  const encoder = new TextEncoder();
  const parts = [encoder.encode(commitmentPrefix(field)), fromHex(salt) ?? new Uint8Array(), encoder.encode(text)];
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return `sha256:${toHex(await sha256(crypto, bytes))}`;
}
