/** A fenced block of a Markdown page. */
export interface FencedBlock {
  /** The language, then whatever else stands after the fence. */
  readonly language: string;
  readonly tags: readonly string[];
  readonly text: string;
  /** Line of the opening fence, from 1. */
  readonly line: number;
  /** The text of a block without a language that follows directly: what the commands print. */
  readonly prints: string | null;
}

/** The fenced blocks of a page, in order. */
export function fencedBlocks(page: string): FencedBlock[] {
  const found = [...page.matchAll(/^```(.*)\n([^]*?)^```$/gm)].map(
    ({ 0: whole, 1: info = "", 2: text = "", index }) => {
      const [language = "", ...tags] = info.split(" ");
      return {
        language,
        tags,
        text,
        line: page.slice(0, index).split("\n").length,
        start: index,
        end: index + whole.length,
      };
    },
  );
  return found.map(({ language, tags, text, line, end }, index) => {
    const next = found[index + 1];
    const follows = next !== undefined && next.language === "" && page.slice(end, next.start).trim() === "";
    return { language, tags, text, line, prints: follows ? next.text : null };
  });
}

/** Whether a text is what a page shows, where `…` stands for anything. */
export function isAsShown(shown: string, printed: string): boolean {
  const pattern = shown
    .split("…")
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"))
    .join("[^]*");
  return new RegExp(`^${pattern}$`).test(printed);
}
