/** The text with the one character that the pattern captures changed to another of its kind. @throws Error when it is not there. */
export function changeOneByte(text: string, pattern: RegExp): string {
  const match = new RegExp(pattern.source, "d").exec(text);
  const [start, end] = match?.indices?.[1] ?? [];
  if (start === undefined || end !== start + 1) throw new Error(`${pattern.source} captures no single character`);
  const byte = text.charAt(start);
  const other = /\d/.test(byte) ? String((Number(byte) + 1) % 10) : byte === "A" ? "B" : "A";
  return `${text.slice(0, start)}${other}${text.slice(end)}`;
}
