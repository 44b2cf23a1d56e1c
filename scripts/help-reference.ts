/** Renders the help text of every command as docs/reference/cli-help.md. */
import { commandNames, commandOf } from "../packages/cli/src/commands.ts";
import type { GeneratedSection } from "./generated-section.ts";

async function helpOf(name: string): Promise<string> {
  const named = commandOf(name.split(" "));
  if (named.is !== "command") throw new Error(`${name} is no command`);
  const { help } = await named.load();
  return `\n## \`cmcp ${name}\`\n\n\`\`\`\n${help.trimEnd()}\n\`\`\`\n`;
}

async function render(): Promise<string> {
  return (await Promise.all(commandNames().map(helpOf))).join("");
}

/** The help texts of docs/reference/cli-help.md. */
export const helpReference: GeneratedSection = { file: "docs/reference/cli-help.md", name: "help", render };
