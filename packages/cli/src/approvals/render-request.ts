import type { ApprovalRequest } from "@cmcp/approval";
import { visible, visibleJson } from "./visible.ts";

/** One request as a person reads it: the whole call, made of exactly what the enclave signed. */
export function renderRequest(request: ApprovalRequest, hash: string): string {
  const { target, flows, findings, labels, expires_at: expires } = request;
  const lines: (readonly [string, string])[] = [
    ["approval", request.approval_id],
    ["request", hash],
    [target.method, target.name],
    ["server", target.server],
    ["principal", request.principal],
    ["workflow", request.workflow_id],
    ["session", request.session_id],
    ["rule", request.rule],
    ...(request.task === undefined ? [] : [["task", taskText(request.task)] as const]),
    ...(request.reason === null ? [] : [["reason", request.reason] as const]),
    ["approvals", `${request.needed} of ${request.approvers.join(", ")}`],
    ["expires", new Date(expires * 1000).toISOString()],
    ["seen", `${labels.compartments.join(", ") || "nothing labelled"}; ${labels.integrity}`],
    ...(Object.keys(findings).length === 0 ? [] : [["findings", JSON.stringify(findings)] as const]),
    ...(flows === null ? [] : [["flows", flowsText(flows)] as const]),
  ];
  const head = lines.map(([name, text]) => `${name.padEnd(14)} ${visible(text)}\n`).join("");
  const result = request.result === undefined ? "" : `result\n${visibleJson(request.result)}\n`;
  const { answers } = request;
  const answered = answers === undefined ? "" : `answers\n${visibleJson(answers)}\n`;
  return `${head}arguments\n${visibleJson(request.arguments)}\n${answered}${result}`;
}

/** What a request says of a task, in words. */
export function taskText(task: NonNullable<ApprovalRequest["task"]>): string {
  if ("id" in task) return `about task ${task.id}`;
  return task.ttl === null ? "asked for, for no time of its own" : `asked for, kept for ${task.ttl} ms`;
}

/** The flows of a request, in words. */
export function flowsText({ found, complete }: NonNullable<ApprovalRequest["flows"]>): string {
  const texts = found.map(
    ({ source_server, source_tool, kind, path, coverage }) =>
      `${source_server}/${source_tool} in ${path} (${kind}, ${coverage} %)`,
  );
  return `${texts.join("; ") || "none"}${complete ? "" : "; others may not have been found"}`;
}
