import { CmcpError, schemaProblem, toBase64Url } from "@cmcp/boundary";
import { operatorSigningInput, policyKeyStatementSchema, type SignedPolicyKey } from "@cmcp/audit/schema";
import * as z from "zod";
import { readArguments, required } from "../arguments.ts";
import { EXIT, type Command } from "../command.ts";
import { readOperatorKey } from "../key/key-file.ts";
import { ask, notAGateway } from "../session/gateway-client.ts";

const OPTIONS = {
  url: { type: "string" },
  key: { type: "string" },
  "policy-key": { type: "string" },
  "next-key": { type: "string" },
  reason: { type: "string" },
  instance: { type: "string" },
  sequence: { type: "string" },
  json: { type: "boolean", default: false },
} as const;

const COMMON_HELP = `  --reason TEXT     why; the audit record keeps it
  --instance NAME   the instance that the statement is for, as GET /v1/status and receipts name it
  --sequence N      higher than in any statement of this operator's key before; milliseconds since 1970 by default

Exit codes: 0 done, 10 refused by the gateway, or no gateway's answer, 64 usage.
`;

const replySchema = z.looseObject({ status: z.enum(["succeeded", "revoked"]), policy_key: z.string().max(64) });

async function send(
  signed: SignedPolicyKey,
  url: string,
  asJson: boolean,
  out: { write(text: string): unknown },
): Promise<void> {
  const reply = await ask(url, "/policy/keys", { method: "POST", body: signed });
  const answer = replySchema.safeParse(reply);
  if (!answer.success) throw notAGateway(url, "with no answer about policy signing keys", answer.error);
  const { status, policy_key: key } = answer.data;
  out.write(asJson ? `${JSON.stringify({ ok: true, ...reply })}\n` : `${key}: ${status}\n`);
}

function statementOf(parts: object): SignedPolicyKey["statement"] {
  const parsed = policyKeyStatementSchema.safeParse({ v: 1, ...parts });
  if (parsed.success) return parsed.data;
  throw new CmcpError("USAGE", `the statement is not valid: ${schemaProblem(parsed.error).text}`);
}

/** `cmcp policy succeed-key` */
export const policySucceedKey: Command = {
  help: `Usage: cmcp policy succeed-key --url URL --key FILE --policy-key FILE --next-key KEY
         --reason TEXT --instance NAME [--sequence N] [--json]

Hands policy signing over, in a running gateway, from the present key to another. The statement is signed by an operator and by the
present key. Bundles of the key that handed over are refused from then on; the policy in force stays.

  --url URL         the gateway, such as http://127.0.0.1:8443
  --key FILE        an operator's Ed25519 private key; its public key is in enclave.operator_keys
  --policy-key FILE the present policy signing key, Ed25519 private key
  --next-key KEY    public key that follows, base64url, as cmcp key new prints it
${COMMON_HELP}Example:    cmcp policy succeed-key --url http://127.0.0.1:8443 --key operator.pem --policy-key policy.pem \\
              --next-key … --instance … --reason "yearly rotation"
`,
  async run(args, { out }) {
    const { values } = readArguments(args, OPTIONS);
    const url = required(values.url, "--url");
    const operator = await readOperatorKey(required(values.key, "--key"));
    const present = await readOperatorKey(required(values["policy-key"], "--policy-key"));
    const statement = statementOf({
      purpose: "policy-key-succeed",
      instance: required(values.instance, "--instance"),
      policy_key: present.publicKey,
      next_key: required(values["next-key"], "--next-key"),
      reason: required(values.reason, "--reason"),
      sequence: Number(values.sequence ?? Date.now()),
    });
    const input = operatorSigningInput(statement);
    const signed = {
      statement,
      key: operator.publicKey,
      signature: toBase64Url(operator.sign(input)),
      present_signature: toBase64Url(present.sign(input)),
    };
    await send(signed, url, values.json, out);
    return EXIT.ok;
  },
};

/** `cmcp policy revoke-key` */
export const policyRevokeKey: Command = {
  help: `Usage: cmcp policy revoke-key --url URL --key FILE --policy-key KEY --reason TEXT --instance NAME [--sequence N] [--json]

Revokes, in a running gateway, a policy signing key that somebody else may have. Bundles that it signed are refused. While the policy in
force is one of them, every call is refused, until a bundle of a trusted key is put into force. Let another key follow first.

  --url URL         the gateway, such as http://127.0.0.1:8443
  --key FILE        an operator's Ed25519 private key; its public key is in enclave.operator_keys
  --policy-key KEY  the public key to revoke, base64url
${COMMON_HELP}Example:    cmcp policy revoke-key --url http://127.0.0.1:8443 --key operator.pem \\
              --policy-key … --instance … --reason "laptop stolen"
`,
  async run(args, { out }) {
    const { values } = readArguments(args, OPTIONS);
    if (values["next-key"] !== undefined) throw new CmcpError("USAGE", "--next-key is for cmcp policy succeed-key");
    const url = required(values.url, "--url");
    const operator = await readOperatorKey(required(values.key, "--key"));
    const statement = statementOf({
      purpose: "policy-key-revoke",
      instance: required(values.instance, "--instance"),
      policy_key: required(values["policy-key"], "--policy-key"),
      reason: required(values.reason, "--reason"),
      sequence: Number(values.sequence ?? Date.now()),
    });
    const signature = toBase64Url(operator.sign(operatorSigningInput(statement)));
    await send({ statement, key: operator.publicKey, signature }, url, values.json, out);
    return EXIT.ok;
  },
};
