import { toBase64Url } from "./encoding.ts";

/** Member of a request's `params._meta` that holds its idempotency key. */
export const IDEMPOTENCY_META_KEY = "cmcp.gateway/idempotency_key";
/** Fewest random bytes of a key: nobody can guess it, and no two makers choose the same. */
const MIN_RANDOM_BYTES = 16;
/** Most random bytes of a key. */
const MAX_RANDOM_BYTES = 32;
/** A log has at most 2^48 records, which is a number of 15 digits. Base64url has 22 characters for 16 bytes, and 43 for 32. */
const FORM = /^(0|[1-9][0-9]{0,14})\.[A-Za-z0-9_-]{22,43}$/;
/** The form of a key, for messages. */
export const IDEMPOTENCY_KEY_FORM = "<log size>.<22 to 43 base64url characters>";

/** What an agent names a call by, so that the call runs at most once. */
export interface IdempotencyKey {
  readonly text: string;
  /** Records of the gateway's log that the maker of the key had last heard of. */
  readonly logSize: number;
}

/** Reads a key that an agent chose; `null` for a text of another form. */
export function readIdempotencyKey(text: string): IdempotencyKey | null {
  const size = FORM.exec(text)?.[1];
  return size === undefined ? null : { text, logSize: Number(size) };
}

/**
 * A new key.
 * @param logSize records of the gateway's log, as a receipt or its status shows them
 * @param random 16 to 32 random bytes
 * @throws RangeError for another size, or other lengths
 */
export function formatIdempotencyKey(logSize: number, random: Uint8Array): string {
  const { length } = random;
  if (length < MIN_RANDOM_BYTES || length > MAX_RANDOM_BYTES)
    throw new RangeError(
      `an idempotency key has ${MIN_RANDOM_BYTES} to ${MAX_RANDOM_BYTES} random bytes, not ${length}`,
    );
  const text = `${logSize}.${toBase64Url(random)}`;
  if (readIdempotencyKey(text) === null) throw new RangeError("an idempotency key names the size of a log");
  return text;
}
