/** What a server makes of a request, chosen by the last part of the name or URI it is about. */
export const OUTCOMES = [
  "result",
  "error",
  "fault",
  "redacted",
  "question",
  "task",
  "failing",
  "asking",
  "denied",
] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** What a name or URI asks for; `null` for one that names no outcome. */
export function outcomeOf(name: string): Outcome | null {
  return OUTCOMES.find((outcome) => name.endsWith(`-${outcome}`) || name.endsWith(`/${outcome}`)) ?? null;
}
