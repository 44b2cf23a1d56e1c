import { openExisting } from "@cmcp/host-proxy/store";
import type { JsonValue } from "@cmcp/boundary";

/** One record of a store: its kind, its leaf and body as bytes, and its texts with their places. */
export interface Stored {
  readonly kind: string;
  readonly bytes: Buffer;
  readonly texts: readonly StoredText[];
}

/** A text of a record. */
export interface StoredText {
  /** Names of the members that it stands in, joined by dots; elements of arrays have none. */
  readonly at: string;
  readonly text: string;
}

/** Texts that say nothing by themselves: ids, digests, keys, signatures, times, versions. */
const OPAQUE: readonly RegExp[] = [
  /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/,
  /^(?:sha256:|sha384:)?(?:[0-9a-f]{64}|[0-9a-f]{96})$/,
  /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)$/,
  /^v?\d+(?:\.\d+){0,2}$/,
  /^[A-Za-z0-9_-]{43}$/,
  /^[A-Za-z0-9_-]{86}$/,
  /^cmcp-[0-9a-f]{8}$/,
  /^spiffe:\/\/cmcp\.gateway\/tee\/[0-9a-f]{16}$/,
];
/** What is sealed to auditors, and what evidence carries. */
const BINARY = /^[A-Za-z0-9+/_-]+={0,2}$/;
const BINARY_PLACES = new Set(["sealed", "keys.enc", "keys.sealed", "end.evidence.report_data"]);
/** Names of members are a fixed set, and no markers have this form. */
const NAME = /^[a-z][a-z0-9_]{0,63}$/;

function isOpaque({ at, text }: StoredText): boolean {
  if (at === "name") return NAME.test(text);
  return OPAQUE.some((form) => form.test(text)) || (BINARY_PLACES.has(at) && BINARY.test(text));
}

/** Every record of the store in a file. */
export async function storedRecords(path: string): Promise<Stored[]> {
  const store = await openExisting({ path });
  try {
    const records: Stored[] = [];
    for await (const piece of store.scan({}))
      for (const { kind, header, body } of piece) {
        const texts = [header, body].flatMap((bytes) =>
          textsIn(JSON.parse(Buffer.from(bytes).toString()) as JsonValue),
        );
        records.push({ kind, bytes: Buffer.concat([header, body]), texts });
      }
    return records;
  } finally {
    await store.close();
  }
}

function textsIn(value: JsonValue, at = ""): StoredText[] {
  if (typeof value === "string") return [{ at, text: value }];
  if (typeof value !== "object" || value === null) return [];
  if (Array.isArray(value)) return value.flatMap((item) => textsIn(item, at));
  return Object.entries(value).flatMap(([name, member]) => [
    { at: "name", text: name },
    ...textsIn(member, at === "" ? name : `${at}.${name}`),
  ]);
}

/** The texts of records that are neither opaque nor words of the list, each once. */
export function unlisted(records: readonly Stored[], words: ReadonlySet<string>): string[] {
  const all = records.flatMap(({ kind, texts }) =>
    texts.filter((one) => !words.has(one.text) && !isOpaque(one)).map(({ at, text }) => `${kind} ${at}: ${text}`),
  );
  return [...new Set(all)].sort();
}
