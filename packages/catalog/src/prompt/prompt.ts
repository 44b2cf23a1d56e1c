import { CmcpError, isJsonObject, type JsonValue } from "@cmcp/boundary";
import * as z from "zod";
import { classOf, type Approved } from "../approved.ts";
import { approval, checkDefinition, readShape } from "../entry/described.ts";
import { visibleName } from "../entry/shape.ts";
import { prefixedSha256 } from "../hashes.ts";
import { MAX_DESCRIPTION, MAX_PROMPT_ARGUMENTS, MAX_TEXT } from "../limits.ts";
import type { CatalogOptions } from "../options.ts";
import type { ServerRegister } from "../named-server.ts";

/** An argument of a prompt. Its value is always a text (MCP, "Getting a Prompt"). */
export interface PromptArgument {
  readonly name: string;
  readonly title: string | null;
  readonly description: string;
  readonly required: boolean;
}

/** What an agent is shown of a prompt: the approved text, never the server's live one. */
export interface PromptDefinition {
  readonly title: string | null;
  readonly description: string;
  readonly arguments: readonly PromptArgument[];
}

/** One approved prompt. */
export interface CatalogPrompt extends Approved, PromptDefinition {
  readonly promptName: string;
}

const argument = z.strictObject({
  name: z.string().min(1).max(128),
  title: z.string().max(MAX_TEXT).nullish(),
  description: z.string().max(MAX_DESCRIPTION).default(""),
  required: z.boolean().default(false),
});

const shape = z.strictObject({
  prompt_name: visibleName,
  server: z.string(),
  approved_definition: z.strictObject({
    title: z.string().max(MAX_TEXT).nullish(),
    description: z.string().max(MAX_DESCRIPTION).default(""),
    arguments: z.array(argument).max(MAX_PROMPT_ARGUMENTS).default([]),
  }),
  ...approval,
});

/**
 * `sha256:` and hex over canonical `{title, description, arguments: [{name, title, description, required}]}`; equal
 * when the prompt did not drift.
 */
export function promptDriftDigest({ title, description, arguments: list }: PromptDefinition): string {
  return prefixedSha256({
    title,
    description,
    arguments: list.map((one) => ({
      name: one.name,
      title: one.title,
      description: one.description,
      required: one.required,
    })),
  });
}

function readPrompt(raw: JsonValue, index: number, servers: ServerRegister, options: CatalogOptions): CatalogPrompt {
  const what = `catalog prompt ${isJsonObject(raw) && typeof raw.prompt_name === "string" ? raw.prompt_name.slice(0, 64) : `#${index}`}`;
  const entry = readShape(shape, raw, what);
  checkDefinition(raw, entry.definition_hash, what);
  const { title = null, description } = entry.approved_definition;
  const list = entry.approved_definition.arguments.map(({ name, title: own = null, description: about, required }) => ({
    name,
    title: own,
    description: about,
    required,
  }));
  if (new Set(list.map(({ name }) => name)).size < list.length)
    throw new CmcpError("CATALOG_INVALID", `${what}: duplicate argument`);
  const definition = { title, description, arguments: list };
  return {
    ...definition,
    ...classOf(entry, options.vocabulary, what),
    promptName: entry.prompt_name,
    server: servers.named(entry.server, what),
    driftDigest: promptDriftDigest(definition),
  };
}

/**
 * The approved prompts of a catalog, by name.
 *
 * @throws CmcpError `CATALOG_INVALID`; `CATALOG_NAME_COLLISION`, naming both servers.
 */
export function readPrompts(
  raw: readonly JsonValue[],
  servers: ServerRegister,
  options: CatalogOptions,
): ReadonlyMap<string, CatalogPrompt> {
  const prompts = new Map<string, CatalogPrompt>();
  for (const [index, entry] of raw.entries()) {
    const prompt = readPrompt(entry, index, servers, options);
    const same = prompts.get(prompt.promptName);
    if (same !== undefined) {
      throw new CmcpError(
        "CATALOG_NAME_COLLISION",
        `duplicate prompt ${prompt.promptName}: offered by ${same.server.displayName} (${same.server.identity}) and ${prompt.server.displayName} (${prompt.server.identity})`,
      );
    }
    prompts.set(prompt.promptName, prompt);
  }
  return prompts;
}
