import { isJsonObject, type JsonObject } from "@cmcp/boundary";
import { readArguments } from "../arguments.ts";
import { EXIT, type Command } from "../command.ts";
import { APPROVER_HELP, APPROVER_OPTIONS, approverAt } from "./approver-options.ts";
import { visible } from "./visible.ts";

/** `cmcp approvals list` */
export const approvalsList: Command = {
  help: `Usage: cmcp approvals list --url URL --approver NAME --key FILE [options]

Lists the calls that wait for this approver. The enclave is verified first. Requests and answers go under the
seal, so that the gateway's host reads none of them.

${APPROVER_HELP}
  --json                   one line: ok, approvals [approval_id, request_hash, principal, target, rule, needed, times]

Exit codes: 0 listed, 10 the enclave is not accepted, or refused, 64 usage.
Example:    cmcp approvals list --url https://gateway.example --approver alice --key alice.pem --launch-document launch.json --measurements measurements.json
`,
  async run(args, { out }) {
    const { values } = readArguments(args, APPROVER_OPTIONS);
    const all = await (await approverAt(values)).list();
    if (values.json) out.write(`${JSON.stringify({ ok: true, approvals: all })}\n`);
    else out.write(all.length === 0 ? "nothing waits\n" : all.map(lineOf).join(""));
    return EXIT.ok;
  },
};

function lineOf({ approval_id: id, principal, target, rule }: JsonObject): string {
  const { method, name } = isJsonObject(target) ? target : {};
  return `${visible([id, principal, method, name, rule].map(String).join("  "))}\n`;
}
