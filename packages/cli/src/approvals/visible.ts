/**
 * Characters that show nothing, or change how others are shown: control and format characters, line separators, spaces that are not the
 * common one, and what Unicode lets a display leave out, fillers and variation selectors among them.
 */
const INVISIBLE = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]|(?! )\p{Zs}/gu;

/** A part of a text: as it stands, or one character that does not show, written as `\u…`. */
export interface TextPart {
  readonly text: string;
  readonly hidden: boolean;
}

/** A text in parts. Together they are it, with every character visible. */
export function visibleParts(text: string): readonly TextPart[] {
  const parts: TextPart[] = [];
  let from = 0;
  for (const { 0: character, index } of text.matchAll(INVISIBLE)) {
    if (index > from) parts.push({ text: text.slice(from, index), hidden: false });
    parts.push({ text: escaped(character), hidden: true });
    from = index + character.length;
  }
  if (from < text.length) parts.push({ text: text.slice(from), hidden: false });
  return parts;
}

/** Text of others, character by character. */
export function visible(text: string): string {
  return visibleParts(text)
    .map((part) => part.text)
    .join("");
}

/** A value as JSON in lines, as they are before their characters are made visible. JSON writes a backslash of the value as two. */
export function jsonLines(value: unknown): readonly string[] {
  return JSON.stringify(value, null, 2).split("\n");
}

/** A value as JSON in lines, with every character visible. */
export function visibleJson(value: unknown): string {
  return jsonLines(value).map(visible).join("\n");
}

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return code > 0xffff ? `\\u{${code.toString(16)}}` : `\\u${code.toString(16).padStart(4, "0")}`;
}
