import { readArguments, required } from "../arguments.ts";
import { EXIT, type Command } from "../command.ts";
import { APPROVER_HELP, APPROVER_OPTIONS, approverAt } from "./approver-options.ts";
import { renderRequest } from "./render-request.ts";

/** `cmcp approvals show` */
export const approvalsShow: Command = {
  help: `Usage: cmcp approvals show ID --url URL --approver NAME --key FILE [options]

Shows one call that waits: its arguments in full, whose it is, which rule refuses it and why, and what the
session has seen. The enclave is verified first, and then its signature over exactly what is shown. The line
\`request\` is what cmcp approvals approve takes.

${APPROVER_HELP}
  --json                   one line: ok, request_hash, request

Exit codes: 0 shown, 10 the enclave is not accepted, or there is no such call for you, 64 usage.
Example:    cmcp approvals show AAAAAAAAAAAAAAAAAAAAAA --url https://gateway.example --approver alice --key alice.pem --launch-document launch.json --measurements measurements.json
`,
  async run(args, { out }) {
    const { values, positional } = readArguments(args, APPROVER_OPTIONS, "ID");
    const id = required(positional, "ID");
    const { request, hash } = await (await approverAt(values)).show(id);
    out.write(
      values.json ? `${JSON.stringify({ ok: true, request_hash: hash, request })}\n` : renderRequest(request, hash),
    );
    return EXIT.ok;
  },
};
