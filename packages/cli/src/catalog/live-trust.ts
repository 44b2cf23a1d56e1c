import { hash } from "node:crypto";
import { once } from "node:events";
import { connect, isIP } from "node:net";
import { connect as connectTls } from "node:tls";
import { CmcpError, readKeyPin, type JsonObject } from "@cmcp/boundary";
import { BUNDLED_ROOTS, fingerprintOf, type Dial, type UpstreamTls } from "@cmcp/mcp";

/** How long connecting may take, in milliseconds. */
export const CONNECT_MS = 10_000;

/** How the operator wants a server to be known. */
export interface WantedTrust {
  /** `pinned` without it. */
  readonly trust?: string | undefined;
  /** A pinned server must have this key. */
  readonly pin?: string | undefined;
  /** Of `webpki`: keys of authorities, one of which must be above the server. */
  readonly issuerPins?: readonly string[] | undefined;
}

/** How a server is known, for a connection and for the catalog. */
interface LiveTrust {
  readonly tls: UpstreamTls;
  /** Members of the server's entry. */
  readonly members: JsonObject;
  /** The server's own key as the catalog pins it; `null` where it pins none. */
  readonly fingerprint: string | null;
}

/** Connects from this machine directly: the operator asks the server, the gateway is not involved. */
export const dial: Dial = async (host, port, signal) => {
  const socket = connect({ host, port });
  try {
    await once(socket, "connect", { signal });
    return socket;
  } catch (thrown) {
    socket.destroy();
    throw new CmcpError("UPSTREAM_UNAVAILABLE", `no connection to ${host} port ${port}`, { cause: thrown });
  }
};

interface SeenKey {
  readonly spkiSha256: Uint8Array;
  /** The chain leads to a certificate authority this machine trusts, for this host. */
  readonly vouchedFor: boolean;
}

async function seeKey(url: URL): Promise<SeenKey> {
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const port = url.port === "" ? 443 : Number(url.port);
  const signal = AbortSignal.timeout(CONNECT_MS);
  // nosemgrep: no-unverified-tls — nothing is sent here; whether an authority vouches is returned and decided on
  const socket = connectTls({
    socket: await dial(host, port, signal),
    host,
    servername: isIP(host) === 0 ? host : "",
    minVersion: "TLSv1.2",
    ALPNProtocols: ["http/1.1"],
    rejectUnauthorized: false,
  });
  try {
    await once(socket, "secureConnect", { signal });
    const certificate = socket.getPeerX509Certificate();
    if (certificate === undefined)
      throw new CmcpError("UPSTREAM_IDENTITY_MISMATCH", "the server presented no certificate");
    const spkiSha256 = hash("sha256", certificate.publicKey.export({ type: "spki", format: "der" }), "buffer");
    return { spkiSha256, vouchedFor: socket.authorized };
  } catch (thrown) {
    throw thrown instanceof CmcpError
      ? thrown
      : new CmcpError("UPSTREAM_UNAVAILABLE", `the TLS handshake with ${host} port ${port} failed`, { cause: thrown });
  } finally {
    socket.on("error", () => undefined);
    socket.destroy();
  }
}

/** Key pin of a fingerprint as a catalog writes it. @throws CmcpError `USAGE` */
function pinOf(option: string, fingerprint: string): Uint8Array {
  const bytes = readKeyPin(fingerprint);
  if (bytes === undefined) throw new CmcpError("USAGE", `${option} is SHA256: and the base64 of 32 bytes`);
  return bytes;
}

/**
 * The key to hold the server to. Without a required one the first key seen is taken, but only if an authority
 * this machine trusts vouches for it: otherwise whoever sits in between would write the catalog.
 */
async function keyOf(url: URL, required: string | undefined): Promise<Uint8Array | null> {
  if (url.protocol === "http:") {
    if (required !== undefined) throw new CmcpError("USAGE", "--pin needs an https URL");
    return null;
  }
  if (required !== undefined) return pinOf("--pin", required);
  const { spkiSha256, vouchedFor } = await seeKey(url);
  if (!vouchedFor) {
    throw new CmcpError(
      "UPSTREAM_IDENTITY_MISMATCH",
      `no certificate authority that this machine trusts vouches for ${url.host}, which presented the key ${fingerprintOf(spkiSha256)}. ` +
        "Compare it with the server's owner and give it as --pin",
    );
  }
  return spkiSha256;
}

/** A server that the web's authorities vouch for: under the roots that the gateway has, not those of this machine. */
function webpki(url: URL, { pin, issuerPins = [] }: WantedTrust): LiveTrust {
  if (url.protocol === "http:") throw new CmcpError("USAGE", "--trust webpki needs an https URL");
  if (pin !== undefined)
    throw new CmcpError("USAGE", "--pin is for --trust pinned; with webpki give --issuer-pin for an authority's key");
  return {
    tls: {
      mode: "chain",
      roots: BUNDLED_ROOTS,
      issuerPins: issuerPins.map((issuer) => pinOf("--issuer-pin", issuer)),
      now: Date.now,
    },
    members: { trust: "webpki", ...(issuerPins.length === 0 ? {} : { issuer_pins: [...issuerPins] }) },
    fingerprint: null,
  };
}

/**
 * What a server is held to while it is read, and what the catalog says of it then: its key, unless `--trust webpki` is asked for.
 * @throws CmcpError `USAGE`; `UPSTREAM_IDENTITY_MISMATCH` for a server without a required key that no authority vouches for
 */
export async function liveTrust(url: URL, wanted: WantedTrust): Promise<LiveTrust> {
  const { trust = "pinned", pin, issuerPins = [] } = wanted;
  if (trust === "webpki") return webpki(url, wanted);
  if (trust !== "pinned") throw new CmcpError("USAGE", "--trust is pinned or webpki");
  if (issuerPins.length > 0) throw new CmcpError("USAGE", "--issuer-pin is for --trust webpki");
  const key = await keyOf(url, pin);
  if (key === null) return { tls: { mode: "none" }, members: {}, fingerprint: null };
  const fingerprint = fingerprintOf(key);
  return {
    tls: { mode: "pinned", spkiSha256: key, now: Date.now },
    members: { tls_fingerprint: fingerprint },
    fingerprint,
  };
}
