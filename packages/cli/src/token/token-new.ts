import { hash, randomBytes } from "node:crypto";
import { CmcpError } from "@cmcp/boundary";
import { workflowName } from "@cmcp/identity/names";
import { principalId } from "@cmcp/launch";
import { readArguments, required } from "../arguments.ts";
import { EXIT, type Command } from "../command.ts";

/** Random bytes of a token: 256 bits. */
const TOKEN_BYTES = 32;

const OPTIONS = {
  workflow: { type: "string", multiple: true, default: [] as string[] },
  json: { type: "boolean", default: false },
} as const;

/** `cmcp token new` */
export const tokenNew: Command = {
  help: `Usage: cmcp token new PRINCIPAL [--workflow NAME]... [--json]

Makes a bearer token for a principal of enclave.principals. The token is printed once and kept nowhere:
give it to the agent. The line below it, which holds only the token's hash, goes into enclave.token_file;
SIGHUP makes a running gateway read that file again. Removing the line revokes the token.

  --workflow NAME  the token is for this workflow of the principal alone; may be given again
  --json           one line: ok, principal, token, line

Exit codes: 0 printed, 64 usage.
Example:    cmcp token new billing-agent
`,
  run(args, { out }) {
    const { values, positional } = readArguments(args, OPTIONS, "PRINCIPAL");
    const principal = required(positional, "PRINCIPAL");
    if (!principalId.safeParse(principal).success)
      throw new CmcpError("USAGE", "PRINCIPAL is 1 to 128 of letters, digits and ._:@/-");
    if (values.workflow.some((name) => !workflowName.safeParse(name).success))
      throw new CmcpError("USAGE", "--workflow is 1 to 128 printable ASCII characters without spaces");
    const token = randomBytes(TOKEN_BYTES).toString("base64url");
    const line = [principal, `sha256:${hash("sha256", token)}`, ...values.workflow].join(" ");
    out.write(
      values.json
        ? `${JSON.stringify({ ok: true, principal, token, line })}\n`
        : `token (shown once): ${token}\nline for the token file:\n${line}\n`,
    );
    return Promise.resolve(EXIT.ok);
  },
};
