import type { JsonObject } from "@cmcp/boundary";
import { findBlobs } from "./blobs.ts";
import { findCharacters } from "./characters.ts";
import { scriptsOf, skeleton, type Detectors } from "@cmcp/findings";
import { findDetected } from "./content.ts";
import { found, type Finding, type TextFinding } from "./finding.ts";
import { findInstructions } from "./instructions.ts";
import { EXCESSIVE_DESCRIPTION, LONG_DESCRIPTION, MAX_FINDINGS } from "./limits.ts";
import { findLookalikeHosts } from "./hosts.ts";
import { findLookalikes } from "./names.ts";
import { findSoftHyphens } from "./soft-hyphens.ts";
import { textsOf, type PlacedText } from "./texts.ts";

/** What of a tool reaches a model or a reviewer. */
export interface ScannedTool {
  readonly toolName: string;
  /** Identity of the server. */
  readonly server: string;
  /** Name of the server, for people. */
  readonly displayName: string;
  readonly description: string;
  readonly inputSchema: JsonObject;
  readonly outputSchema: JsonObject | null;
}

/** What of a resource or template reaches a model or a reviewer. */
export type ScannedResource = Omit<Scanned, "name" | "subject"> & { readonly id: string };
/** What of a prompt reaches a model or a reviewer. */
export type ScannedPrompt = Omit<Scanned, "name" | "subject"> & { readonly promptName: string };

function findName(name: string): TextFinding[] {
  const findings = [...findCharacters(name), ...findSoftHyphens(name, false)];
  const scripts = scriptsOf(name);
  if (scripts.length > 1)
    findings.push(found("mixed-script", "high", null, `a name that mixes ${scripts.join(" and ")} letters`));
  else if (/[^a-zA-Z]/.test(name.replaceAll(/\P{L}/gu, "")) && /^[\x20-\x7e]+$/.test(skeleton(name)))
    findings.push(found("look-alike-name", "high", null, "letters of another script that look like a plain name"));
  return findings;
}

function findLength(description: string): TextFinding[] {
  if (description.length > EXCESSIVE_DESCRIPTION)
    return [found("excessive-length", "medium", null, `${description.length} characters, more than a reviewer reads`)];
  return description.length > LONG_DESCRIPTION
    ? [found("excessive-length", "low", null, `${description.length} characters, long for a description`)]
    : [];
}

function scanText({ text, isName }: PlacedText): TextFinding[] {
  return [...findCharacters(text), ...findSoftHyphens(text, !isName), ...findInstructions(text), ...findBlobs(text)];
}

const GRAVITY = { high: 0, medium: 1, low: 2 } as const;

/** Anything approved, as far as the scan looks at it. */
interface Scanned {
  readonly name: string;
  readonly subject: "tool" | "resource" | "prompt";
  readonly server: string;
  readonly displayName: string;
  readonly description: string;
  /** Everything that reaches a model, `description` among it, under the names its entry has. */
  readonly definition: JsonObject;
}

function scan(
  { name, subject, server, displayName, description, definition }: Scanned,
  detectors: Detectors | null,
): Finding[] {
  const all: Finding[] = [];
  const whose = { tool: name, server, ...(subject === "tool" ? {} : { subject }) };
  const add = (path: string, findings: readonly TextFinding[]): void => {
    for (const finding of findings) all.push({ ...whose, ...finding, path });
  };
  // A resource is named by its URI, which is no word.
  if (subject !== "resource") add(`/${subject}_name`, findName(name));
  add("/server/display_name", findName(displayName));
  add("/approved_definition/description", findLength(description));
  const { texts, complete } = textsOf("/approved_definition", definition);
  for (const text of texts) add(text.path, scanText(text));
  if (detectors !== null)
    add("/approved_definition", findDetected(texts, new Set(all.map(({ kind }) => kind)), detectors));
  if (!complete)
    add("/approved_definition", [found("not-scanned", "high", null, "the definition holds more text than is scanned")]);
  all.sort((left, right) => GRAVITY[left.severity] - GRAVITY[right.severity]);
  if (all.length <= MAX_FINDINGS) return all;
  const gravest = all.slice(0, MAX_FINDINGS);
  return [
    ...gravest,
    {
      ...whose,
      ...found("not-scanned", "medium", null, `${all.length - gravest.length} more findings, none graver`),
      path: "",
    },
  ];
}

function scanTool(tool: ScannedTool, detectors: Detectors | null): Finding[] {
  const definition = {
    description: tool.description,
    input_schema: tool.inputSchema,
    output_schema: tool.outputSchema,
  };
  return scan({ ...tool, name: tool.toolName, subject: "tool", definition }, detectors);
}

/**
 * What a reviewer of tool definitions should see: hidden or misleading characters, words addressed to the
 * model, text out of sight, names that look like others. Linear in the size of the definitions; within one
 * tool the gravest findings come first. It finds known ways of hiding; nothing found is no proof of honesty.
 *
 * @param detectors those of calls, which look into encoded texts as well; `null` leaves them out
 */
export function scanTools(tools: readonly ScannedTool[], detectors: Detectors | null = null): Finding[] {
  return [
    ...tools.flatMap((tool) => scanTool(tool, detectors)),
    ...findLookalikes(tools),
    ...findLookalikeHosts(tools),
  ];
}

/** What a reviewer of a resource's or template's definition should see. */
export function scanResource(resource: ScannedResource, detectors: Detectors | null = null): Finding[] {
  return scan({ ...resource, name: resource.id, subject: "resource" }, detectors);
}

/** What a reviewer of prompt definitions should see, names that look like others among it. */
export function scanPrompts(prompts: readonly ScannedPrompt[], detectors: Detectors | null = null): Finding[] {
  const alike = findLookalikes(prompts.map(({ promptName, server }) => ({ toolName: promptName, server })));
  return [
    ...prompts.flatMap((prompt) => scan({ ...prompt, name: prompt.promptName, subject: "prompt" }, detectors)),
    ...alike.map((finding): Finding => ({ ...finding, subject: "prompt", path: "/prompt_name" })),
  ];
}
