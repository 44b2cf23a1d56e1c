import { constants, gunzipSync, inflateSync, zstdDecompressSync } from "node:zlib";

/** Most bytes that one compressed piece unpacks to, and how deep pieces within pieces are unpacked. */
const MAX_UNPACKED = 16 * 1024 * 1024;
const MAX_DEPTH = 3;
/** Bytes of a base64 text that are looked into for what is packed. */
const MAX_BASE64 = 64 * 1024;

/** A text that is looked for. */
export interface Needle {
  /** How a finding calls it. */
  readonly name: string;
  readonly forms: readonly Buffer[];
}

/** A needle of a text, in every form that it may have in other bytes: as it is, hex, base64, percent-encoded, escaped, UTF-16. */
export function needleOf(name: string, text: string): Needle {
  const bytes = Buffer.from(text);
  const hex = bytes.toString("hex");
  const units = [...bytes].map((byte) => byte.toString(16).padStart(2, "0"));
  const escaped = units.map((unit) => `\\u00${unit}`).join("");
  const texts = [
    text,
    hex,
    hex.toUpperCase(),
    ...base64FormsOf(bytes),
    encodeURIComponent(text),
    units.map((unit) => `%${unit}`).join(""),
    units.map((unit) => `%${unit.toUpperCase()}`).join(""),
    text.replaceAll("/", "\\/"),
    escaped,
    escaped.toUpperCase().replaceAll("\\U", "\\u"),
  ];
  const wide = Buffer.from(text, "utf16le");
  return { name, forms: [...[...new Set(texts)].map((form) => Buffer.from(form)), wide, Buffer.from(wide).swap16()] };
}

/** What base64 has of a text wherever it begins in a group of three bytes, in both alphabets. */
function base64FormsOf(bytes: Buffer): string[] {
  return [0, 1, 2].flatMap((shift) => {
    const all = Buffer.concat([Buffer.alloc(shift), bytes]);
    const own = all.toString("base64").slice([0, 2, 3][shift], Math.floor((all.length * 8) / 6));
    return [own, own.replaceAll("+", "-").replaceAll("/", "_")];
  });
}

/** The names of the needles that stand in bytes, packed or not. */
export function namesIn(bytes: Buffer, needles: readonly Needle[]): string[] {
  const found = new Set<string>();
  for (const piece of unpacked(bytes, 0))
    for (const { name, forms } of needles)
      if (!found.has(name) && forms.some((form) => piece.includes(form))) found.add(name);
  return [...found].sort();
}

/** The bytes themselves, and everything that they hold in a packed form. */
function* unpacked(bytes: Buffer, depth: number): Generator<Buffer> {
  yield bytes;
  if (depth === MAX_DEPTH) return;
  for (const { magic, unpack } of PACKED)
    for (let at = bytes.indexOf(magic); at !== -1; at = bytes.indexOf(magic, at + 1)) {
      const piece = tried(() => unpack(bytes.subarray(at)));
      if (piece !== null && piece.length > 0) yield* unpacked(piece, depth + 1);
    }
}

const SOME = { maxOutputLength: MAX_UNPACKED, finishFlush: constants.Z_SYNC_FLUSH };
const base64 = (bytes: Buffer): Buffer => {
  const [text = ""] = /^[A-Za-z0-9+/_-]*/.exec(bytes.toString("latin1", 0, MAX_BASE64)) ?? [];
  return Buffer.from(text, "base64");
};

/** How packed pieces begin (RFC 1952 section 2.3.1, RFC 1950 section 2.2, RFC 8878 section 3.1.1), and the same in base64. */
const PACKED: readonly { readonly magic: Buffer; readonly unpack: (bytes: Buffer) => Buffer }[] = [
  { magic: Buffer.from([0x1f, 0x8b, 0x08]), unpack: (bytes) => gunzipSync(bytes, SOME) },
  ...[0x01, 0x9c, 0xda].map((flags) => ({
    magic: Buffer.from([0x78, flags]),
    unpack: (bytes: Buffer) => inflateSync(bytes, SOME),
  })),
  {
    magic: Buffer.from([0x28, 0xb5, 0x2f, 0xfd]),
    unpack: (bytes) =>
      zstdDecompressSync(bytes, { maxOutputLength: MAX_UNPACKED, finishFlush: constants.ZSTD_e_flush }),
  },
  ...["H4sI", "KLUv"].map((magic) => ({ magic: Buffer.from(magic), unpack: base64 })),
];

function tried(unpack: () => Buffer): Buffer | null {
  try {
    return unpack();
  } catch {
    return null;
  }
}
