/** The commands there are, with what each says of itself. */
export interface CommandTable {
  readonly names: readonly string[];
  readonly summaryOf: (name: string) => string;
  readonly helpOf: (name: string) => Promise<string>;
}

/** One command as a shell completes it. */
export interface CommandWords {
  /** Its words, as they are typed: `policy lint`. */
  readonly name: string;
  readonly summary: string;
  /** Its options, with their dashes. */
  readonly options: readonly string[];
}

const IN_USAGE = /(?<![\w-])--[a-z][a-z-]*/g;
/** Where a column of a list of options begins. */
const IN_LIST = /(?<= {2})--[a-z][a-z-]*/g;

/** The options that a help text lists, in its usage and in columns of their own, each once. */
export function optionsIn(help: string): readonly string[] {
  const [usage = "", ...paragraphs] = help.split("\n\n");
  const listed = paragraphs.flatMap((text) => text.match(IN_LIST) ?? []);
  return [...new Set([...(usage.match(IN_USAGE) ?? []), ...listed, "--json", "--help"])];
}

/** Every command of the table, with the options that its own help lists. */
export async function commandWords({ names, summaryOf, helpOf }: CommandTable): Promise<readonly CommandWords[]> {
  return await Promise.all(
    names.map(async (name) => ({ name, summary: summaryOf(name), options: optionsIn(await helpOf(name)) })),
  );
}
