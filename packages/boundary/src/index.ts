export { BufferShare, BufferedBytes, MAX_BUFFERED_BYTES } from "./buffered-bytes.ts";
export { bytesEqual, ByteReader, isZero, withoutPadding, type ByteOrder } from "./byte-reader.ts";
export { derElement, derInteger, derSequence } from "./der-writer.ts";
export { ERROR_CODES, type Advice, type CodeFacts, type ErrorCode } from "./codes.ts";
export { CmcpError, asCmcpError, receivedError } from "./error.ts";
export { dottedPath, schemaProblem, type SchemaProblem } from "./schema-problem.ts";
export { SharedSlots } from "./shared-slots.ts";
export { isTrustDomain, readSpiffeId, readWorkloadId, type SpiffeId } from "./spiffe-id.ts";
export {
  formatIdempotencyKey,
  IDEMPOTENCY_KEY_FORM,
  IDEMPOTENCY_META_KEY,
  readIdempotencyKey,
  type IdempotencyKey,
} from "./idempotency-key.ts";
export { fromBase64, fromBase64Url, fromHex, toBase64, toBase64Url, toHex } from "./encoding.ts";
export { readKeyPin } from "./key-pin.ts";
export { CanonicalObject, canonicalBytes, canonicalText } from "./json/canonical.ts";
export { DEFAULT_JSON_LIMITS, type JsonLimits } from "./json/limits.ts";
export { parseJson, parseJsonText } from "./json/parse.ts";
export { isJsonObject, type JsonObject, type JsonValue } from "./json/value.ts";
export { examine, untrusted, type Untrusted } from "./untrusted.ts";
