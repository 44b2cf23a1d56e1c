export { BufferShare, BufferedBytes, MAX_BUFFERED_BYTES } from "./buffered-bytes.ts";
export { ERROR_CODES, type Advice, type CodeFacts, type ErrorCode } from "./codes.ts";
export { CmcpError, asCmcpError } from "./error.ts";
export { fromBase64Url, fromHex, toBase64Url, toHex } from "./encoding.ts";
export { CanonicalObject, canonicalBytes, canonicalText } from "./json/canonical.ts";
export { DEFAULT_JSON_LIMITS, type JsonLimits } from "./json/limits.ts";
export { parseJson, parseJsonText } from "./json/parse.ts";
export { isJsonObject, type JsonObject, type JsonValue } from "./json/value.ts";
export { examine, untrusted, type Untrusted } from "./untrusted.ts";
