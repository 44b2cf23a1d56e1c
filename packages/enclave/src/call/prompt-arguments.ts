import type { JsonObject } from "@cmcp/boundary";
import type { CatalogPrompt } from "@cmcp/catalog";

/** Why arguments do not fit an approved prompt, `null` when they do: each is a text (MCP, "Getting a Prompt"), declared, and there if required. */
export function checkPromptArguments({ arguments: declared }: CatalogPrompt, given: JsonObject): string | null {
  for (const [name, value] of Object.entries(given)) {
    if (typeof value !== "string") return "an argument of a prompt is not a text";
    if (!declared.some((argument) => argument.name === name)) return "the prompt has an argument that was not approved";
  }
  const missing = declared.find(({ name, required }) => required && !Object.hasOwn(given, name));
  return missing === undefined ? null : `the prompt needs its argument ${missing.name}`;
}
