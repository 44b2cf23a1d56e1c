import { CmcpError } from "@cmcp/boundary";

/** Bytes of one entry, and of everything else in a bundle together. */
const MAX_ENTRY_BYTES = 1024 * 1024;
const MAX_ENVELOPE_BYTES = 64 * 1024;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const SPACES: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d]);
const ENTRIES_KEY = '"entries"';

/**
 * Splits the JSON text of a bundle, as its bytes come, into the texts of its entries and the envelope: the same text
 * with an empty array for `entries`. It finds where texts begin and end, and nothing more. A strict parser must accept
 * each of them; whatever is wrong with the whole is then wrong with one of them.
 */
export class EntrySplitter {
  #inEntries = false;
  #inString = false;
  #escaped = false;
  /** Open objects and arrays: of the envelope, or of the entry. */
  #depth = 0;
  /** The text of the latest string in the envelope's object, where nothing but a colon follows so far. */
  #key: string | null = null;
  #stringFrom = 0;
  #hasColon = false;
  /** Whether an entry must follow, because there was a comma. */
  #entryDue = false;
  readonly #envelope: number[] = [];
  #entry: Uint8Array[] = [];
  #entryBytes = 0;

  /**
   * The entries that end in the next bytes.
   * @throws CmcpError `BUNDLE_MALFORMED` for an entry or an envelope that is too large
   */
  *push(bytes: Uint8Array): Generator<Uint8Array, void, void> {
    let from = 0;
    for (let at = 0; at < bytes.length; at += 1) {
      const byte = bytes[at] ?? 0;
      if (!this.#inEntries) {
        this.#readEnvelope(byte);
        from = at + 1;
      } else if (this.#endsEntry(byte)) {
        const isLast = byte === CLOSE_ARRAY;
        this.#hold(bytes.subarray(from, at));
        const entry = this.#takeEntry();
        // An empty array has no entry. Anything else that is empty is for the parser to refuse.
        if (!isLast || this.#entryDue || !isBlank(entry)) yield entry;
        this.#entryDue = !isLast;
        if (isLast) this.#leaveEntries();
        from = at + 1;
      }
    }
    if (this.#inEntries) this.#hold(bytes.subarray(from));
  }

  /** The envelope's text, once there are no more bytes. */
  envelope(): Uint8Array {
    return Uint8Array.from(this.#envelope);
  }

  /** Whether a byte of the array ends an entry: a comma or the bracket between entries. */
  #endsEntry(byte: number): boolean {
    if (this.#skipString(byte)) return false;
    if (this.#depth === 0 && (byte === COMMA || byte === CLOSE_ARRAY)) return true;
    this.#nest(byte);
    return false;
  }

  #readEnvelope(byte: number): void {
    if (this.#envelope.length >= MAX_ENVELOPE_BYTES)
      throw new CmcpError("BUNDLE_MALFORMED", "the audit bundle has more beside its entries than a bundle can have");
    const wasString = this.#inString;
    this.#envelope.push(byte);
    if (this.#skipString(byte)) {
      if (!wasString) this.#stringFrom = this.#envelope.length - 1;
      else if (!this.#inString && this.#depth === 1)
        [this.#key, this.#hasColon] = [String.fromCharCode(...this.#envelope.slice(this.#stringFrom)), false];
      return;
    }
    if (SPACES.has(byte)) return;
    if (byte === COLON && this.#depth === 1 && !this.#hasColon) {
      this.#hasColon = true;
      return;
    }
    if (byte === OPEN_ARRAY && this.#depth === 1 && this.#hasColon && this.#key === ENTRIES_KEY) {
      [this.#inEntries, this.#entryDue, this.#depth] = [true, false, 0];
    } else {
      this.#nest(byte);
    }
    [this.#key, this.#hasColon] = [null, false];
  }

  #leaveEntries(): void {
    this.#envelope.push(CLOSE_ARRAY);
    [this.#inEntries, this.#depth] = [false, 1];
  }

  /** Whether a byte is part of a string, with its quotes. */
  #skipString(byte: number): boolean {
    if (!this.#inString) {
      this.#inString = byte === QUOTE;
      return this.#inString;
    }
    if (this.#escaped) this.#escaped = false;
    else if (byte === BACKSLASH) this.#escaped = true;
    else if (byte === QUOTE) this.#inString = false;
    return true;
  }

  #nest(byte: number): void {
    if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) this.#depth += 1;
    else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) this.#depth -= 1;
  }

  #hold(bytes: Uint8Array): void {
    this.#entryBytes += bytes.length;
    if (this.#entryBytes > MAX_ENTRY_BYTES)
      throw new CmcpError("BUNDLE_MALFORMED", `an entry of the audit bundle is larger than ${MAX_ENTRY_BYTES} bytes`);
    // A copy: whoever sends the bytes may use their memory again.
    if (bytes.length > 0) this.#entry.push(bytes.slice());
  }

  #takeEntry(): Uint8Array {
    const [only] = this.#entry;
    const entry = only !== undefined && this.#entry.length === 1 ? only : joined(this.#entry, this.#entryBytes);
    [this.#entry, this.#entryBytes] = [[], 0];
    return entry;
  }
}

function joined(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

function isBlank(bytes: Uint8Array): boolean {
  return bytes.every((byte) => SPACES.has(byte));
}
