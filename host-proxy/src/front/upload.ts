import type { IncomingMessage } from "node:http";
import type { OutgoingExchange } from "@cmcp/wire";
import { payloadTooLarge } from "./request-opening.ts";

/**
 * Sends the request body and its end, no faster than the exchange takes it. Resolves also when the exchange stops
 * taking bytes: then its answer, which may have come early, says why. What is left of the body is then unread.
 * @throws MCP_PAYLOAD_TOO_LARGE once more than `limit` bytes have come; what broke the connection
 */
export function sendBody(incoming: IncomingMessage, exchange: OutgoingExchange, limit: number): Promise<void> {
  const declared = Number(incoming.headers["content-length"]);
  return new Promise((resolve, reject) => {
    let received = 0;
    const stop = (): void => {
      incoming.off("data", take).off("end", end);
      resolve();
    };
    const end = (): void => void exchange.end().then(stop, stop);
    const take = (chunk: Buffer): void => {
      received += chunk.length;
      if (received > limit) {
        incoming.off("data", take).off("end", end).pause();
        reject(payloadTooLarge(limit));
        return;
      }
      const sent = exchange.write(chunk);
      if (received === declared) {
        // node:http says that a body is over only in a later turn; by its length (RFC 9112 section 6.2) its end goes
        // with its last bytes.
        sent.then(end, stop);
      } else {
        incoming.pause();
        sent.then(() => void incoming.resume(), stop);
      }
    };
    incoming.on("data", take).once("end", end).once("error", reject);
    // What has come with the head is taken now, in one write with the opening; the stream itself would give it a turn
    // later.
    incoming.read();
  });
}
