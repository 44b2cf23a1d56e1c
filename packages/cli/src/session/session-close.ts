import { asCmcpError, CmcpError, isJsonObject, type JsonObject } from "@cmcp/boundary";
import { readArguments, required } from "../arguments.ts";
import { EXIT, type Command } from "../command.ts";
import { replaceFile } from "../replace-file.ts";
import { ask, notAGateway, TOKEN_VARIABLE, tokenFrom } from "./gateway-client.ts";

const OPTIONS = {
  url: { type: "string" },
  session: { type: "string" },
  "token-env": { type: "string", default: TOKEN_VARIABLE },
  out: { type: "string" },
  "evidence-out": { type: "string" },
  json: { type: "boolean", default: false },
} as const;

/** `cmcp session close` */
export const sessionClose: Command = {
  help: `Usage: cmcp session close --url URL --session ID [--token-env NAME] [--out FILE] [--evidence-out FILE] [--json]

Ends a session of the token's principal, writes its claim to a file and prints the file's path; so too the
evidence file that cmcp verify needs beside it, on any platform but software-only.

  --url URL         the gateway, such as http://127.0.0.1:8443
  --session ID      the session's id, as receipts name it
  --token-env NAME  environment variable with the bearer token; CMCP_BEARER_TOKEN by default
  --out FILE        where the claim goes; claim-ID.json by default
  --evidence-out FILE  where the evidence goes; evidence-ID.json by default

Exit codes: 0 closed, 10 refused by the gateway, or no gateway's answer, 64 usage.
Example:    cmcp session close --url http://127.0.0.1:8443 --session 0b6f3f6e-3f0f-4a57-9a43-5f1d7c1d2e90
`,
  async run(args, { out }) {
    const { values } = readArguments(args, OPTIONS);
    const url = required(values.url, "--url");
    const session = required(values.session, "--session");
    if (!/^[0-9a-f-]{36}$/.test(session)) throw new CmcpError("USAGE", "--session is the session's id, a UUID");
    const token = tokenFrom(values["token-env"]);
    const claim = await ask(url, `/sessions/${session}/close`, { method: "POST", token });
    if (!isClaimOf(session, claim)) throw notAGateway(url, "with no claim of the session");
    const path = values.out ?? `claim-${session}.json`;
    await writeRecord(path, claim, "--out");
    const evidence = hasEvidence(claim) ? (values["evidence-out"] ?? `evidence-${session}.json`) : null;
    if (evidence !== null)
      await writeRecord(evidence, await ask(url, `/sessions/${session}/evidence`, { token }), "--evidence-out");
    const written = evidence === null ? [path] : [path, evidence];
    out.write(
      values.json
        ? `${JSON.stringify({ ok: true, session, claim: path, ...(evidence === null ? {} : { evidence }) })}\n`
        : `${written.join("\n")}\n`,
    );
    return EXIT.ok;
  },
};

async function writeRecord(path: string, record: JsonObject, option: string): Promise<void> {
  try {
    await replaceFile(path, `${JSON.stringify(record)}\n`);
  } catch (thrown) {
    throw new CmcpError(
      "USAGE",
      `the session is closed, but ${asCmcpError(thrown, "USAGE", `cannot write ${path}`).message}; ask again with another ${option}`,
      { cause: thrown },
    );
  }
}

/** Whether an answer has the parts of a claim and names the session; whether it verifies is `cmcp verify`'s to say. */
function isClaimOf(session: string, { trace, gateway }: JsonObject): boolean {
  return isJsonObject(trace) && isJsonObject(gateway) && gateway["session_id"] === session;
}

/** Whether the claim's platform has evidence: every one but software-only. */
function hasEvidence({ trace }: JsonObject): boolean {
  const runtime = isJsonObject(trace) ? trace["runtime"] : undefined;
  return isJsonObject(runtime) && runtime["platform"] !== "software-only";
}
