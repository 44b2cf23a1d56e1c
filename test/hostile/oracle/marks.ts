/** What every mark begins with; nothing else has these letters. */
export const MARK = "mArK-";

let made = 0;

/** A text that nobody else chose. */
export function newMark(): string {
  made += 1;
  return `${MARK}${made}-${crypto.randomUUID().slice(0, 8)}`;
}
