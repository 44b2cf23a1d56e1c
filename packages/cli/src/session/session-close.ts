import { asCmcpError, CmcpError, isJsonObject, type JsonObject } from "@cmcp/boundary";
import { readArguments, required } from "../arguments.ts";
import { EXIT, type Command } from "../command.ts";
import { replaceFile } from "../replace-file.ts";
import { claimFollows } from "./chain-of-claim.ts";
import { ask, notAGateway, sessionName, TOKEN_VARIABLE, tokenFrom } from "./gateway-client.ts";

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

Ends a session of the token's principal, writes its claim to a file and prints the file's path. On every platform
but software-only it also writes the evidence file that cmcp verify needs beside the claim.

  --url URL         the gateway, such as http://127.0.0.1:8443
  --session ID      an open session's session_id, handle or label; a closed session's session_id. Of a session that
                    an operator reset, its last successor is closed, with the claim of their whole chain
  --token-env NAME  environment variable with the bearer token; CMCP_BEARER_TOKEN by default
  --out FILE        where the claim goes; claim-SESSION_ID.json by default
  --evidence-out FILE  where the evidence goes; evidence-SESSION_ID.json by default

Exit codes: 0 closed, 10 refused by the gateway, or no gateway's answer, 64 usage.
Example:    cmcp session close --url http://127.0.0.1:8443 --session 0b6f3f6e-3f0f-4a57-9a43-5f1d7c1d2e90
`,
  async run(args, { out }) {
    const { values } = readArguments(args, OPTIONS);
    const url = required(values.url, "--url");
    const name = sessionName(values.session);
    const token = tokenFrom(values["token-env"]);
    const claim = await ask(url, `/sessions/${name}/close`, { method: "POST", token });
    const session = sessionOf(claim);
    if (session === null) throw notAGateway(url, "with no claim of the session");
    if (SESSION_ID.test(name) && session !== name) await requireSuccessor(claim, { url, token, name, session });
    const path = values.out ?? `claim-${session}.json`;
    await writeRecord(path, claim, { session, option: "--out" });
    const evidence = hasEvidence(claim) ? (values["evidence-out"] ?? `evidence-${session}.json`) : null;
    if (evidence !== null) {
      const record = await ask(url, `/sessions/${session}/evidence`, { token });
      await writeRecord(evidence, record, { session, option: "--evidence-out" });
    }
    const written = evidence === null ? [path] : [path, evidence];
    out.write(
      values.json
        ? `${JSON.stringify({ ok: true, session, claim: path, ...(evidence === null ? {} : { evidence }) })}\n`
        : `${written.join("\n")}\n`,
    );
    return EXIT.ok;
  },
};

async function writeRecord(
  path: string,
  record: JsonObject,
  { session, option }: { readonly session: string; readonly option: string },
): Promise<void> {
  try {
    await replaceFile(path, `${JSON.stringify(record)}\n`);
  } catch (thrown) {
    const { message } = asCmcpError(thrown, "USAGE", `cannot write ${path}`);
    throw new CmcpError(
      "USAGE",
      `the session is closed, but ${message}; run again with --session ${session} and another ${option}`,
      { cause: thrown },
    );
  }
}

const SESSION_ID = /^[0-9a-f-]{36}$/;

/** The session_id of a claim; `null` for an answer without the parts of a claim. `cmcp verify` says whether the claim verifies. */
function sessionOf({ trace, gateway }: JsonObject): string | null {
  const id = isJsonObject(trace) && isJsonObject(gateway) ? gateway["session_id"] : undefined;
  return typeof id === "string" && SESSION_ID.test(id) ? id : null;
}

/** The claim of another session than the one asked for counts if the gateway's record shows that resets lead to it. */
async function requireSuccessor(
  claim: JsonObject,
  { url, token, name, session }: { url: string; token: string; name: string; session: string },
): Promise<void> {
  const bundle = await ask(url, `/audit/export?session_id=${name}`, { token });
  if (!claimFollows(claim, bundle, name))
    throw notAGateway(url, `with the claim of session ${session}, to which no operator's reset of ${name} leads`);
}

/** Whether the claim's platform has evidence: every one but software-only. */
function hasEvidence({ trace }: JsonObject): boolean {
  const runtime = isJsonObject(trace) ? trace["runtime"] : undefined;
  return isJsonObject(runtime) && runtime["platform"] !== "software-only";
}
