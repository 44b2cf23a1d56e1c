/** Renders the attributes that rules can read as the tables of docs/reference/facts.md. */
import { ACTIONS } from "../packages/policy/src/actions.ts";
import type { Fact, FactTable } from "../packages/policy/src/fact.ts";
import {
  CONTEXT_FACTS,
  PRINCIPAL_FACTS,
  PROMPT_FACTS,
  RESOURCE_FACTS,
  TOOL_FACTS,
} from "../packages/policy/src/fact-tables.ts";
import { typeText } from "../packages/policy/src/schema/fit.ts";
import { row, type GeneratedSection } from "./generated-section.ts";

const TABLES: readonly (readonly [string, FactTable])[] = [
  ["principal", PRINCIPAL_FACTS],
  ["resource: a tool", TOOL_FACTS],
  ["resource: a resource or template", RESOURCE_FACTS],
  ["resource: a prompt", PROMPT_FACTS],
  ["context", CONTEXT_FACTS],
];

/** Which requests have an attribute. */
function presence({ sourced, optional, on }: Fact): string {
  if (!sourced) return "never: no rule may read it";
  if (optional) return "where there is one";
  return on === null ? "always" : `with ${on.map((id) => `\`${id}\``).join(", ")}`;
}

function table([title, facts]: readonly [string, FactTable]): string {
  const rows = Array.from(facts, ([name, fact]) =>
    row([`\`${name}\``, `\`${typeText(fact.type)}\``, presence(fact), fact.meaning]),
  );
  return `\n## ${title}\n\n${row(["attribute", "type", "present", "what it says"])}${row(["---", "---", "---", "---"])}${rows.join("")}`;
}

async function render(): Promise<string> {
  const actions = Object.keys(ACTIONS).map((id) => `\`${id}\``);
  return `\nActions: ${actions.join(", ")}.\n${TABLES.map(table).join("")}`;
}

/** The tables of docs/reference/facts.md. */
export const factReference: GeneratedSection = { file: "docs/reference/facts.md", name: "facts", render };
