import type { JsonObject } from "@cmcp/boundary";
import type { CatalogPrompt, Target } from "@cmcp/catalog";
import { inspectArguments } from "@cmcp/inspection";
import type { AgentRequest } from "@cmcp/mcp";
import type { DecisionInput } from "./call.ts";
import { proceed, refuse, type Step } from "./ending.ts";

/** Checks arguments against the catalog: a tool's input schema, or the declared arguments of a prompt or template. */
export function checkArguments({ policyRequest }: DecisionInput, target: Target): Step<null> {
  const why = argumentsError(target, policyRequest);
  return why === null
    ? proceed(null)
    : refuse(target, { rule: "input-schema", code: "MCP_INVALID_REQUEST", message: why });
}

function argumentsError(target: Target, request: AgentRequest): string | null {
  if (request.completion !== null) return completionError(target, request.completion);
  switch (target.kind) {
    case "tool": {
      const checked = inspectArguments(target.tool, request.arguments);
      return checked.ok ? null : `the arguments do not match the approved input schema: ${checked.why}`;
    }
    case "prompt":
      return promptError(target.prompt, request.arguments);
    case "resource":
      return null;
  }
}

/** Each argument of a prompt is a string (MCP, "Getting a Prompt") and declared; required ones are present. */
function promptError({ arguments: declared }: CatalogPrompt, args: JsonObject): string | null {
  for (const [name, value] of Object.entries(args)) {
    if (typeof value !== "string") return `the prompt argument ${name} must be a string`;
    if (!declared.some((argument) => argument.name === name))
      return "the prompt has an argument that is not in the catalog";
  }
  const missing = declared.find(({ name, required }) => required && !Object.hasOwn(args, name));
  return missing === undefined ? null : `the prompt argument ${missing.name} is required`;
}

/** A completion names only arguments that the catalog declares. */
function completionError(target: Target, { argument, known }: NonNullable<AgentRequest["completion"]>): string | null {
  const declared = argumentNames(target);
  return [argument.name, ...Object.keys(known)].every((name) => declared.has(name))
    ? null
    : "the completion names an argument that is not in the catalog";
}

function argumentNames(target: Target): ReadonlySet<string> {
  switch (target.kind) {
    case "tool":
      return new Set();
    case "prompt":
      return new Set(target.prompt.arguments.map(({ name }) => name));
    case "resource":
      return new Set(target.resource.resource.template?.variables ?? []);
  }
}
