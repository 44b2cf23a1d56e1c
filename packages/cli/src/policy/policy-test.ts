import { CmcpError } from "@cmcp/boundary";
import { Vocabulary } from "@cmcp/session";
import { readArguments, required } from "../arguments.ts";
import { checkCedar } from "../check/check-cedar.ts";
import { loadBundleFolder } from "../check/read-bundle-folder.ts";
import { EXIT, type Command } from "../command.ts";
import { approvalLines } from "./approval-terms.ts";
import { decideSaved, finderFor, type Outcome } from "./decide-saved.ts";
import { readSavedCall } from "./saved-call.ts";
import { readTools } from "./tools.ts";

/** `cmcp policy test` */
export const policyTest: Command = {
  help: `Usage: cmcp policy test FOLDER --catalog FILE --call FILE [--expect DECISION] [--json]

Says how the bundle in FOLDER decides a call, and by which rules, without making the call. The call is JSON:
tool and, where they matter, arguments, principal, workflow, session_sensitivity (the label the session stands
at), session_max_sensitivity (the highest it has stood at; each follows from the other), compartments (all that
it has seen beside), integrity (trusted or untrusted), enforcement_mode, vocabulary and compliance_domains (the deployment's own, as its configuration has them), and who the caller is: identity_source (bearer, jwt
or tokenless; bearer when absent), with jwt identity_issuer, user_identity and identity_claims (a list of
name=value), and host_asserted_identity. For rules over history: history (numbers by name, 0 when absent) and
history_complete (true when absent). With result, an object that the server answers, the delivery of that result
is decided where the bundle speaks of deliver_result and the call itself is allowed. Of step_up it says how many
approvals lift it, and of whom.

  --catalog FILE    the tool catalog
  --call FILE       the call
  --expect DECISION exit with 10 unless this is the decision: allow redact deny step_up defer
  --json            one line: ok, decision, rule, cause, reason, approval (needed, approvers, reason),
                    redact_fields, keep_fields, warnings

Exit codes: 0 decided, as expected if --expect is given; 10 decided otherwise, or bundle or catalog not
            valid; 64 usage.
Example:    cmcp policy test policies --catalog catalog.json --call calls/send-after-phi.json --expect deny
`,
  async run(args, { out }) {
    const { values, positional } = readArguments(
      args,
      {
        catalog: { type: "string" },
        call: { type: "string" },
        expect: { type: "string" },
        json: { type: "boolean", default: false },
      },
      "FOLDER",
    );
    const { expect } = values;
    if (expect !== undefined && !["allow", "redact", "deny", "step_up", "defer"].includes(expect))
      throw new CmcpError("USAGE", "--expect is one of allow, redact, deny, step_up, defer");
    const call = await readSavedCall(required(values.call, "--call"));
    const catalog = await readTools(required(values.catalog, "--catalog"), new Vocabulary(call));
    const policy = await checkCedar(await loadBundleFolder(required(positional, "FOLDER")), catalog);
    const outcome = decideSaved(policy, catalog, call, await finderFor(policy));
    const ok = expect === undefined || outcome.decision === expect;
    if (values.json)
      out.write(
        `${JSON.stringify({ ok, decision: outcome.decision, rule: outcome.rule, cause: outcome.cause, reason: outcome.reason, approval: outcome.approval ?? null, redact_fields: outcome.redactFields, keep_fields: outcome.keepFields, warnings: policy.warnings })}\n`,
      );
    else out.write(text(outcome, policy.warnings, ok ? null : (expect ?? null)));
    return ok ? EXIT.ok : EXIT.rejected;
  },
};

function text(
  { decision, rule, cause, reason, redactFields, keepFields, approval }: Outcome,
  warnings: readonly string[],
  expected: string | null,
): string {
  const lines = [
    `${decision}${expected === null ? "" : ` (expected ${expected})`}`,
    `  rules:  ${rule}`,
    `  cause:  ${cause}`,
  ];
  if (reason !== null) lines.push(`  reason: ${reason}`);
  if (approval !== undefined) lines.push(...approvalLines(approval).map((line) => `  ${line}`));
  else if (decision === "step_up") lines.push("  approvals: none lifts this, as the rule is a permit");
  if (redactFields.length > 0) lines.push(`  removed from the result: ${redactFields.join(", ")}`);
  if (keepFields.length > 0) lines.push(`  free text that stays:    ${keepFields.join(", ")}`);
  return [...lines, ...warnings.map((warning) => `  warning: ${warning}`), ""].join("\n");
}
