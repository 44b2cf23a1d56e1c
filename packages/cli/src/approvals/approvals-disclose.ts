import { CmcpError, isJsonObject, parseJson, untrusted, type JsonObject, type JsonValue } from "@cmcp/boundary";
import type { PermittedCall } from "@cmcp/client";
import { readArguments, required } from "../arguments.ts";
import { EXIT, type Command } from "../command.ts";
import { readSmallFile } from "../read-file.ts";
import { APPROVER_HELP, APPROVER_OPTIONS, approverAt } from "./approver-options.ts";
import { visible, visibleJson } from "./visible.ts";

const OPTIONS = {
  ...APPROVER_OPTIONS,
  principal: { type: "string" },
  server: { type: "string" },
  tool: { type: "string" },
  arguments: { type: "string" },
  purpose: { type: "string", default: "default" },
  rule: { type: "string" },
  labels: { type: "string", default: "public" },
  seconds: { type: "string", default: "900" },
} as const;
type Values = ReturnType<typeof readArguments<typeof OPTIONS>>["values"];

const LIMITS = { maxBytes: 4 * 1024 * 1024, maxDepth: 64, maxItems: 200_000 };
const MAX_SECONDS = 86_400;

/** `cmcp approvals disclose` */
export const approvalsDisclose: Command = {
  help: `Usage: cmcp approvals disclose --principal NAME --server IDENTITY --tool NAME --arguments FILE --rule RULE --url URL --approver NAME --key FILE [options]

Permits one call in advance, once: exactly these arguments, to this tool of this server, of this agent, for this
workflow. It lifts one rule that has @disclosure and names you. The enclave is verified first. What you sign is
printed. It names the instance and its policy: a restart or another policy voids it.

  --principal NAME         the agent's principal
  --server IDENTITY        the server's identity, as the catalog and the record name it
  --tool NAME              the tool
  --arguments FILE         the call's arguments, a JSON object
  --rule RULE              the rule that refuses the call: its @id, as the record names it
  --purpose WORKFLOW       the call's workflow; default by default
  --labels NAMES           every compartment that the session may have seen, separated by commas; public by default
  --seconds N              from now on, at most ${MAX_SECONDS}; 900 by default
${APPROVER_HELP}
  --json                   one line: ok, permission, salt, signature

Exit codes: 0 recorded, 10 the enclave is not accepted, or refused the permission, 64 usage.
Example:    cmcp approvals disclose --principal agent --server https://mail.example/mcp --tool send_mail --arguments call.json --rule data-stays --labels pii --url https://gateway.example --approver alice --key alice.pem --launch-document launch.json --measurements measurements.json
`,
  async run(args, { out, err }) {
    const { values } = readArguments(args, OPTIONS);
    const call = await callOf(values);
    const gateway = await approverAt(values);
    const { binding } = gateway.verdict;
    if (binding === null) throw new CmcpError("INTERNAL", "an accepted instance has no binding");
    const from = Math.floor(Date.now() / 1_000);
    const { seconds, ...rest } = call;
    const permitted = { ...rest, policyHash: binding.policy_hash, notBefore: from, expiresAt: from + seconds };
    if (!values.json) err.write(renderCall(permitted));
    const signed = await gateway.permit(permitted);
    out.write(
      values.json
        ? `${JSON.stringify({ ok: true, ...signed })}\n`
        : `permitted: ${signed.permission.request_id} until ${new Date(permitted.expiresAt * 1_000).toISOString()}\n`,
    );
    return EXIT.ok;
  },
};

type AskedCall = Omit<PermittedCall, "policyHash" | "notBefore" | "expiresAt"> & { readonly seconds: number };

async function callOf(values: Values): Promise<AskedCall> {
  const seconds = Number(values.seconds);
  if (!Number.isInteger(seconds) || seconds < 2 || seconds > MAX_SECONDS)
    throw new CmcpError("USAGE", `--seconds is a whole number from 2 to ${MAX_SECONDS}`);
  return {
    principal: required(values.principal, "--principal"),
    server: required(values.server, "--server"),
    tool: required(values.tool, "--tool"),
    rule: required(values.rule, "--rule"),
    purpose: values.purpose,
    labels: values.labels.split(","),
    arguments: await argumentsIn(required(values.arguments, "--arguments")),
    seconds,
  };
}

async function argumentsIn(path: string): Promise<JsonObject> {
  let value: JsonValue;
  try {
    value = parseJson(untrusted(await readSmallFile(path)), LIMITS);
  } catch (thrown) {
    if (thrown instanceof CmcpError && thrown.code === "USAGE") throw thrown;
    throw new CmcpError("USAGE", "--arguments is not JSON within bounds", { cause: thrown });
  }
  if (!isJsonObject(value)) throw new CmcpError("USAGE", "--arguments is no JSON object");
  return value;
}

/** One call as its owner reads it, made of exactly what is signed. */
function renderCall(call: PermittedCall): string {
  const lines = [
    ["tool", call.tool],
    ["server", call.server],
    ["principal", call.principal],
    ["purpose", call.purpose],
    ["rule", call.rule],
    ["labels", call.labels.join(", ")],
    ["policy", call.policyHash],
  ] as const;
  const head = lines.map(([name, text]) => `${name.padEnd(14)} ${visible(text)}\n`).join("");
  return `${head}arguments\n${visibleJson(call.arguments)}\n`;
}
