import { connect } from "node:net";
import { BufferedBytes } from "@cmcp/boundary";
import type { CatalogServer, RemoteServer, StdioServer } from "@cmcp/catalog";
import { Consents } from "@cmcp/oauth";
import { StdioProcesses } from "@cmcp/spawner";
import { ServerRoots } from "../servers/server-roots.ts";
import type { UpstreamsOptions } from "../servers/upstreams.ts";

type Transport = CatalogServer["transport"];

const NAMES = { name: "server", displayName: "server", integrity: "untrusted" } as const;

/** A server of a catalog on the network, which is asked what era it speaks unless that is given. */
export function remoteServer(
  url: URL,
  transport: RemoteServer["transport"] = "streamable-http",
  era: "auto" | "modern" | "legacy" = "auto",
): RemoteServer {
  return {
    ...NAMES,
    identity: url.href,
    url,
    transport,
    trust: null,
    rotationMode: "key-pinned",
    evidenceClass: "hash-only",
    settings: {
      name: "server",
      era,
      credential: null,
      authorization: null,
      clientCertificate: false,
      provenance: null,
    },
  };
}

/** A server that nobody connects to. */
export function namedServer(
  identity: string,
  transport: Exclude<Transport, "gateway"> = "streamable-http",
): CatalogServer {
  if (transport !== "stdio") return { ...remoteServer(new URL("http://127.0.0.1:9/mcp"), transport), identity };
  const stdio: StdioServer = {
    ...NAMES,
    identity,
    transport,
    spawn: { command: "node", args: [], binary_digest: null },
    evidenceClass: "spawn-unmeasured",
  };
  return stdio;
}

/** Connects directly, has no stdio server and no credential. */
export function directUpstreams(): UpstreamsOptions {
  return {
    dial: async (host, port) => connect(port, host),
    stdio: {
      processes: new StdioProcesses(() => Promise.reject(new Error("there is no stdio server"))),
      indexOf: () => 0,
      evidenceOf: () => "spawn-unmeasured",
      detailOf: () => ({}),
      close: async () => undefined,
    },
    credentials: { value: () => "" },
    buffered: new BufferedBytes(),
    limits: {},
    now: Date.now,
    roots: new ServerRoots({}),
    clientCertificate: null,
    clientKey: null,
    consents: new Consents(() => performance.now()),
    publicOrigin: null,
    faults: { observe: async (_, use) => await use() },
    monotonic: () => performance.now(),
  };
}
