import { CmcpError, examine, type Untrusted } from "@cmcp/boundary";
import * as z from "zod";
import { decodeMap, encodeMap } from "./codec.ts";
import {
  LENGTH_PREFIX_BYTES,
  MAX_DATA_BYTES,
  MAX_ERROR_MESSAGE,
  MAX_EXCHANGE_NUMBER,
  MAX_HEADERS,
  MAX_HEADERS_BYTES,
  MAX_HEADER_NAME,
  MAX_HEADER_VALUE,
  MAX_IDENTIFIER,
  MAX_PATH,
} from "./limits.ts";
import { decodePlainFrame, encodeBodyFrame, encodeEndFrame } from "./plain-frame.ts";

// zod compiles shapes with `Function` where it may; the enclave forbids that, and every other place should do the same.
z.config({ jitless: true });

const exchange = z.int().min(1).max(MAX_EXCHANGE_NUMBER);
const identifier = z.string().max(MAX_IDENTIFIER).regex(/^[A-Za-z0-9._:-]+$/);
// RFC 9110 section 5.1 token, lower case; section 5.5 values as visible Latin-1, space and tab.
const headerName = z.string().max(MAX_HEADER_NAME).regex(/^[a-z0-9!#$%&'*+.^_`|~-]+$/);
const headerValue = z.string().max(MAX_HEADER_VALUE).regex(/^[\t\x20-\x7e\x80-\xff]*$/);
const headers = z.record(headerName, headerValue).refine(headersWithinLimits);

function headersWithinLimits(fields: Record<string, string>): boolean {
  let count = 0;
  let bytes = 0;
  for (const [name, value] of Object.entries(fields)) {
    count += 1;
    bytes += name.length + Buffer.byteLength(value);
  }
  return count <= MAX_HEADERS && bytes <= MAX_HEADERS_BYTES;
}

const data = z.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length > 0 && value.length <= MAX_DATA_BYTES);

const openingShapes = [
  z.strictObject({ t: z.literal("launch"), x: exchange }),
  z.strictObject({ t: z.literal("provision"), x: exchange }),
  z.strictObject({ t: z.literal("reload"), x: exchange }),
  z.strictObject({ t: z.literal("drain"), x: exchange }),
  z.strictObject({
    t: z.literal("request"),
    x: exchange,
    method: z.string().max(16).regex(/^[A-Z]+$/),
    path: z.string().max(MAX_PATH).regex(/^\/[\x21-\x7e]*$/),
    headers,
  }),
  z.strictObject({
    t: z.literal("egress"),
    x: exchange,
    host: z.string().max(255).regex(/^[a-z0-9._:[\]-]+$/),
    port: z.int().min(1).max(65_535),
  }),
  z.strictObject({ t: z.literal("append"), x: exchange, instance: identifier, seq: z.int().min(0) }),
  z.strictObject({ t: z.literal("scan"), x: exchange, instance: identifier.exactOptional(), session: identifier.exactOptional(), kind: identifier.exactOptional() }),
] as const;

const frameShape = z.discriminatedUnion("t", [
  ...openingShapes,
  z.strictObject({ t: z.literal("response"), x: exchange, status: z.int().min(200).max(599), headers }),
  z.strictObject({ t: z.literal("body"), x: exchange, data: data }),
  z.strictObject({ t: z.literal("end"), x: exchange }),
  z.strictObject({
    t: z.literal("error"),
    x: exchange,
    code: z.string().max(64).regex(/^[A-Z][A-Z0-9_]*$/),
    message: z.string().max(MAX_ERROR_MESSAGE).regex(/^\P{Cc}*$/u),
  }),
]);

/** Every frame; `x` is the number of its exchange on this stream. */
export type Frame = z.infer<typeof frameShape>;
/** A frame that opens an exchange. */
export type OpeningFrame = Extract<Frame, { t: OpeningName }>;
type OpeningName = "launch" | "provision" | "reload" | "drain" | "request" | "egress" | "append" | "scan";
type WithoutNumber<F> = F extends unknown ? Omit<F, "x"> : never;

/**
 * What an exchange is for.
 * Host to enclave: `launch`, `provision`, `reload`, `drain` (control; the body is the document) and `request` (an agent's HTTP request).
 * Enclave to host: `egress` (relay of bytes to a tool server), `append` (store the records of the body, numbered
 * from `seq`, answered once they are durable) and `scan` (every matching record in order of insertion, each u32be length-prefixed in the body).
 */
export type Opening = WithoutNumber<OpeningFrame>;

/** Status and header fields of a response; names are lower case. */
export type ResponseHead = Omit<Extract<Frame, { t: "response" }>, "t" | "x">;

const openingNames: ReadonlySet<string> = new Set(openingShapes.map((shape) => shape.shape.t.value));

/** True for a frame that opens an exchange. */
export function isOpening(frame: Frame): frame is OpeningFrame {
  return openingNames.has(frame.t);
}

function check(value: unknown): Frame {
  const result = frameShape.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  // Only the first step of the path is a name of ours; deeper ones may be chosen by the sender.
  const where = typeof issue?.path[0] === "string" ? ` at ${issue.path[0]}` : "";
  throw new CmcpError("WIRE_MALFORMED", `a frame has none of the documented shapes (${issue?.code ?? "invalid"}${where})`);
}

/** True for a `body` or an `end` within its limits: what is written by its bytes. */
function isPlain(frame: Frame): frame is Extract<Frame, { t: "body" | "end" }> {
  const { x } = frame;
  if (!Number.isInteger(x) || x < 1 || x > MAX_EXCHANGE_NUMBER) return false;
  return frame.t === "end" || (frame.t === "body" && frame.data.length > 0 && frame.data.length <= MAX_DATA_BYTES);
}

/** Reads one frame's CBOR. @throws CmcpError `WIRE_*`. */
export function decodeFrame(payload: Untrusted<Uint8Array>): Frame {
  return decodePlainFrame(examine(payload)) ?? check(decodeMap(payload));
}

/** A frame as it goes on the wire, length prefix included. @throws CmcpError `WIRE_*` when it would not be accepted. */
export function encodeFrame(frame: Frame): Uint8Array {
  if (isPlain(frame)) return frame.t === "body" ? encodeBodyFrame(frame.x, frame.data) : encodeEndFrame(frame.x);
  check(frame);
  const map = encodeMap(frame);
  const wire = Buffer.allocUnsafe(LENGTH_PREFIX_BYTES + map.length);
  wire.writeUInt32BE(map.length, 0);
  wire.set(map, LENGTH_PREFIX_BYTES);
  return wire;
}
