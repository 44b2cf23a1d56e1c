import { isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";

/** W3C Trace Context, section 3.2.2: version, trace id, parent id, flags. Version `ff` and ids of zeros are invalid. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;
/** Section 3.3.1.3: longest list, in characters, and its members. */
const MAX_TRACESTATE = 512;
const MAX_STATES = 32;
/** Section 3.3.1.3.1 and 3.3.1.3.2: a key, with or without a tenant, and a value of printable ASCII. */
const STATE =
  /^(?:[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

function isTracestate(value: JsonValue | undefined): value is string {
  if (typeof value !== "string" || value.length > MAX_TRACESTATE) return false;
  const states = value.split(",").map((state) => state.replace(/^[ \t]+|[ \t]+$/g, ""));
  return states.length <= MAX_STATES && states.every((state) => state === "" || STATE.test(state));
}

/**
 * The trace context of a request's `_meta`, the one thing of it that goes on to a server; `null` where there is none.
 * What does not parse is ignored, as section 3.2.2.6 and 3.3.1.4 have it; a state without its parent, too.
 */
export function readTrace(meta: JsonValue | undefined): JsonObject | null {
  if (!isJsonObject(meta)) return null;
  const { traceparent, tracestate } = meta;
  if (typeof traceparent !== "string" || !TRACEPARENT.test(traceparent)) return null;
  return { traceparent, ...(isTracestate(tracestate) ? { tracestate } : {}) };
}
