import { writeFile } from "node:fs/promises";
import { CmcpError } from "@cmcp/boundary";
import { readArguments, required } from "../arguments.ts";
import { EXIT, type Command } from "../command.ts";
import { ask, TOKEN_VARIABLE, tokenFrom } from "./gateway-client.ts";

const OPTIONS = { url: { type: "string" }, session: { type: "string" }, "token-env": { type: "string", default: TOKEN_VARIABLE }, out: { type: "string" }, json: { type: "boolean", default: false } } as const;

/** `cmcp session close` */
export const sessionClose: Command = {
  help: `Usage: cmcp session close --url URL --session ID [--token-env NAME] [--out FILE] [--json]

Ends a session of the token's principal, writes its claim to a file and prints the file's path.

  --url URL         the gateway, such as http://127.0.0.1:8443
  --session ID      the session's id, as receipts name it
  --token-env NAME  environment variable with the bearer token; CMCP_BEARER_TOKEN by default
  --out FILE        where the claim goes; claim-ID.json by default

Exit codes: 0 closed, 10 refused by the gateway, 64 usage.
Example:    cmcp session close --url http://127.0.0.1:8443 --session 0b6f3f6e-3f0f-4a57-9a43-5f1d7c1d2e90
`,
  async run(args, { out }) {
    const { values } = readArguments(args, OPTIONS);
    const url = required(values.url, "--url");
    const session = required(values.session, "--session");
    if (!/^[0-9a-f-]{36}$/.test(session)) throw new CmcpError("USAGE", "--session is the session's id, a UUID");
    const claim = await ask(url, `/sessions/${session}/close`, { method: "POST", token: tokenFrom(values["token-env"]) });
    const path = values.out ?? `claim-${session}.json`;
    try {
      await writeFile(path, `${JSON.stringify(claim)}\n`);
    } catch (thrown) {
      throw new CmcpError("USAGE", `the session is closed, but ${path} cannot be written; ask again with another --out`, { cause: thrown });
    }
    out.write(values.json ? `${JSON.stringify({ ok: true, session, claim: path })}\n` : `${path}\n`);
    return EXIT.ok;
  },
};
