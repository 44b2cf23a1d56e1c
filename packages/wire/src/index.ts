export type { IncomingExchange, OutgoingExchange } from "./exchange.ts";
export { decodeFrame, encodeFrame, type Frame, type Opening, type ResponseHead } from "./frame.ts";
export { decodeMap, encodeMap, type WireMap, type WireValue } from "./codec.ts";
export {
  decodeBatch,
  decodeScanned,
  encodeBatch,
  encodeScanned,
  MAX_APPENDED_RECORDS,
  MAX_LEAF_BYTES,
  MAX_NOTE_BYTES,
  type ShownRecord,
  type WireBatch,
  type WireRecord,
} from "./records.ts";
export { Framer } from "./framer.ts";
export * from "./limits.ts";
export { ExchangePool, type PoolOptions } from "./pool.ts";
export { serveStream, type ServeOptions } from "./serve.ts";
export type { ByteStream, Dialer, Listener } from "./transport/transport.ts";
export { listenUnix, unixDialer, type ListenOptions } from "./transport/unix.ts";
export { dialerOf, listenAt } from "./transport/address.ts";
export { hybridVsockDialer, hybridVsockSocket } from "./transport/hybrid-vsock.ts";
export { HOST_CID, listenVsock, vsockDialer, type VsockListenOptions } from "./transport/vsock.ts";
export { Turns, type TurnClock } from "./turns.ts";
export { loadVsockAddon, type VsockAddon } from "./transport/vsock-addon.ts";
