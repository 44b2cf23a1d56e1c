import type { ApprovalRequest } from "@cmcp/approval";
import { flowsText, taskText } from "../src/approvals/render-request.ts";
import { jsonLines } from "../src/approvals/visible.ts";
import { element, facts, foreign, note } from "./element.ts";

/** One call as a person reads it: all of it, made of exactly what the enclave signed. */
export function callView(request: ApprovalRequest, hash: string): readonly Node[] {
  const { target, task, flows, findings, labels } = request;
  const found = Object.entries(findings).map(([name, count]) => `${name.replaceAll("_", " ")}: ${count}`);
  const rows: readonly (readonly [string, string])[] = [
    [methodText(target.method), target.name],
    ["Server", target.server],
    ["Asked by", request.principal],
    ["Workflow", request.workflow_id],
    ...(task === undefined ? [] : [["Task", taskText(task)] as const]),
    ["Rule", request.rule],
    ["Who is needed", `${request.needed} of ${request.approvers.join(", ")}`],
    ["Asked at", timeText(request.issued_at)],
    ["Expires at", timeText(request.expires_at)],
    ["The session has seen", `${labels.compartments.join(", ") || "nothing labelled"}; ${labels.integrity}`],
    ["Findings", found.join(", ") || "nothing that a rule asks about"],
    ["Data of earlier results", flows === null ? "no rule asks" : flowsText(flows)],
  ];
  const call = json(request.arguments);
  return [
    note(
      "",
      element("strong", "", questionOf(request)),
      request.reason === null ? " The rule gives no reason." : " The rule's reason: ",
      foreign(request.reason ?? ""),
    ),
    facts(rows.map(([name, text]) => [name, foreign(text)])),
    heading("Arguments, all of them"),
    ...hiddenNote(call),
    call,
    ...shownIn("The server's questions, and the answers that it would get", request.answers),
    ...shownIn("The result that waits", request.result),
    heading("For the record"),
    facts(
      [
        ["Approval", request.approval_id],
        ["What you sign", hash],
        ["Session", request.session_id],
        ["Call", request.call_id],
        ["Policy", request.policy_hash],
        ["Catalog", request.catalog_hash],
        ["Log", request.origin],
        ["Instance", request.instance],
      ].map(([name = "", text = ""]) => [name, element("code", "", foreign(text))] as const),
    ),
  ];
}

function questionOf({ subject, answers }: ApprovalRequest): string {
  if (subject === "result") return "Deliver this result to the agent?";
  return answers === undefined ? "Send this call?" : "Send these answers, and go on with this call?";
}

function shownIn(text: string, value: object | undefined): readonly Node[] {
  if (value === undefined) return [];
  const shown = json(value);
  return [heading(text), ...hiddenNote(shown), shown];
}

function heading(text: string): HTMLElement {
  return element("h2", "", text);
}

function json(value: unknown): HTMLElement {
  return element("pre", "", ...jsonLines(value).flatMap((line) => [foreign(line), "\n"]));
}

function hiddenNote(shown: HTMLElement): readonly Node[] {
  const count = shown.querySelectorAll("mark").length;
  return count === 0
    ? []
    : [
        note(
          "bad",
          `${count} ${count === 1 ? "character" : "characters"} below would not show. Each is marked and written as its code.`,
        ),
      ];
}

function methodText(method: string): string {
  return method === "tools/call" ? "Tool" : method;
}

/** Seconds since the epoch as the approver's own time, with the zone. */
export function timeText(seconds: number): string {
  return new Date(seconds * 1000).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "long" });
}
