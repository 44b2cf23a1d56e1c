export type { IncomingExchange, OutgoingExchange } from "./exchange.ts";
export { decodeFrame, encodeFrame, type Frame, type Opening, type ResponseHead } from "./frame.ts";
export { decodeMap, encodeMap, type WireMap, type WireValue } from "./codec.ts";
export { Framer } from "./framer.ts";
export * from "./limits.ts";
export { ExchangePool, type PoolOptions } from "./pool.ts";
export { serveStream, type ServeOptions } from "./serve.ts";
export type { ByteStream, Dialer, Listener } from "./transport/transport.ts";
export { listenUnix, unixDialer, type ListenOptions } from "./transport/unix.ts";
