import { CmcpError } from "@cmcp/boundary";
import { readArguments, required } from "../arguments.ts";
import { EXIT, type Command } from "../command.ts";
import { APPROVER_HELP, APPROVER_OPTIONS, approverAt } from "./approver-options.ts";
import { renderRequest } from "./render-request.ts";

const OPTIONS = { ...APPROVER_OPTIONS, request: { type: "string" }, reason: { type: "string" } } as const;

const COMMON_HELP = `\
${APPROVER_HELP}
  --reason TEXT            up to 256 characters; the record has it, and the gateway's host reads it
  --json                   one line: ok, decision, state, approvals, needed, request_hash

Exit codes: 0 recorded, 10 the enclave is not accepted, or refused the answer, 64 usage.
`;

/** `cmcp approvals approve` */
export const approvalsApprove: Command = {
  help: `Usage: cmcp approvals approve ID --request HASH --url URL --approver NAME --key FILE [options]

Approves one call, once: exactly the one whose hash cmcp approvals show printed. The enclave and its signature
are verified again. Any change of the call, its session or the policy makes it another call.

  --request HASH           the hash that was shown; an approval of anything else is not signed
${COMMON_HELP}Example:    cmcp approvals approve AAAAAAAAAAAAAAAAAAAAAA --request sha256:… --url https://gateway.example --approver alice --key alice.pem --launch-document launch.json --measurements measurements.json
`,
  run: async (args, terminal) => await answer("approve", args, terminal),
};

/** `cmcp approvals deny` */
export const approvalsDeny: Command = {
  help: `Usage: cmcp approvals deny ID --url URL --approver NAME --key FILE [options]

Denies one call. The agent is told, with the reason, until the approval expires. One denial is enough.

  --request HASH           deny only if this is the call's hash
${COMMON_HELP}Example:    cmcp approvals deny AAAAAAAAAAAAAAAAAAAAAA --reason "not to him" --url https://gateway.example --approver alice --key alice.pem --launch-document launch.json --measurements measurements.json
`,
  run: async (args, terminal) => await answer("deny", args, terminal),
};

async function answer(
  decision: "approve" | "deny",
  args: Parameters<Command["run"]>[0],
  { out, err }: Parameters<Command["run"]>[1],
): Promise<number> {
  const { values, positional } = readArguments(args, OPTIONS, "ID");
  const id = required(positional, "ID");
  const wanted = decision === "approve" ? required(values.request, "--request") : values.request;
  const gateway = await approverAt(values);
  const shown = await gateway.show(id);
  if (wanted !== undefined && wanted !== shown.hash)
    throw new CmcpError(
      "APPROVAL_REQUEST_INVALID",
      "the call that waits is not the one of --request; nothing was signed",
    );
  if (!values.json) err.write(renderRequest(shown.request, shown.hash));
  const reason = values.reason === undefined ? {} : { reason: values.reason };
  const recorded = await gateway.answer(shown, { decision, ...reason });
  out.write(
    values.json
      ? `${JSON.stringify({ ok: true, decision, ...recorded, request_hash: shown.hash })}\n`
      : `recorded; the call is ${recorded.state}, with ${recorded.approvals ?? 0} of ${recorded.needed} approvals\n`,
  );
  return EXIT.ok;
}
