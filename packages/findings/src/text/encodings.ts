/** How a text was encoded inside another. */
export type Encoding = "base64" | "hex" | "percent" | "json" | "html";

/** A text that stood encoded inside another. */
export interface Decoded {
  readonly encoding: Encoding;
  readonly text: string;
}

/** Shortest run of base64 or hexadecimal digits that is decoded: 12 bytes and 8 bytes of content. */
const MIN_RUN = 16;
/** A run of either alphabet of base64 (RFC 4648, sections 4 and 5); hexadecimal digits are among them. */
const RUN = /[A-Za-z0-9+/_-]{16,}/g;
const HEX = /^(?:0x)?[0-9a-fA-F]+$/;
/** Share of a decoding that must be characters people write, in percent. */
const TEXT_PERCENT = 90;
/** Digits of a run whose decoding is tried first, so that a long word costs little. */
const PROBE = 32;

const SIX_BITS = new Int8Array(128).fill(-1);
for (const [value, digit] of Array.from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/").entries())
  SIX_BITS[digit.charCodeAt(0)] = value;
SIX_BITS["-".charCodeAt(0)] = 62;
SIX_BITS["_".charCodeAt(0)] = 63;

const UTF8 = new TextDecoder();

/** Bytes of base64 digits; what a last single digit holds is left out. */
function base64Bytes(run: string): Uint8Array {
  const bytes = new Uint8Array(Math.floor((run.length * 3) / 4));
  let bits = 0;
  let held = 0;
  let at = 0;
  for (let index = 0; index < run.length; index += 1) {
    bits = ((bits << 6) | (SIX_BITS[run.charCodeAt(index)] ?? 0)) & 0xffffff;
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes[at] = (bits >> held) & 0xff;
      at += 1;
    }
  }
  return bytes.subarray(0, at);
}

function hexBytes(digits: string): Uint8Array {
  const bytes = new Uint8Array(digits.length >> 1);
  for (let index = 0; index < bytes.length; index += 1)
    bytes[index] = Number.parseInt(digits.slice(index * 2, index * 2 + 2), 16);
  return bytes;
}

/** The text of UTF-8 bytes, or `null` when too little of it is what people write. */
function textOf(bytes: Uint8Array): string | null {
  const text = UTF8.decode(bytes);
  let written = 0;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if ((unit >= 0x20 && unit < 0x7f) || unit === 0x09 || unit === 0x0a || unit === 0x0d) written += 1;
    else if (unit >= 0xa0 && unit !== 0xfffd) written += 1;
  }
  return text.length > 0 && written * 100 >= text.length * TEXT_PERCENT ? text : null;
}

/** Whether bytes can be UTF-8 of a text: few controls, and continuation bytes only where they belong. */
function looksWritten(bytes: Uint8Array): boolean {
  let wrong = 0;
  let expected = 0;
  for (const byte of bytes) {
    const continues = (byte & 0xc0) === 0x80;
    if (continues !== expected > 0) wrong += 1;
    if (byte < 0x80) {
      expected = 0;
      if (byte < 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d) wrong += 1;
    } else if (continues) expected = Math.max(0, expected - 1);
    else expected = byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : 1;
  }
  return wrong * 100 <= bytes.length * (100 - TEXT_PERCENT) * 2;
}

/** The text of base64 digits, tried on their start first. */
function base64Text(run: string): string | null {
  return looksWritten(base64Bytes(run.slice(0, PROBE))) ? textOf(base64Bytes(run)) : null;
}

/** What a run decodes to: as hexadecimal, as base64, as base64 after a few letters that do not belong to it, or its parts. */
function decodeRun(run: string): Decoded[] {
  if (HEX.test(run)) {
    const digits = run.startsWith("0x") ? run.slice(2) : run;
    const text = digits.length % 2 === 0 ? textOf(hexBytes(digits)) : null;
    if (text !== null) return [{ encoding: "hex", text }];
  }
  for (let skipped = 0; skipped < 4; skipped += 1) {
    const text = base64Text(run.slice(skipped));
    if (text !== null) return [{ encoding: "base64", text }];
  }
  const parts = run.split(/[+/_-]/);
  if (parts.length === 1) return [];
  return parts.filter((part) => part.length >= MIN_RUN && part.length < run.length).flatMap(decodeRun);
}

/** Lines of base64 of one length, as MIME and PEM write it (RFC 2045, section 6.8), joined to one. */
function joinWrapped(text: string): string {
  return text.replace(/[A-Za-z0-9+/]{60,}(?:\r?\n[A-Za-z0-9+/]{60,})*(?:\r?\n[A-Za-z0-9+/]+={0,2})?/g, (lines) =>
    lines.replace(/[\r\n]+/g, ""),
  );
}

/** Every text that stands in a text as a run of base64 or hexadecimal digits. */
export function decodedRuns(text: string): Decoded[] {
  const joined = text.includes("\n") ? joinWrapped(text) : text;
  return [...joined.matchAll(RUN)].flatMap(([run]) => decodeRun(run));
}

/** Percent-encoded octets (RFC 3986, section 2.1), decoded together so that UTF-8 is read whole. */
function fromPercent(text: string): string {
  return text.replace(/(?:%[0-9a-fA-F]{2})+/g, (octets) => UTF8.decode(hexBytes(octets.replaceAll("%", ""))));
}

const ESCAPED: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", b: "\b", f: "\f" };

/** Escapes of JSON strings (RFC 8259, section 7), and those of JavaScript for a byte and a code point. */
function fromEscapes(text: string): string {
  return text.replace(/\\(?:u\{[0-9a-fA-F]{1,6}\}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|["\\/nrtbf])/g, (whole) => {
    const kind = whole.charAt(1);
    if (whole.length === 2) return ESCAPED[kind] ?? kind;
    const code = Number.parseInt(whole.replaceAll(/[\\ux{}]/g, ""), 16);
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'", nbsp: " " };

/** Character references of HTML: by number, and the few names that hide markup. */
function fromEntities(text: string): string {
  return text.replace(
    /&(?:#([0-9]{1,7})|#[xX]([0-9a-fA-F]{1,6})|(lt|gt|amp|quot|apos|nbsp));/g,
    (whole, decimal?: string, hex?: string, name?: string) => {
      if (name !== undefined) return ENTITIES[name] ?? whole;
      const code = decimal === undefined ? Number.parseInt(hex ?? "", 16) : Number.parseInt(decimal, 10);
      return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
    },
  );
}

/** Whole texts that a text with escapes stands for. */
export function unescaped(text: string): Decoded[] {
  const found: Decoded[] = [];
  const add = (encoding: Encoding, decoded: string): void => {
    if (decoded !== text) found.push({ encoding, text: decoded });
  };
  if (text.includes("%")) add("percent", fromPercent(text));
  if (text.includes("\\")) add("json", fromEscapes(text));
  if (text.includes("&")) add("html", fromEntities(text));
  return found;
}
