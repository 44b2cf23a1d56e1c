import type { Catalog } from "@cmcp/catalog";
import { CmcpError } from "@cmcp/boundary";
import type { CompiledPolicy } from "@cmcp/policy";
import { rulesOf } from "@cmcp/policy/authoring";
import { LOWEST_LABEL, Vocabulary } from "@cmcp/session";
import { readArguments, required } from "../arguments.ts";
import { checkCedar } from "../check/check-cedar.ts";
import { loadBundleFolder } from "../check/read-bundle-folder.ts";
import { EXIT, type Command } from "../command.ts";
import { readBundleFile } from "../verify/bundle-file.ts";
import { decideSaved, finderFor, type Outcome } from "./decide-saved.ts";
import { explanationText, type Explanation, type Repetition } from "./explanation.ts";
import { findRecordedCall, isSalted, requestHashOf, withRecord, type RecordedCall } from "./recorded-call.ts";
import { readSavedCall, type SavedCall } from "./saved-call.ts";
import { readTools } from "./tools.ts";

const OPTIONS = {
  catalog: { type: "string" },
  "audit-bundle": { type: "string" },
  "call-id": { type: "string" },
  request: { type: "string" },
  json: { type: "boolean", default: false },
} as const;

/** `cmcp policy explain` */
export const policyExplain: Command = {
  help: `Usage: cmcp policy explain FOLDER --catalog FILE --audit-bundle FILE --call-id ID [--request FILE] [--json]

Says why a recorded call was decided as it was: the decision, its rules with file, line and @reason, what
they read, what the record holds of the call, and whether the bundle in FOLDER is the one that decided. The
record has hashes of arguments only. With --request the call is decided again, and what would have had to
differ is tried: a session that has seen nothing, and one with integrity. Nothing of the record is verified;
cmcp audit verify does that.

  --catalog FILE       the tool catalog
  --audit-bundle FILE  the session's export, from GET /audit/export
  --call-id ID         the call, as its receipt and its refusal name it
  --request FILE       the call as for cmcp policy test. Tool, workflow, principal, labels and mode are the
                       record's; history and claims are the file's. Its hash is compared with the record's, unless
                       the record's is salted
  --json               one line: ok, decision, rule, rules, other_rules, permits, same_policy, same_catalog, request

Exit codes: 0 explained, 10 the policy is another than the one that decided, or with --request the decision,
            30 malformed, 64 usage.
Example:    cmcp policy explain policies --catalog catalog.json --audit-bundle bundle.json --call-id "$CALL"
`,
  async run(args, { out }) {
    const { values, positional } = readArguments(args, OPTIONS, "FOLDER");
    const recorded = findRecordedCall(
      await readBundleFile(required(values["audit-bundle"], "--audit-bundle")),
      required(values["call-id"], "--call-id"),
    );
    const saved = values.request === undefined ? null : withRecord(await readSavedCall(values.request), recorded);
    if (saved !== null && recorded.entry.detail?.["method"] !== undefined)
      throw new CmcpError("USAGE", "--request is for calls of tools, and the recorded request is another");
    const vocabulary = saved === null ? undefined : new Vocabulary(saved);
    const catalog = await readTools(required(values.catalog, "--catalog"), vocabulary);
    const policy = await checkCedar(await loadBundleFolder(required(positional, "FOLDER")), catalog);
    const repetition = saved === null ? null : await repeat(policy, catalog, saved, recorded);
    const explanation = explain(policy, catalog, recorded, repetition);
    const ok = explanation.samePolicy && (repetition === null || isSame(repetition, recorded));
    out.write(values.json ? `${JSON.stringify({ ok, ...asJson(explanation) })}\n` : explanationText(explanation));
    return ok ? EXIT.ok : EXIT.rejected;
  },
};

function explain(
  { bundle }: CompiledPolicy,
  catalog: Catalog,
  recorded: RecordedCall,
  repetition: Repetition | null,
): Explanation {
  const { entry, root } = recorded;
  const all = rulesOf(bundle, catalog);
  const named = (entry.policy_rule_matched ?? "").split(",").filter((name) => name !== "");
  const rules = all.filter(({ label }) => named.includes(label));
  return {
    recorded,
    policyHash: bundle.hash,
    samePolicy: entry.detail?.["policy_hash"] === bundle.hash,
    sameCatalog: root.detail?.["catalog_hash"] === catalog.hash,
    rules,
    otherRules: named.filter((name) => !rules.some(({ label }) => label === name)),
    permits: named.includes("default-deny")
      ? all.filter(({ effect, tools }) => effect === "permit" && tools.includes(entry.tool_name ?? ""))
      : [],
    repetition,
  };
}

/** Decides the call again, and under each change of the session that brings another decision. */
async function repeat(
  policy: CompiledPolicy,
  catalog: Catalog,
  saved: SavedCall,
  recorded: RecordedCall,
): Promise<Repetition> {
  const find = await finderFor(policy);
  const outcome = decideSaved(policy, catalog, saved, find);
  const { session_max_sensitivity: _, ...rest } = saved;
  const changes: readonly (readonly [string, SavedCall])[] = [
    ["if the session had seen nothing", { ...rest, session_sensitivity: LOWEST_LABEL, compartments: [] }],
    ["if the session were trusted", { ...saved, integrity: "trusted" }],
    ["if both held", { ...rest, session_sensitivity: LOWEST_LABEL, compartments: [], integrity: "trusted" }],
  ];
  return {
    outcome,
    isLifted: isLifted(outcome, recorded),
    sameRequest: isSalted(recorded) ? null : requestHashOf(saved) === recorded.entry.request_payload_hash,
    variants: changes.flatMap(([change, call]) => {
      const { decision } = decideSaved(policy, catalog, call, find);
      return decision === outcome.decision ? [] : [{ change, decision }];
    }),
  };
}

/** Whether the call was let through by approvals of the very refusal that it is decided with again. */
function isLifted({ decision, rule, approval }: Outcome, { entry }: RecordedCall): boolean {
  const isSent = entry.policy_decision === "allow" || entry.policy_decision === "redact";
  const approved = isSent && entry.detail?.["approval_id"] !== undefined;
  return approved && decision === "step_up" && approval !== undefined && entry.policy_rule_matched === rule;
}

/** Whether the repeated decision is the record's. A mode that does not enforce records what policy would have refused. */
function isSame({ outcome: { decision }, isLifted: lifted }: Repetition, { entry }: RecordedCall): boolean {
  if (lifted) return true;
  const refuses = decision !== "allow" && decision !== "redact";
  return entry.policy_decision === decision || (entry.policy_decision === "advisory_deny" && refuses);
}

function asJson({ recorded, rules, otherRules, permits, samePolicy, sameCatalog, repetition }: Explanation): object {
  return {
    decision: recorded.entry.policy_decision,
    rule: recorded.entry.policy_rule_matched,
    rules,
    other_rules: otherRules,
    permits,
    same_policy: samePolicy,
    same_catalog: sameCatalog,
    request:
      repetition === null
        ? null
        : {
            decision: repetition.outcome.decision,
            rule: repetition.outcome.rule,
            reason: repetition.outcome.reason,
            lifted: repetition.isLifted,
            same_request: repetition.sameRequest,
            variants: repetition.variants,
          },
  };
}
