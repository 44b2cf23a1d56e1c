import { CmcpError, examine, type Untrusted } from "@cmcp/boundary";
import { decodeMap, encodeMap, type WireMap } from "./codec.ts";
import { LENGTH_PREFIX_BYTES, MAX_DATA_BYTES, MAX_EXCHANGE_NUMBER } from "./limits.ts";
import {
  decodePlainFrame,
  encodeBareResponse,
  encodeBodyFrame,
  encodeEndFrame,
  type BareResponse,
} from "./plain-frame.ts";
import { misshapen, OPENINGS } from "./shape.ts";

/** Header fields; names are lower case. */
type Headers = Record<string, string>;

/** A frame that opens an exchange; `x` is the number of its exchange on this stream. */
export type OpeningFrame =
  | { t: "launch" | "provision" | "reload" | "drain"; x: number }
  | { t: "request"; x: number; method: string; path: string; headers: Headers }
  | { t: "egress"; x: number; host: string; port: number }
  | { t: "append"; x: number; instance: string; seq: number }
  | { t: "scan"; x: number; instance?: string; session?: string; kind?: string };

/** Every frame. What its members may be is in `shape.ts`. */
export type Frame =
  | OpeningFrame
  | { t: "response"; x: number; status: number; headers: Headers }
  | { t: "body"; x: number; data: Uint8Array }
  | { t: "end"; x: number }
  | { t: "error"; x: number; code: string; message: string };

type WithoutNumber<F> = F extends unknown ? Omit<F, "x"> : never;

/**
 * What an exchange is for.
 * Host to enclave: `launch`, `provision`, `reload`, `drain` (control; the body is the document) and `request` (an agent's HTTP request).
 * Enclave to host: `egress` (relay of bytes to a tool server), `append` (store the records of the body, numbered
 * from `seq`, answered once they are durable) and `scan` (every matching record, an instance's in the order of their numbers, each u32be length-prefixed in the body).
 */
export type Opening = WithoutNumber<OpeningFrame>;

/** Status and header fields of a response; names are lower case. */
export type ResponseHead = Omit<Extract<Frame, { t: "response" }>, "t" | "x">;

/** True for a frame that opens an exchange. */
export function isOpening(frame: Frame): frame is OpeningFrame {
  return OPENINGS.has(frame.t);
}

/** @throws CmcpError `WIRE_MALFORMED` for a map of none of the documented shapes */
function check(map: object): void {
  const fault = misshapen(map as Readonly<Record<string, unknown>>);
  if (fault !== null) throw new CmcpError("WIRE_MALFORMED", `a frame has none of the documented shapes (${fault})`);
}

/** Reads what is not written by its bytes. */
function decodeShaped(payload: Untrusted<Uint8Array>): Frame {
  const map: WireMap = decodeMap(payload);
  check(map);
  return map as unknown as Frame;
}

/** True for a `body`, an `end` or a bare `response` within its limits: what is written by its bytes. */
function isPlain(frame: Frame): frame is Extract<Frame, { t: "body" | "end" }> | BareResponse {
  const { x } = frame;
  if (!Number.isInteger(x) || x < 1 || x > MAX_EXCHANGE_NUMBER) return false;
  if (frame.t === "response") return frame.status === 200 && Object.keys(frame.headers).length === 0;
  return frame.t === "end" || (frame.t === "body" && frame.data.length > 0 && frame.data.length <= MAX_DATA_BYTES);
}

/** Reads one frame's CBOR. @throws CmcpError `WIRE_*`. */
export function decodeFrame(payload: Untrusted<Uint8Array>): Frame {
  return decodePlainFrame(examine(payload)) ?? decodeShaped(payload);
}

/** A frame as it goes on the wire, length prefix included. @throws CmcpError `WIRE_*` when it would not be accepted. */
export function encodeFrame(frame: Frame): Uint8Array {
  if (isPlain(frame)) {
    if (frame.t === "body") return encodeBodyFrame(frame.x, frame.data);
    return frame.t === "end" ? encodeEndFrame(frame.x) : encodeBareResponse(frame.x);
  }
  check(frame);
  const map = encodeMap(frame);
  const wire = Buffer.allocUnsafe(LENGTH_PREFIX_BYTES + map.length);
  wire.writeUInt32BE(map.length, 0);
  wire.set(map, LENGTH_PREFIX_BYTES);
  return wire;
}
