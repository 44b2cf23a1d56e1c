import { constants } from "node:crypto";
import { isIP, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import { callbackify } from "node:util";
import { CmcpError, asCmcpError } from "@cmcp/boundary";
import type { buildConnector } from "undici";
import { raceAbort } from "./abort.ts";
import { checkIdentity } from "./identity.ts";
import type { Dial, UpstreamTls } from "./options.ts";

/** Where connections of one upstream go. */
export interface Destination {
  readonly host: string;
  readonly port: number;
  readonly dial: Dial;
  readonly tls: UpstreamTls;
  readonly connectMs: number;
}

async function dialStream(to: Destination, signal: AbortSignal): Promise<Duplex> {
  const dialling = to.dial(to.host, to.port, signal);
  try {
    return await raceAbort(dialling, signal);
  } catch (thrown) {
    // A dial that ignored the signal may still come through; its stream is then nobody's.
    dialling.then(
      (late) => late.on("error", () => undefined).destroy(),
      () => undefined,
    );
    throw thrown;
  }
}

/** TLS 1.2 or newer inside `stream`; nothing is written to it before the peer's key has been checked. */
async function secure(stream: Duplex, to: Destination, spkiSha256: Uint8Array, signal: AbortSignal): Promise<Socket> {
  const socket = connectTls({
    socket: stream,
    servername: isIP(to.host) === 0 ? to.host : "",
    minVersion: "TLSv1.2",
    ALPNProtocols: ["http/1.1"],
    // A renegotiation could change the certificate after it was checked (RFC 5746).
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    // The pin is the trust, and checkIdentity below runs on every handshake. Node's own check would not:
    // it is skipped for a certificate without a chain and for a resumed session. No session is offered.
    rejectUnauthorized: false,
  });
  // A handshake may break twice in one turn: in its own bytes and in the stream below. No error may end the process.
  socket.on("error", () => undefined);
  try {
    const handshake = new Promise<void>((resolve, reject) => {
      socket.once("secureConnect", resolve);
      socket.once("error", reject);
      socket.once("close", () => reject(new Error("closed")));
    });
    await raceAbort(handshake, signal);
    checkIdentity(socket, to.host, spkiSha256, Date.now());
    return socket;
  } catch (thrown) {
    socket.destroy();
    throw asCmcpError(thrown, "UPSTREAM_UNAVAILABLE", "the TLS handshake with the tool server failed");
  }
}

async function open(to: Destination, closing: AbortSignal): Promise<Socket> {
  const expired = AbortSignal.timeout(to.connectMs);
  const signal = AbortSignal.any([expired, closing]);
  try {
    const stream = await dialStream(to, signal);
    // Whoever reads the stream hears of its errors; between two readers one must not end the process.
    stream.on("error", () => undefined);
    if (to.tls.mode === "pinned") return await secure(stream, to, to.tls.spkiSha256, signal);
    // undici asks no more of a plain connection than any duplex stream has.
    return stream as Socket;
  } catch (thrown) {
    if (expired.aborted)
      throw new CmcpError("UPSTREAM_TIMEOUT", `no connection to the tool server within ${to.connectMs} ms`, {
        cause: thrown,
      });
    throw asCmcpError(thrown, "UPSTREAM_UNAVAILABLE", "the tool server cannot be reached");
  }
}

const openWithCallback = callbackify(open);

/** The connector undici calls for every new connection: through `dial`, never a socket of its own. */
export function createConnector(to: Destination, closing: AbortSignal): buildConnector.connector {
  return (_, callback) => {
    openWithCallback(to, closing, (error, socket) => {
      if (error !== null) callback(error, null);
      else if (socket.destroyed)
        callback(
          new CmcpError("UPSTREAM_UNAVAILABLE", "the connection to the tool server was lost as it was made"),
          null,
        );
      else callback(null, socket);
    });
  };
}
