import { CmcpError, parseJson, toBase64Url, untrusted, type JsonObject, schemaProblem } from "@cmcp/boundary";
import {
  auditEntrySchema,
  MAX_RECEIPT_BYTES,
  receiptSchema,
  operatorSigningInput,
  resetStatementSchema,
  type ResetStatement,
  type SignedReset,
} from "@cmcp/audit/schema";
import { claimSchema } from "@cmcp/claim/schema";
import { jwkThumbprintText } from "@cmcp/attestation";
import { readArguments, required } from "../arguments.ts";
import { EXIT, type Command } from "../command.ts";
import { readOperatorKey } from "../key/key-file.ts";
import { readSmallFile } from "../read-file.ts";
import { ask, notAGateway, sessionName, tokenFrom } from "./gateway-client.ts";

const OPTIONS = {
  url: { type: "string" },
  key: { type: "string" },
  reason: { type: "string" },
  receipt: { type: "string" },
  session: { type: "string" },
  "token-env": { type: "string" },
  sequence: { type: "string" },
  json: { type: "boolean", default: false },
} as const;

/** `cmcp session reset` */
export const sessionReset: Command = {
  help: `Usage: cmcp session reset --url URL --key FILE --reason TEXT --receipt FILE [--sequence N] [--json]
       cmcp session reset --url URL --key FILE --reason TEXT --session ID --token-env NAME [--sequence N] [--json]

Allows, as an operator, a session's principal to start again from the lowest sensitivity. The command signs a
statement over the session, its chain so far and the instance, and posts it. The session's chain records it.

  --url URL         the gateway, such as http://127.0.0.1:8443
  --key FILE        an operator's Ed25519 private key (cmcp key new); its public key is in enclave.operator_keys
  --reason TEXT     why; the audit record keeps it
  --receipt FILE    the receipt of the session's latest call: it names session, chain and instance
  --session ID      the open session's session_id, handle or label, when there is no receipt
  --token-env NAME  environment variable with the bearer token of the session's principal, to look the chain up with
  --sequence N      higher than in any statement of this key before; milliseconds since 1970 by default

Exit codes: 0 reset, 10 refused by the gateway, or no gateway's answer, 64 usage.
Example:    cmcp session reset --url http://127.0.0.1:8443 --key operator.pem --receipt receipt.json --reason "record was synthetic"
`,
  async run(args, { out }) {
    const { values } = readArguments(args, OPTIONS);
    const url = required(values.url, "--url");
    const key = await readOperatorKey(required(values.key, "--key"));
    const reason = required(values.reason, "--reason");
    const { receipt, session, "token-env": variable } = values;
    if ((receipt === undefined) === (session === undefined))
      throw new CmcpError("USAGE", "name the session with --receipt, or with --session and --token-env");
    const position =
      receipt !== undefined
        ? await positionFromReceipt(receipt)
        : await positionFromGateway(url, sessionName(session), tokenFrom(required(variable, "--token-env")));
    const statement = resetStatement({ ...position, reason, sequence: Number(values.sequence ?? Date.now()) });
    const signed: SignedReset = {
      statement,
      key: key.publicKey,
      signature: toBase64Url(key.sign(operatorSigningInput(statement))),
    };
    const reply = await ask(url, `/sessions/${statement.session_id}/reset`, { method: "POST", body: signed });
    report(reply, url, values.json, out);
    return EXIT.ok;
  },
};

type ChainPosition = Pick<ResetStatement, "session_id" | "chain_tip" | "instance">;

function resetStatement(parts: Omit<ResetStatement, "v" | "purpose">): ResetStatement {
  const parsed = resetStatementSchema.safeParse({ v: 1, purpose: "session-reset", ...parts });
  if (parsed.success) return parsed.data;
  throw new CmcpError("USAGE", `the reset statement is not valid: ${schemaProblem(parsed.error).text}`);
}

async function positionFromReceipt(path: string): Promise<ChainPosition> {
  const bytes = await readSmallFile(path);
  try {
    const receipt = receiptSchema.parse(
      parseJson(untrusted(bytes), { maxBytes: MAX_RECEIPT_BYTES, maxDepth: 4, maxItems: 100 }),
    );
    return { session_id: receipt.session_id, chain_tip: receipt.entry_hash, instance: receipt.instance };
  } catch (thrown) {
    throw new CmcpError("USAGE", `${path}: not a receipt`, { cause: thrown });
  }
}

/** The session's position as the gateway reports it. With a wrong one no gateway accepts the statement. */
async function positionFromGateway(url: string, session: string, token: string): Promise<ChainPosition> {
  const parsed = claimSchema.safeParse(await ask(url, `/sessions/${session}/trace-claim`, { token }));
  if (!parsed.success) throw notAGateway(url, "with no claim of the documented form", parsed.error);
  const { trace, gateway } = parsed.data;
  return {
    session_id: gateway.session_id,
    chain_tip: gateway.audit_chain.tip,
    instance: jwkThumbprintText(trace.cnf.jwk),
  };
}

const replySchema = auditEntrySchema
  .pick({
    session_id: true,
    sequence_number: true,
    entry_hash: true,
    session_sensitivity_before: true,
    session_sensitivity_after: true,
  })
  .extend({ successor_session_id: auditEntrySchema.shape.session_id });

function report(reply: JsonObject, url: string, asJson: boolean, out: { write(text: string): unknown }): void {
  const parsed = replySchema.safeParse(reply);
  if (!parsed.success) throw notAGateway(url, "with no entry of a reset", parsed.error);
  const {
    session_id: session,
    successor_session_id: successor,
    session_sensitivity_before: before,
    session_sensitivity_after: after,
    sequence_number: entry,
  } = parsed.data;
  out.write(
    asJson
      ? `${JSON.stringify({ ok: true, ...parsed.data })}\n`
      : `session ${session} reset: ${before} to ${after}, audit entry ${entry}; session ${successor} goes on\n`,
  );
}
