/** Renders the table of methods as the tables of docs/reference/mcp.md. */
import { METHODS, isGoverned, type Method } from "../packages/mcp/src/protocol/methods.ts";
import { row, type GeneratedSection } from "./generated-section.ts";

function reaches(method: Method): string {
  if (!isGoverned(method)) return method.kind === "list" ? "the approved definitions" : "the gateway";
  return method.kind === "cancellation" ? "the server, always, with what it cancels alone" : "the server, when decided";
}

function action(method: Method): string {
  if (!isGoverned(method)) return "";
  if (method.action !== null) return `\`${method.action}\``;
  return method.kind === "cancellation" ? "none" : "`call_tool`, of the call that made the task";
}

function methods(): string {
  const rows = METHODS.map((method) =>
    row([
      `\`${method.name}\``,
      method.eras.join(", "),
      reaches(method),
      action(method),
      isGoverned(method) ? method.result : "",
    ]),
  );
  return (
    row(["method", "eras", "answered by", "Cedar action", "result read as"]) + row(Array(5).fill("---")) + rows.join("")
  );
}

function parameters(): string {
  const rows = METHODS.flatMap((method) =>
    method.params.members.map(({ name, type, required, dialects }) =>
      row([
        `\`${method.name}\``,
        `\`${name}\``,
        required === true ? "yes" : "no",
        type,
        dialects === undefined ? "" : dialects.map((dialect) => DIALECTS[dialect]).join(", "),
      ]),
    ),
  );
  return (
    row(["method", "parameter", "required", "type and bound", "where"]) + row(Array(5).fill("---")) + rows.join("")
  );
}

const DIALECTS = {
  modern: "2026-07-28",
  legacy: "before 2026-07-28",
  "legacy-tasks": "sessions of 2025-11-25",
} as const;

/** The tables of methods and parameters of docs/reference/mcp.md. */
export const methodReference: GeneratedSection = {
  file: "docs/reference/mcp.md",
  name: "methods",
  render: () => `\n${methods()}\n${parameters()}\n`,
};
