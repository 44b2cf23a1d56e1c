import { isJsonObject } from "@cmcp/boundary";
import type { CatalogTool } from "../tool.ts";
import { SEARCH_TOOL_NAME } from "./search-tool.ts";

/** Characters of one text that are read, words of one text that are kept, and characters of a word. */
const MAX_TEXT = 4096;
const MAX_WORDS = 128;
const MAX_WORD = 64;
/** Words of a query that count. */
const MAX_QUERY_WORDS = 16;
/** Names of arguments that are read. */
const MAX_ARGUMENTS = 256;

/** What a word of a query is worth where it stands. The best place of a word counts. */
const WEIGHTS = { name: 8, argument: 3, description: 1 } as const;
/** What it is worth beside that to have the query as its name. */
const WHOLE_NAME = 1024;

/** The words of a text, in order, each once: runs of letters and digits, in lower case, without the `s` of a plural. */
export function wordsOf(text: string, most = MAX_WORDS): readonly string[] {
  const parted = text
    .slice(0, MAX_TEXT)
    .normalize("NFKC")
    .replaceAll(/(?<=[\p{Ll}\p{N}])(?=\p{Lu})/gu, " ");
  const words = new Set<string>();
  for (const [run] of parted.matchAll(/[\p{L}\p{M}\p{N}]+/gu)) {
    if (words.size >= most) break;
    words.add(singular(run.toLowerCase().slice(0, MAX_WORD)));
  }
  return [...words];
}

function singular(word: string): string {
  return word.length > 3 && word.endsWith("s") && !word.endsWith("ss") ? word.slice(0, -1) : word;
}

/** The words of a tool, each with what it is worth. */
function weighedWords({
  toolName,
  description,
  inputSchema: { properties },
}: CatalogTool): ReadonlyMap<string, number> {
  const weighed = new Map<string, number>();
  const add = (text: string, weight: number): void => {
    for (const word of wordsOf(text)) weighed.set(word, Math.max(weight, weighed.get(word) ?? 0));
  };
  add(toolName, WEIGHTS.name);
  const names = isJsonObject(properties) ? Object.keys(properties) : [];
  for (const name of names.slice(0, MAX_ARGUMENTS)) add(name, WEIGHTS.argument);
  add(description, WEIGHTS.description);
  return weighed;
}

/** A tool that has a word, by its place in the catalog. */
interface Holder {
  readonly at: number;
  readonly weight: number;
}

/**
 * The words of a catalog's tools. What a tool scores depends on the query and on that tool alone: how rare a word is in
 * the catalog counts for nothing, as it would show what policy hides.
 */
export class ToolIndex {
  readonly #holders = new Map<string, Holder[]>();
  readonly #places = new Map<string, number>();

  constructor(tools: Iterable<CatalogTool>) {
    let at = 0;
    for (const tool of tools) {
      if (tool.toolName !== SEARCH_TOOL_NAME) this.#add(tool, at);
      at += 1;
    }
  }

  #add(tool: CatalogTool, at: number): void {
    this.#places.set(tool.toolName, at);
    for (const [word, weight] of weighedWords(tool)) {
      const holders = this.#holders.get(word);
      if (holders === undefined) this.#holders.set(word, [{ at, weight }]);
      else holders.push({ at, weight });
    }
  }

  /** The places of the tools that have a word of the query, the best first, and those alike in catalog order. */
  ranked(query: string): readonly number[] {
    const scores = new Map<number, number>();
    const add = (at: number, weight: number): void => void scores.set(at, (scores.get(at) ?? 0) + weight);
    for (const word of wordsOf(query, MAX_QUERY_WORDS))
      for (const { at, weight } of this.#holders.get(word) ?? []) add(at, weight);
    const named = this.#places.get(query.trim());
    if (named !== undefined) add(named, WHOLE_NAME);
    return [...scores].sort(([left, a], [right, b]) => b - a || left - right).map(([at]) => at);
  }
}
