import { constants } from "node:crypto";
import { isIP, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from "node:tls";
import { callbackify } from "node:util";
import { CmcpError, asCmcpError } from "@cmcp/boundary";
import type { buildConnector } from "undici";
import { raceAbort } from "./abort.ts";
import type { ServerAuthentication } from "./authentication.ts";
import { checkChain } from "./chain.ts";
import { checkPinnedKey } from "./identity.ts";
import type { Dial, UpstreamTls } from "./options.ts";

/** Where connections of one upstream go. */
export interface Destination {
  readonly host: string;
  readonly port: number;
  readonly dial: Dial;
  readonly tls: UpstreamTls;
  readonly connectMs: number;
}

/** How a server that is reached over TLS is known. */
type SecureTls = Exclude<UpstreamTls, { readonly mode: "none" }>;

/** A connection that stands, and who is at its other end; `null` where the catalog says it, or nobody does. */
interface Connected {
  readonly socket: Socket;
  readonly authentication: ServerAuthentication | null;
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

/** What the handshake is made with: roots alone where authorities vouch for the server, and what it is shown. */
function credentialsOf(tls: SecureTls): ConnectionOptions {
  if (tls.mode === "chain") return { secureContext: tls.roots.context(tls.client ?? null) };
  return {
    minVersion: "TLSv1.2",
    // A renegotiation could change the certificate after it was checked (RFC 5746).
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    ...(tls.client === undefined ? {} : { cert: tls.client.certificate, key: tls.client.privateKey }),
  };
}

/** Checks who the handshake was with. @throws CmcpError `UPSTREAM_IDENTITY_MISMATCH` */
function authenticate(socket: TLSSocket, host: string, tls: SecureTls): ServerAuthentication | null {
  if (tls.mode === "chain") return checkChain(socket, host, tls);
  checkPinnedKey(socket, host, tls.spkiSha256, tls.now());
  return null;
}

/** TLS 1.2 or newer inside `stream`; nothing is written to it before the peer has been checked. */
async function secure(stream: Duplex, to: Destination, tls: SecureTls, signal: AbortSignal): Promise<Connected> {
  const socket = connectTls({
    socket: stream,
    servername: isIP(to.host) === 0 ? to.host : "",
    ALPNProtocols: ["http/1.1"],
    ...credentialsOf(tls),
    // authenticate() below decides, on every handshake. Node's own check would not: it is skipped for a certificate
    // without a chain and for a resumed session. No session is offered.
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
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
    return { socket, authentication: authenticate(socket, to.host, tls) };
  } catch (thrown) {
    socket.destroy();
    throw asCmcpError(thrown, "UPSTREAM_UNAVAILABLE", "the TLS handshake with the tool server failed");
  }
}

async function open(to: Destination, closing: AbortSignal): Promise<Connected> {
  const expired = AbortSignal.timeout(to.connectMs);
  const signal = AbortSignal.any([expired, closing]);
  try {
    const stream = await dialStream(to, signal);
    // Whoever reads the stream hears of its errors; between two readers one must not end the process.
    stream.on("error", () => undefined);
    if (to.tls.mode !== "none") return await secure(stream, to, to.tls, signal);
    // undici asks no more of a plain connection than any duplex stream has.
    return { socket: stream as Socket, authentication: null };
  } catch (thrown) {
    if (expired.aborted)
      throw new CmcpError("UPSTREAM_TIMEOUT", `no connection to the tool server within ${to.connectMs} ms`, {
        cause: thrown,
      });
    throw asCmcpError(thrown, "UPSTREAM_UNAVAILABLE", "the tool server cannot be reached");
  }
}

const openWithCallback = callbackify(open);

/**
 * The connector undici calls for every new connection: through `dial`, never a socket of its own.
 * @param authenticated called with who was found, before the connection is used
 */
export function createConnector(
  to: Destination,
  closing: AbortSignal,
  authenticated: (found: ServerAuthentication | null) => void,
): buildConnector.connector {
  return (_, callback) => {
    openWithCallback(to, closing, (error, connected) => {
      if (error !== null) callback(error, null);
      else if (connected.socket.destroyed)
        callback(
          new CmcpError("UPSTREAM_UNAVAILABLE", "the connection to the tool server was lost as it was made"),
          null,
        );
      else {
        authenticated(connected.authentication);
        callback(null, connected.socket);
      }
    });
  };
}
