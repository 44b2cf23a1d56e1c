import { CmcpError, type Untrusted } from "@cmcp/boundary";
import { decodeMap, encodeMap, type WireMap } from "./codec.ts";
import { LENGTH_PREFIX_BYTES } from "./limits.ts";
import { frameProblem, OPENINGS } from "./frame-shape.ts";

/** Header fields; names are lower case. */
type Headers = Record<string, string>;

/** A frame that opens an exchange; `x` is the number of its exchange on this stream. */
export type OpeningFrame =
  | { t: "launch" | "provision" | "reload" | "drain"; x: number }
  | { t: "request"; x: number; method: string; path: string; headers: Headers }
  | { t: "egress"; x: number; host: string; port: number }
  | { t: "append"; x: number; first: number }
  | { t: "head"; x: number }
  | { t: "scan"; x: number; from?: number; to?: number; session?: string; kind?: string }
  | { t: "range"; x: number; size: number }
  | { t: "prove"; x: number; index: number; size: number }
  | { t: "cosign"; x: number }
  | { t: "tree"; x: number; tree: string };

/** Every frame. What its members may be is in `frame-shape.ts`. */
export type Frame =
  | OpeningFrame
  | { t: "response"; x: number; status: number; headers: Headers }
  | { t: "body"; x: number; data: Uint8Array }
  | { t: "end"; x: number }
  | { t: "error"; x: number; code: string; message: string };

type WithoutNumber<F> = F extends unknown ? Omit<F, "x"> : never;

/**
 * What an exchange is for. Host to enclave: `launch`, `provision`, `reload`, `drain` (control; the body is the
 * document) and `request` (an agent's HTTP request). Enclave to host: `egress` (relay of bytes to a tool server),
 * `append` (store the records of the body, the first at index `first` of the log, answered once they are stored),
 * `head` (the log's size and newest note), `scan` (matching records in the order of the log), `range` (the hashes that
 * stand for the first `size` records), `prove` (the inclusion path of a record), `cosign` (signature lines of
 * witnesses over the note of the body) and `tree` (the archive of a stdio server's files).
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
  const fault = frameProblem(map as Readonly<Record<string, unknown>>);
  if (fault !== null) throw new CmcpError("WIRE_MALFORMED", `a frame has none of the documented shapes (${fault})`);
}

/** Reads one frame's CBOR. @throws CmcpError `WIRE_*`. */
export function decodeFrame(payload: Untrusted<Uint8Array>): Frame {
  const map: WireMap = decodeMap(payload);
  check(map);
  return map as unknown as Frame;
}

/** A frame as it goes on the wire, length prefix included. @throws CmcpError `WIRE_*` when it would not be accepted. */
export function encodeFrame(frame: Frame): Uint8Array {
  check(frame);
  const map = encodeMap(frame);
  const wire = Buffer.allocUnsafe(LENGTH_PREFIX_BYTES + map.length);
  wire.writeUInt32BE(map.length, 0);
  wire.set(map, LENGTH_PREFIX_BYTES);
  return wire;
}
