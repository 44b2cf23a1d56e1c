import type { JsonObject } from "@cmcp/boundary";
import { OUTCOMES, type Outcome } from "./outcomes.ts";

/** The era a tainting server speaks; the names of what it offers begin so. */
export type ServerEra = "legacy" | "modern";

/** The one schema of all its tools. */
export const INPUT_SCHEMA: JsonObject = { type: "object", properties: { text: { type: "string" } } };

/** What a tool says whose result is redacted: one member stays, the other is taken out. */
const OUTPUT_SCHEMA: JsonObject = {
  type: "object",
  properties: { kept: { type: "string" }, number: { type: "string" } },
  additionalProperties: false,
};

export const toolName = (era: ServerEra, outcome: Outcome): string => `${era}-tool-${outcome}`;
export const promptName = (era: ServerEra, outcome: Outcome): string => `${era}-prompt-${outcome}`;
export const resourceUri = (era: ServerEra, outcome: Outcome): string => `taint://${era}/${outcome}`;
export const templateUri = (era: ServerEra): string => `taint-of://${era}/{item}`;

/** What it lists. Foreign members are no part of what is approved. */
export function offersOf(era: ServerEra): Readonly<Record<string, JsonObject>> {
  return {
    "tools/list": {
      tools: OUTCOMES.map((outcome) => ({
        name: toolName(era, outcome),
        description: "A tool.",
        inputSchema: INPUT_SCHEMA,
        ...(outcome === "redacted" ? { outputSchema: OUTPUT_SCHEMA } : {}),
        ...(era === "legacy" && ["task", "failing", "asking"].includes(outcome)
          ? { execution: { taskSupport: "optional" } }
          : {}),
      })),
    },
    "prompts/list": {
      prompts: OUTCOMES.map((outcome) => ({
        name: promptName(era, outcome),
        description: "A prompt.",
        arguments: [{ name: "text", description: "Any text.", required: false }],
      })),
    },
    "resources/list": {
      resources: OUTCOMES.map((outcome) => ({
        uri: resourceUri(era, outcome),
        name: `resource-${outcome}`,
        description: "A resource.",
      })),
    },
    "resources/templates/list": {
      resourceTemplates: [{ uriTemplate: templateUri(era), name: "template", description: "A template." }],
    },
  };
}
