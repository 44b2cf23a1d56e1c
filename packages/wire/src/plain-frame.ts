import { LENGTH_PREFIX_BYTES, MAX_DATA_BYTES, MAX_EXCHANGE_NUMBER, MAX_FRAME_BYTES } from "./limits.ts";

/**
 * `body`, `end` and the bare `response` that acknowledges are most of what crosses the wire and have one encoding each,
 * so they are written and recognised by their bytes. Anything that does not match exactly takes the general way, which accepts the
 * same frames and says what is wrong with others.
 */

/** `{"t": "body", "x": …` and `, "data": …`; the keys stand in canonical order: shorter first, then bytewise. */
const BODY_HEAD = Buffer.from("a3617464626f64796178", "hex");
const BODY_DATA = Buffer.from("6464617461", "hex");
/** `{"t": "end", "x": …` */
const END_HEAD = Buffer.from("a2617463656e646178", "hex");
/** `{"t": "response", "x": …` and `, "status": 200, "headers": {}` */
const BARE_HEAD = Buffer.from("a4617468726573706f6e73656178", "hex");
const BARE_REST = Buffer.from("6673746174757318c86768656164657273a0", "hex");

const PLAIN_HEADS = [BODY_HEAD, END_HEAD, BARE_HEAD];

/** A response that says nothing but that all is well. */
export type BareResponse = { t: "response"; x: number; status: 200; headers: Record<string, never> };

const UNSIGNED = 0x00;
const BYTES = 0x40;

/** Bytes of a CBOR head in shortest form (RFC 8949 section 4.2.1) for arguments below 2^32. */
function headLength(argument: number): number {
  if (argument < 24) return 1;
  if (argument < 0x100) return 2;
  return argument < 0x1_0000 ? 3 : 5;
}

function writeHead(target: Buffer, at: number, major: number, argument: number): number {
  if (argument < 24) return target.writeUInt8(major | argument, at);
  if (argument < 0x100) return target.writeUInt8(argument, target.writeUInt8(major | 24, at));
  if (argument < 0x1_0000) return target.writeUInt16BE(argument, target.writeUInt8(major | 25, at));
  return target.writeUInt32BE(argument, target.writeUInt8(major | 26, at));
}

/** A `body` frame with its length prefix. The caller holds `exchange` and the size of `data` to their limits. */
export function encodeBodyFrame(exchange: number, data: Uint8Array): Uint8Array {
  const length = BODY_HEAD.length + headLength(exchange) + BODY_DATA.length + headLength(data.length) + data.length;
  const wire = Buffer.allocUnsafe(LENGTH_PREFIX_BYTES + length);
  wire.writeUInt32BE(length, 0);
  wire.set(BODY_HEAD, LENGTH_PREFIX_BYTES);
  let at = writeHead(wire, LENGTH_PREFIX_BYTES + BODY_HEAD.length, UNSIGNED, exchange);
  wire.set(BODY_DATA, at);
  at = writeHead(wire, at + BODY_DATA.length, BYTES, data.length);
  wire.set(data, at);
  return wire;
}

/** An `end` frame with its length prefix. */
export function encodeEndFrame(exchange: number): Uint8Array {
  const length = END_HEAD.length + headLength(exchange);
  const wire = Buffer.allocUnsafe(LENGTH_PREFIX_BYTES + length);
  wire.writeUInt32BE(length, 0);
  wire.set(END_HEAD, LENGTH_PREFIX_BYTES);
  writeHead(wire, LENGTH_PREFIX_BYTES + END_HEAD.length, UNSIGNED, exchange);
  return wire;
}

/** A {@link BareResponse} with its length prefix. */
export function encodeBareResponse(exchange: number): Uint8Array {
  const length = BARE_HEAD.length + headLength(exchange) + BARE_REST.length;
  const wire = Buffer.allocUnsafe(LENGTH_PREFIX_BYTES + length);
  wire.writeUInt32BE(length, 0);
  wire.set(BARE_HEAD, LENGTH_PREFIX_BYTES);
  wire.set(BARE_REST, writeHead(wire, LENGTH_PREFIX_BYTES + BARE_HEAD.length, UNSIGNED, exchange));
  return wire;
}

/** A head at `at`: its argument and what follows it; `null` unless it is of that major type, in shortest form and below 2^32. */
function readHead(
  bytes: Uint8Array,
  at: number,
  major: number,
): { readonly argument: number; readonly next: number } | null {
  const initial = bytes[at] ?? 0xff;
  const information = initial & 0x1f;
  if ((initial & 0xe0) !== major || information > 26) return null;
  if (information < 24) return { argument: information, next: at + 1 };
  const width = 1 << (information - 24);
  if (at + 1 + width > bytes.length) return null;
  let argument = 0;
  for (let index = 1; index <= width; index += 1) argument = argument * 256 + (bytes[at + index] ?? 0);
  return headLength(argument) === 1 + width ? { argument, next: at + 1 + width } : null;
}

function startsWith(bytes: Uint8Array, at: number, prefix: Uint8Array): boolean {
  if (bytes.length - at < prefix.length) return false;
  for (let index = 0; index < prefix.length; index += 1) if (bytes[at + index] !== prefix[index]) return false;
  return true;
}

/** The frame if these are exactly the bytes of a `body`, an `end` or a bare `response`; `null` for everything else. `data` is a view of `bytes`. */
export function decodePlainFrame(
  bytes: Uint8Array,
): { t: "body"; x: number; data: Uint8Array } | { t: "end"; x: number } | BareResponse | null {
  if (bytes.length > MAX_FRAME_BYTES) return null;
  const head = PLAIN_HEADS.find((known) => startsWith(bytes, 0, known));
  if (head === undefined) return null;
  const exchange = readHead(bytes, head.length, UNSIGNED);
  if (exchange === null || exchange.argument < 1 || exchange.argument > MAX_EXCHANGE_NUMBER) return null;
  const x = exchange.argument;
  if (head === END_HEAD) return exchange.next === bytes.length ? { t: "end", x } : null;
  if (head === BARE_HEAD)
    return exchange.next + BARE_REST.length === bytes.length && startsWith(bytes, exchange.next, BARE_REST)
      ? { t: "response", x, status: 200, headers: {} }
      : null;
  if (!startsWith(bytes, exchange.next, BODY_DATA)) return null;
  const data = readHead(bytes, exchange.next + BODY_DATA.length, BYTES);
  if (
    data === null ||
    data.argument < 1 ||
    data.argument > MAX_DATA_BYTES ||
    data.next + data.argument !== bytes.length
  )
    return null;
  return { t: "body", x, data: bytes.subarray(data.next) };
}
