import { CmcpError, schemaProblem, toBase64Url } from "@cmcp/boundary";
import { killSwitchStatementSchema, operatorSigningInput, type SignedKillSwitch } from "@cmcp/audit/schema";
import * as z from "zod";
import { readArguments, required } from "../arguments.ts";
import { EXIT, type Command } from "../command.ts";
import { readOperatorKey } from "../key/key-file.ts";
import { ask, notAGateway } from "../session/gateway-client.ts";

const OPTIONS = {
  url: { type: "string" },
  key: { type: "string" },
  principal: { type: "string" },
  reason: { type: "string" },
  instance: { type: "string" },
  sequence: { type: "string" },
  json: { type: "boolean", default: false },
} as const;

const OPTIONS_HELP = `
  --url URL         the gateway, such as http://127.0.0.1:8443
  --key FILE        an operator's Ed25519 private key (cmcp key new); its public key is in enclave.operator_keys
  --principal NAME  the principal, as enclave.principals and the records name it
  --reason TEXT     why; the audit record keeps it
  --instance NAME   the instance that the statement is for: the thumbprint of its signing key, which receipts,
                    root entries and GET /v1/status have
  --sequence N      higher than in any statement of this key before; milliseconds since 1970 by default

Exit codes: 0 done, 10 refused by the gateway, or no gateway's answer, 64 usage.
`;

const replySchema = z.looseObject({ status: z.enum(["tripped", "unblocked"]), agent_id: z.string().max(1024) });

function command(act: "trip" | "unblock", what: string, example: string): Command {
  return {
    help:
      `Usage: cmcp kill-switch ${act} --url URL --key FILE --principal NAME --reason TEXT --instance NAME [--sequence N] [--json]\n` +
      `\n${what}\n${OPTIONS_HELP}Example:    cmcp kill-switch ${act} ${example}\n`,
    async run(args, { out }) {
      const { values } = readArguments(args, OPTIONS);
      const url = required(values.url, "--url");
      const key = await readOperatorKey(required(values.key, "--key"));
      const parsed = killSwitchStatementSchema.safeParse({
        v: 1,
        purpose: `kill-switch-${act}`,
        instance: required(values.instance, "--instance"),
        principal: required(values.principal, "--principal"),
        reason: required(values.reason, "--reason"),
        sequence: Number(values.sequence ?? Date.now()),
      });
      if (!parsed.success)
        throw new CmcpError("USAGE", `the statement is not valid: ${schemaProblem(parsed.error).text}`);
      const signed: SignedKillSwitch = {
        statement: parsed.data,
        key: key.publicKey,
        signature: toBase64Url(key.sign(operatorSigningInput(parsed.data))),
      };
      const reply = await ask(url, `/kill-switch/${act}`, { method: "POST", body: signed });
      const answer = replySchema.safeParse(reply);
      if (!answer.success) throw notAGateway(url, "with no answer of the kill switch", answer.error);
      const { status, agent_id: principal } = answer.data;
      out.write(values.json ? `${JSON.stringify({ ok: true, ...reply })}\n` : `${principal}: ${status}\n`);
      return EXIT.ok;
    },
  };
}

/** `cmcp kill-switch trip` */
export const killSwitchTrip = command(
  "trip",
  "Stops, as an operator, a principal at once: its sessions are closed with their claims, and every further call is\n" +
    "refused, over restarts too, until an operator lifts the block. The record has the signed statement.",
  '--url http://127.0.0.1:8443 --key operator.pem --principal billing-agent --instance … --reason "leaked token"',
);

/** `cmcp kill-switch unblock` */
export const killSwitchUnblock = command(
  "unblock",
  "Lets, as an operator, a principal that the kill switch stopped go on. What was counted of it is forgotten. The record\n" +
    "has the signed statement.",
  '--url http://127.0.0.1:8443 --key operator.pem --principal billing-agent --instance … --reason "rule corrected"',
);
