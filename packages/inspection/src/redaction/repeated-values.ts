import type { JsonValue } from "@cmcp/boundary";

/** Shortest redacted value that is looked for elsewhere, in letters and digits; shorter ones stand in too many places by chance. */
export const MIN_REPEATED_LENGTH = 6;
/** Most spellings that are looked for; beyond it every text counts as repeating one. */
const MAX_SPELLINGS = 4_000;
/** Most characters compared for one result, times the spellings they are compared with. */
const MAX_STEPS = 400_000_000;

const encoder = new TextEncoder();

/** Letters and digits alone, so that case, separators and look-alike forms make no difference. */
const core = (text: string): string =>
  text
    .normalize("NFKC")
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}]/gu, "");

const reversed = (text: string): string => Array.from(text).toReversed().join("");

/** The base64 digits that bytes have wherever they begin within other bytes; those that depend on what stands around are left out. */
function base64Of(bytes: Uint8Array): readonly string[] {
  return [0, 1, 2].map((before) => {
    const digits = Buffer.concat([Buffer.alloc(before), bytes])
      .toString("base64")
      .replaceAll("=", "");
    const whole = Math.floor(((before + bytes.length) * 8) / 6);
    return digits.slice(Math.ceil((before * 8) / 6), whole);
  });
}

/** A text as it stands, and as a reader of percent-encoding, of escapes and of character references has it. */
function readings(text: string): readonly string[] {
  const point = (digits: string, radix: number): string => {
    const code = Number.parseInt(digits, radix);
    return code <= 0x10_ff_ff ? String.fromCodePoint(code) : "";
  };
  const found = [text];
  if (text.includes("%")) found.push(text.replaceAll(/%([0-9a-fA-F]{2})/g, (_, digits: string) => point(digits, 16)));
  if (text.includes("\\"))
    found.push(
      text.replaceAll(/\\(?:u\{?([0-9a-fA-F]{4,6})\}?|x([0-9a-fA-F]{2}))/g, (_, long?: string, short?: string) =>
        point(long ?? short ?? "", 16),
      ),
    );
  if (text.includes("&"))
    found.push(
      text.replaceAll(/&#(?:x([0-9a-fA-F]{1,6})|([0-9]{1,7}));/gi, (_, hex?: string, decimal?: string) =>
        hex === undefined ? point(decimal ?? "", 10) : point(hex, 16),
      ),
    );
  return found;
}

/** The values that were taken out of a result, to be found again where a text that is kept repeats them. */
export class RepeatedValues {
  readonly #spellings = new Set<string>();
  #left = MAX_STEPS;

  /** Remembers every text and number in a redacted value. */
  add(value: JsonValue): void {
    if (typeof value === "string") this.#remember(value.trim());
    else if (typeof value === "number") this.#remember(String(value));
    else if (typeof value === "object" && value !== null) for (const member of Object.values(value)) this.add(member);
  }

  /**
   * Whether a text repeats one of the values: in another case, with separators, backwards, or in hexadecimal, base64, percent-encoding,
   * escapes or character references. What takes too long to find out counts as repeated.
   */
  areIn(text: string): boolean {
    if (this.#spellings.size === 0) return false;
    if (this.#spellings.size > MAX_SPELLINGS) return true;
    return readings(text).some((reading) => {
      const letters = core(reading);
      this.#left -= letters.length * this.#spellings.size;
      if (this.#left < 0) return true;
      for (const spelling of this.#spellings) if (letters.includes(spelling)) return true;
      return false;
    });
  }

  #remember(value: string): void {
    const letters = core(value);
    if (letters.length < MIN_REPEATED_LENGTH || this.#spellings.size > MAX_SPELLINGS) return;
    this.#spellings.add(letters).add(reversed(letters));
    for (const written of new Set([value, value.toLowerCase(), value.toUpperCase(), letters])) {
      const bytes = encoder.encode(written);
      for (const spelling of [Buffer.from(bytes).toString("hex"), ...base64Of(bytes)].map(core))
        if (spelling.length >= MIN_REPEATED_LENGTH) this.#spellings.add(spelling);
    }
  }
}
