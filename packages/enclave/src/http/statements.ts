import { hash } from "node:crypto";
import { CmcpError, toBase64Url, untrusted } from "@cmcp/boundary";
import type { HttpRequest, HttpResponse } from "@cmcp/mcp";
import {
  MAX_STATEMENT_BYTES,
  openStatement,
  readStatement,
  receiptInput,
  type ProvisionReceipt,
  type StatementMessage,
} from "@cmcp/provision";
import type { Turns } from "@cmcp/wire";
import type { Provisioners } from "../access/provisioners.ts";
import type { SealKeys } from "../instance/seal-keys.ts";
import type { SigningKey } from "../instance/signing-key.ts";
import type { ProvisionInForce, StatementFacts } from "../record/provision-detail.ts";
import { json } from "./json-response.ts";
import { wholeBody } from "./whole-body.ts";

/** Path of provisioning statements. A provisioning key's signature authenticates them, not a bearer token. */
export const STATEMENTS_PATH = "/statements";

/** What takes statements. */
export interface StatementPorts {
  /** RFC 7638 thumbprint of the instance's signing key, base64url. */
  readonly instance: string;
  readonly key: Pick<SigningKey, "sign">;
  readonly provisioners: Pick<Provisioners, "areListed" | "authenticate" | "assertFor">;
  /** Turns of reading statements: whoever reaches the host can send one of more than a megabyte. */
  readonly turns: Pick<Turns, "next">;
  readonly sealKeys: Pick<SealKeys, "keyOf">;
  /** Puts a message in force. @param assertFor runs once no other message is before this one */
  readonly take: (message: StatementMessage, facts: StatementFacts, assertFor: () => void) => Promise<ProvisionInForce>;
}

/**
 * `POST /statements`: a provisioning key's signed statement, sealed to this instance, replaces tokens and credentials by its own or by
 * those of the stored set. The answer is a receipt that the instance signs, once the statement is on record.
 *
 * @throws CmcpError `METHOD_NOT_ALLOWED`, `MCP_PAYLOAD_TOO_LARGE`, `PROVISION_STATEMENT_*`, `SEAL_NOT_OPENED`,
 * `STORED_SET_*`, and as the message is refused
 */
export async function takeStatement(parts: StatementPorts, request: HttpRequest): Promise<HttpResponse> {
  if (request.method !== "POST") throw new CmcpError("METHOD_NOT_ALLOWED", `${STATEMENTS_PATH} takes POST`);
  const { instance, key, provisioners, sealKeys, turns } = parts;
  if (!provisioners.areListed)
    throw new CmcpError("PROVISION_STATEMENT_INVALID", "the launch document lists no enclave.provisioning_keys");
  const bytes = await wholeBody(request, MAX_STATEMENT_BYTES, "a statement");
  await turns.next();
  const signed = readStatement(untrusted(bytes));
  provisioners.authenticate(signed);
  provisioners.assertFor(signed);
  const message = openStatement(signed, (id) => sealKeys.keyOf(id));
  const facts = {
    hash: `sha256:${hash("sha256", bytes)}`,
    key: signed.key,
    sequence: signed.statement.sequence,
  };
  // Its time may end while it waits for another.
  const inForce = await parts.take(message, facts, () => provisioners.assertFor(signed));
  const receipt: ProvisionReceipt = {
    v: 1,
    instance,
    statement: facts.hash,
    provision_sequence: inForce.sequence,
    provision_hash: inForce.hash,
  };
  return json({ receipt, signature: toBase64Url(key.sign(receiptInput(receipt))) });
}
