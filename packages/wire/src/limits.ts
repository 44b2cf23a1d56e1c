/** One frame on the wire, length prefix included: 32 KiB, what every hybrid vsock takes in one write. */
export const MAX_WIRE_FRAME_BYTES = 32 * 1024;
/** Bytes of the length prefix (u32, big-endian). */
export const LENGTH_PREFIX_BYTES = 4;
/** The CBOR map of one frame, without its prefix. */
export const MAX_FRAME_BYTES = MAX_WIRE_FRAME_BYTES - LENGTH_PREFIX_BYTES;
/** Payload of one body frame; the rest of the frame is prefix, keys and exchange number. */
export const MAX_DATA_BYTES = MAX_WIRE_FRAME_BYTES - 64;

/** Nesting of maps and arrays; the frame itself is depth 1. */
export const MAX_DEPTH = 8;
/** Values and keys of one frame, the frame itself included. */
export const MAX_ITEMS = 512;

/** Header fields of one message. */
export const MAX_HEADERS = 64;
/** Characters of one field name. */
export const MAX_HEADER_NAME = 128;
/** Characters of one field value. */
export const MAX_HEADER_VALUE = 8 * 1024;
/** Names and values of one message together, in UTF-8 bytes. */
export const MAX_HEADERS_BYTES = 16 * 1024;
/** Characters of a request path with its query. */
export const MAX_PATH = 8 * 1024;
/** Characters of an identifier in an opening (session, kind). */
export const MAX_IDENTIFIER = 128;
/** Characters of the path of a stdio server's files. */
export const MAX_TREE_PATH = 511;
/** Most records of a log. */
export const MAX_LOG_SIZE = 2 ** 48 - 1;
/** Characters of an error frame's message. */
export const MAX_ERROR_MESSAGE = 512;

/** Largest exchange number; a stream that reaches it is closed instead of reused. */
export const MAX_EXCHANGE_NUMBER = 0xffff_ffff;

const MiB = 1024 * 1024;

/** What one direction of one exchange may carry. */
export interface BodyLimit {
  /** Payload bytes of all body frames. */
  readonly bytes: number;
  /** Number of body frames. */
  readonly frames: number;
}

/** Body bounds by kind of exchange, per direction. Egress carries kept-alive connections, so it is the widest. */
export const BODY_LIMITS = {
  launch: { bytes: 64 * MiB, frames: 65_536 },
  provision: { bytes: 1 * MiB, frames: 1_024 },
  reload: { bytes: 64 * MiB, frames: 65_536 },
  drain: { bytes: 16 * MiB, frames: 1_048_576 },
  request: { bytes: 1024 * MiB, frames: 4_194_304 },
  egress: { bytes: 1024 * 1024 * MiB, frames: 1_073_741_824 },
  append: { bytes: 64 * MiB, frames: 65_536 },
  head: { bytes: 64 * 1024, frames: 64 },
  range: { bytes: 64 * 1024, frames: 64 },
  prove: { bytes: 64 * 1024, frames: 64 },
  cosign: { bytes: 128 * 1024, frames: 64 },
  tree: { bytes: 400 * MiB, frames: 65_536 },
  scan: { bytes: 16 * 1024 * MiB, frames: 4_194_304 },
} as const satisfies Readonly<Record<string, BodyLimit>>;

/** An exchange on which nothing moved for this long (ms) is rejected and its stream closed. */
export const IDLE_MS = 300_000;
/** A stream waiting in the opener's pool is closed after this long (ms), before the other side does it. */
export const POOLED_IDLE_MS = 60_000;
/** Bound on opening a stream (ms). */
export const DIAL_MS = 10_000;
/** After a reject, how long (ms) the rejecting side reads on so that the other can see the reason before the close. */
export const LINGER_MS = 5_000;
/** Received bytes held for a slow reader before the stream is paused. */
export const READ_AHEAD_BYTES = 64 * 1024;
/** Received body frames held for a slow reader before the stream is paused. */
export const READ_AHEAD_FRAMES = 64;
/** Callers that may wait for a stream of a full pool. */
export const MAX_POOL_WAITERS = 1024;
/** Streams a listener serves at once. */
export const MAX_LISTENER_STREAMS = 1024;
