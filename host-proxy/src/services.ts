import { CmcpError } from "@cmcp/boundary";
import { listenUnix, serveStream, Turns, type ByteStream, type IncomingExchange, type Listener } from "@cmcp/wire";
import type { EgressRelay } from "./egress/relay.ts";
import type { Log } from "./log.ts";
import type { LogStore } from "./store/log-store.ts";
import { storeFailure } from "./store/store-error.ts";
import type { WriterFence } from "./store/writer-fence.ts";
import type { Cosigner } from "./witness/cosigner.ts";
import { serveCosign } from "./witness/cosign-exchange.ts";
import { serveTree } from "./trees/tree-exchange.ts";
import { serveAppend, serveHead, serveProve, serveRange, serveScan } from "./store/store-exchange.ts";

/** What the host does for the enclave, and nothing more. */
export interface HostServices {
  readonly relay: EgressRelay;
  readonly store: LogStore;
  /** Notices an append that the store refuses; absent where nobody asks. */
  readonly fence?: WriterFence;
  readonly log: Log;
  /** Has notes cosigned; absent where the log has no witnesses. */
  readonly cosigner?: Pick<Cosigner, "cosign">;
  /** Absolute paths of the files of stdio servers; the enclave may ask for these alone. */
  readonly trees?: readonly string[];
}

/**
 * Serves the exchanges of the enclave's streams: `egress`, `tree`, and those of the log. Any other opening is answered
 * WIRE_UNEXPECTED_FRAME.
 * @param turns what the pieces of sessions' scans wait for
 */
export function servicesOf(
  services: HostServices,
  turns: Pick<Turns, "next"> = new Turns(),
): (stream: ByteStream) => void {
  const onFault = (error: CmcpError): void =>
    services.log.warn("host service failed", { code: error.code, reason: storeFailure(error) });
  return (stream) => serveStream(stream, (exchange) => serve(exchange, services, turns), { onFault });
}

/** Serves the streams that arrive at a Unix socket which only the enclave can reach. */
export function listenServices(path: string, services: HostServices, turns?: Pick<Turns, "next">): Promise<Listener> {
  return listenUnix(path, servicesOf(services, turns));
}

async function serve(
  exchange: IncomingExchange,
  { relay, store, fence, cosigner, trees = [] }: HostServices,
  turns: Pick<Turns, "next">,
): Promise<void> {
  const { opening } = exchange;
  switch (opening.t) {
    case "egress":
      return await relay.serve(exchange, opening.host, opening.port);
    case "append":
      return await serveAppend(
        { append: (batch) => fence?.append(store, batch) ?? store.append(batch) },
        exchange,
        opening,
      );
    case "head":
      return await serveHead(store, exchange);
    case "scan":
      return await serveScan({ store, turns }, exchange, opening);
    case "range":
      return await serveRange(store, exchange, opening);
    case "prove":
      return await serveProve(store, exchange, opening);
    case "cosign":
      return await serveCosign(cosigner, exchange);
    case "tree":
      return await serveTree(trees, exchange, opening.tree);
    case "launch":
    case "provision":
    case "reload":
    case "drain":
    case "request":
      throw new CmcpError("WIRE_UNEXPECTED_FRAME", `the host does not serve ${opening.t}`);
  }
}
