import { erasureStatementSchema, operatorSigningInput, type SignedErasure } from "@cmcp/audit/schema";
import { CmcpError, schemaProblem, toBase64Url } from "@cmcp/boundary";
import * as z from "zod";
import { readArguments, required } from "../arguments.ts";
import { EXIT, type Command } from "../command.ts";
import { readOperatorKey } from "../key/key-file.ts";
import { ask, notAGateway } from "./gateway-client.ts";

const OPTIONS = {
  url: { type: "string" },
  key: { type: "string" },
  session: { type: "string" },
  reason: { type: "string" },
  instance: { type: "string" },
  sequence: { type: "string" },
  json: { type: "boolean", default: false },
} as const;

const replySchema = z.looseObject({ session_id: z.uuid(), status: z.literal("recorded") });

/** `cmcp session erase-key` */
export const sessionEraseKey: Command = {
  help: `Usage: cmcp session erase-key --url URL --key FILE --session ID --reason TEXT --instance NAME [--sequence N] [--json]

Records, as an operator, that a session's key for auditors is erased. The log has the signed statement. The key is
there until cmcp log erase-keys takes it out of the store, and out of each copy of it.

  --url URL         the gateway, such as http://127.0.0.1:8443
  --key FILE        an operator's Ed25519 private key (cmcp key new); its public key is in enclave.operator_keys
  --session ID      the session, as receipts name it; it may be closed, and of an earlier instance
  --reason TEXT     why; the log keeps it
  --instance NAME   the instance that the statement is for: the thumbprint of its signing key, which receipts,
                    root entries and GET /v1/status have
  --sequence N      higher than in any statement of this key before; milliseconds since 1970 by default

Exit codes: 0 recorded, 10 refused by the gateway, or no gateway's answer, 64 usage.
Example:    cmcp session erase-key --url http://127.0.0.1:8443 --key operator.pem --session "$SESSION" \\
              --instance … --reason "erasure request"
`,
  async run(args, { out }) {
    const { values } = readArguments(args, OPTIONS);
    const url = required(values.url, "--url");
    const key = await readOperatorKey(required(values.key, "--key"));
    const parsed = erasureStatementSchema.safeParse({
      v: 1,
      purpose: "session-key-erasure",
      instance: required(values.instance, "--instance"),
      session_id: required(values.session, "--session"),
      reason: required(values.reason, "--reason"),
      sequence: Number(values.sequence ?? Date.now()),
    });
    if (!parsed.success)
      throw new CmcpError("USAGE", `the statement is not valid: ${schemaProblem(parsed.error).text}`);
    const signed: SignedErasure = {
      statement: parsed.data,
      key: key.publicKey,
      signature: toBase64Url(key.sign(operatorSigningInput(parsed.data))),
    };
    const reply = await ask(url, `/sessions/${parsed.data.session_id}/erase-key`, { method: "POST", body: signed });
    const answer = replySchema.safeParse(reply);
    if (!answer.success) throw notAGateway(url, "with no record of an erasure", answer.error);
    out.write(
      values.json
        ? `${JSON.stringify({ ok: true, ...reply })}\n`
        : `${answer.data.session_id}: recorded; cmcp log erase-keys takes the key out of the store\n`,
    );
    return EXIT.ok;
  },
};
