import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { fencedBlocks } from "./fenced-blocks.ts";
import { ROOT } from "../gateway/deployment.ts";
import type { ServerCommand } from "../frameworks/task.ts";

const PAGE = readFileSync(join(ROOT, "docs/how-to/seal-requests.md"), "utf8");
const server = z.object({
  command: z.string(),
  args: z.array(z.string()),
  env: z.record(z.string(), z.string()),
});
const shape = {
  mcpServers: z.strictObject({ mcpServers: z.strictObject({ gateway: server.strict() }) }),
  servers: z.strictObject({
    inputs: z.array(
      z.strictObject({ type: z.string(), id: z.string(), description: z.string(), password: z.boolean() }),
    ),
    servers: z.strictObject({ gateway: server.extend({ type: z.literal("stdio") }).strict() }),
  }),
} as const;

/** What stands on the page for what only its reader knows, and what stands for it here. */
export type Filled = Readonly<Record<string, string>>;

/** A block of docs/how-to/seal-requests.md by its tag, with every placeholder filled in and nothing else changed. */
export function shownBlock(language: string, tag: string, filled: Filled): string {
  const blocks = fencedBlocks(PAGE).filter((block) => block.language === language && block.tags.includes(tag));
  assert.equal(blocks.length, 1, `one block of the page is ${language} ${tag}`);
  return Object.entries({ "/path/to/cmcp": ROOT, ...filled }).reduce((text, [placeholder, value]) => {
    assert.ok(text.includes(placeholder), `${placeholder} stands in the block`);
    return text.replaceAll(placeholder, value);
  }, blocks[0]?.text ?? "");
}

/** The configuration of clients that start commands, with the server it names. */
export function shownConfiguration(
  tag: string,
  filled: Filled,
): { readonly text: string; readonly server: ServerCommand } {
  const text = shownBlock("json", tag, filled);
  return { text, server: shape.mcpServers.parse(JSON.parse(text)).mcpServers.gateway };
}

/** The server that VS Code's configuration names. Its input is asked of the user. */
export function shownForVsCode(filled: Filled, answer: string): ServerCommand {
  const { inputs, servers } = shape.servers.parse(JSON.parse(shownBlock("json", "vscode", filled)));
  const { type: _, env, ...rest } = servers.gateway;
  const [asked] = inputs;
  const answered = Object.entries(env).map(([name, value]) => [name, value.replace(`\${input:${asked?.id}}`, answer)]);
  return { ...rest, env: Object.fromEntries(answered) as ServerCommand["env"] };
}
