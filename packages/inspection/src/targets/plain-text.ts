import { MAX_ENCODINGS, MAX_TARGET_LENGTH } from "./limits.ts";

/** A text without encodings and disguises. */
export interface PlainText {
  readonly text: string;
  /** False if the text is too long, not well formed, or encoded in a way that is not read here. */
  readonly complete: boolean;
  /** Whether it held a NUL, which ends the text, or other control characters, which are removed. */
  readonly control: boolean;
}

/** Characters that some systems take for `.`, `/` or `\`: their compatibility forms, and the slashes of mathematics. */
const LOOK_ALIKES: ReadonlyMap<string, string> = new Map([
  ["\u2024", "."],
  ["\uFE52", "."],
  ["\uFF0E", "."],
  ["\u2025", ".."],
  ["\u2044", "/"],
  ["\u2215", "/"],
  ["\u29F8", "/"],
  ["\uFF0F", "/"],
  ["\u2216", "\\"],
  ["\u29F5", "\\"],
  ["\u29F9", "\\"],
  ["\uFE68", "\\"],
  ["\uFF3C", "\\"],
]);
const LOOK_ALIKE = new RegExp(`[${[...LOOK_ALIKES.keys()].join("")}]`, "g");
const ENCODED = /%[uU][0-9A-Fa-f]{4}|(?:%[0-9A-Fa-f]{2})+/g;
const CONTROL = /\p{Cc}/gu;

/** What stands for bytes that are no UTF-8. */
const UNREADABLE = "\uFFFD";

/** Reads bytes as UTF-8 and, unlike RFC 3629, also ASCII in more bytes than it needs, as lenient decoders do. */
function lenientText(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at] ?? 0;
    // What begins no character of several bytes stands alone, and is above ASCII unless it is a character itself.
    const length = first < 0xc0 || first >= 0xf8 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    const rest = bytes.subarray(at + 1, at + length);
    const lead = length === 1 ? first : first & (0xff >> (length + 1));
    const point = rest.reduce((value, byte) => value * 64 + (byte & 0x3f), lead);
    const isRead = rest.length === length - 1 && point < 0x80;
    text += isRead ? String.fromCharCode(point) : UNREADABLE;
    at += isRead ? length : 1;
  }
  return text;
}

function decoded(encoded: string): string {
  if (/^%u/i.test(encoded)) return String.fromCharCode(Number.parseInt(encoded.slice(2), 16));
  const bytes = Uint8Array.from(encoded.slice(1).split("%"), (digits) => Number.parseInt(digits, 16));
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return lenientText(bytes);
  }
}

/**
 * Takes encodings off a text until none is left: percent encoding, `%u` escapes, UTF-8 in more bytes than needed, and characters that look
 * like dots and slashes. The result is in Unicode's form NFC. It ends at the first NUL and has no control characters.
 */
export function plainText(raw: string): PlainText {
  if (raw.length > MAX_TARGET_LENGTH || !raw.isWellFormed()) return { text: "", complete: false, control: false };
  let text = raw;
  let control = false;
  for (let round = 0; round < MAX_ENCODINGS; round += 1) {
    const open = text.replaceAll(ENCODED, decoded).toWellFormed();
    const end = open.indexOf("\0");
    const printable = (end < 0 ? open : open.slice(0, end)).replaceAll(CONTROL, "");
    control ||= printable !== open;
    const next = printable.replaceAll(LOOK_ALIKE, (one) => LOOK_ALIKES.get(one) ?? one).normalize("NFC");
    if (next === text) return { text, complete: !text.includes(UNREADABLE), control };
    text = next;
  }
  return { text: "", complete: false, control };
}
