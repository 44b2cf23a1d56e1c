/** The text with the one character that the pattern captures changed to another of its kind. @throws Error when it is not there. */
export function changeOneByte(text: string, pattern: RegExp): string {
  const match = new RegExp(pattern.source, "d").exec(text);
  const [start, end] = match?.indices?.[1] ?? [];
  if (start === undefined || end !== start + 1) throw new Error(`${pattern.source} captures no single character`);
  const byte = text.charAt(start);
  return `${text.slice(0, start)}${another(byte)}${text.slice(end)}`;
}

/** Another character of the same kind: a digit, a small letter, or any other. */
function another(character: string): string {
  if (/\d/.test(character)) return String((Number(character) + 1) % 10);
  if (/[a-z]/.test(character)) return character === "a" ? "b" : "a";
  return character === "A" ? "B" : "A";
}
