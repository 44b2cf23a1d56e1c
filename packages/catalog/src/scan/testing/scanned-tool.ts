import { scanTools, type Finding, type ScannedTool } from "../index.ts";

/** An honest tool, with changes. */
export function tool(parts: Partial<ScannedTool> = {}): ScannedTool {
  return {
    toolName: "post_note",
    server: "https://a.example/mcp",
    displayName: "Notes",
    description: "Posts a note.",
    inputSchema: { type: "object" },
    outputSchema: null,
    ...parts,
  };
}

/** Findings in a description. */
export const inDescription = (description: string): Finding[] => scanTools([tool({ description })]);
