import { asCmcpError, type CmcpError, type ErrorCode } from "@cmcp/boundary";
import type { CatalogServer } from "@cmcp/catalog";
import { UpstreamRefusal, type IdentityFault } from "@cmcp/mcp";

/** What is wrong with a server, and what its operator does then. Nothing that a server sends is in these words. */
export const SERVER_FAULTS = {
  "changed-key": "ask the server's owner whether it renewed its key, and have the new one approved in the catalog",
  "name-mismatch": "compare the address, or the SPIFFE ID, in the catalog with the names in the server's certificate",
  "expired-certificate": "have the server's owner renew its certificate",
  "early-certificate": "compare the clocks of this machine and of the server's authority",
  "unknown-authority": "have the server send its intermediates, or name its authority in the configuration",
  "invalid-certificate": "have the server's owner correct its certificate",
  "exited-at-start":
    "run the server's command by hand: it ended before it answered, as for want of a library or a setting",
  exited:
    "see whether it crashes, or needs more than enclave.stdio or the machine gives it: it ended, and what it held is lost",
  "missing-program": "install the server's interpreter on this machine, or put the program into the server's folder",
  "changed-files": "stop: the server's files are not the approved ones; have it investigated",
  "unreadable-files": "make the server's folder readable, with plain files alone and links that stay inside",
  "not-confined": "run cmcp doctor: this machine does not let the server be confined",
  "credential-refused": "renew the server's credential: it refused the one that it was sent, as for an expired token",
  "credential-missing": "provision the credential that the catalog names for the server",
  "no-authorization": "look at the server's authorization in the catalog, and at its authorization server",
  unreachable: "see that the server runs, and that the host may reach it",
  "no-answer": "see why the server does not answer in time",
  "not-mcp": "see what answers at the server's address: its answers are not valid MCP",
} as const;

/** One of {@link SERVER_FAULTS}. */
export type ServerFault = keyof typeof SERVER_FAULTS;

const BY_IDENTITY: Readonly<Record<IdentityFault, ServerFault>> = {
  "no-certificate": "invalid-certificate",
  "wrong-key": "changed-key",
  "wrong-name": "name-mismatch",
  expired: "expired-certificate",
  "not-yet-valid": "early-certificate",
  "self-signed": "unknown-authority",
  "unknown-issuer": "unknown-authority",
  "wrong-issuer": "unknown-authority",
  "invalid-chain": "invalid-certificate",
  "wrong-spiffe-id": "name-mismatch",
  "invalid-svid": "invalid-certificate",
};

const BY_CODE: Readonly<Partial<Record<ErrorCode, ServerFault>>> = {
  SPAWN_DIGEST_MISMATCH: "changed-files",
  SPAWN_TREE_REFUSED: "unreadable-files",
  SPAWN_FAILED: "not-confined",
  CREDENTIAL_NOT_PROVISIONED: "credential-missing",
  AUTHORIZATION_UNAVAILABLE: "no-authorization",
  AUTHORIZATION_SERVER_NOT_ALLOWED: "no-authorization",
  AUTHORIZATION_METADATA_INVALID: "no-authorization",
  AUTHORIZATION_RESPONSE_INVALID: "no-authorization",
  AUTHORIZATION_REFUSED: "no-authorization",
  EGRESS_NOT_ALLOWED: "unreachable",
  UPSTREAM_UNAVAILABLE: "unreachable",
  UPSTREAM_TIMEOUT: "no-answer",
  UPSTREAM_PROTOCOL_ERROR: "not-mcp",
};

/** What an error says of its server; `null` where it says nothing, such as while a crashed one is not started again yet. */
function faultOf({ code, detail }: CmcpError): ServerFault | null {
  const { reason, status } = detail;
  if (code === "UPSTREAM_IDENTITY_MISMATCH") {
    const known = Object.entries(BY_IDENTITY).find(([identity]) => identity === reason);
    return known?.[1] ?? "invalid-certificate";
  }
  if (detail["retry_after_ms"] !== undefined) return null;
  if (reason === "exited-at-start" || reason === "exited") return reason;
  if (code === "SPAWN_FAILED" && status === "no-program") return "missing-program";
  if (status === 401 || status === 403) return "credential-refused";
  return BY_CODE[code] ?? null;
}

/** A server that does not work at the moment. */
export interface FaultyServer {
  readonly server: string;
  readonly fault: ServerFault;
}

/** Milliseconds between two reports of one server, at least: a server that comes and goes fills no log. */
export const REPORT_INTERVAL_MS = 10_000;

/** What {@link ServerFaults} need. */
export interface ServerFaultsPorts {
  readonly report: (server: string, fault: ServerFault) => void;
  readonly monotonic: () => number;
}

/** What is wrong with which server, as the last use of each showed. */
export class ServerFaults {
  readonly #ports: ServerFaultsPorts;
  /** By the server's identity, of which there are as many as in the catalog. */
  readonly #current = new Map<string, FaultyServer>();
  readonly #reported = new Map<string, number>();

  constructor(ports: ServerFaultsPorts) {
    this.#ports = ports;
  }

  /** The servers whose last use failed. */
  get current(): readonly FaultyServer[] {
    return [...this.#current.values()];
  }

  /** Drops what is known of a server that another catalog does not have. */
  forget({ identity }: CatalogServer): void {
    this.#current.delete(identity);
    this.#reported.delete(identity);
  }

  /** A stdio server ended by itself, though nobody was using it. */
  exited(server: CatalogServer): void {
    this.#found(server, "exited");
  }

  /** Uses a server, and takes from the outcome whether it works. An answer that refuses the request is an answer. */
  async observe<T>(server: CatalogServer, use: () => Promise<T>): Promise<T> {
    try {
      const answer = await use();
      this.#current.delete(server.identity);
      return answer;
    } catch (thrown) {
      const error = asCmcpError(thrown, "INTERNAL", "a server's use failed");
      const fault = faultOf(error);
      if (fault !== null) this.#found(server, fault);
      else if (thrown instanceof UpstreamRefusal) this.#current.delete(server.identity);
      throw thrown;
    }
  }

  #found({ identity, name }: CatalogServer, fault: ServerFault): void {
    if (this.#current.get(identity)?.fault === fault) return;
    const now = this.#ports.monotonic();
    this.#current.set(identity, { server: name, fault });
    if (now - (this.#reported.get(identity) ?? Number.NEGATIVE_INFINITY) < REPORT_INTERVAL_MS) return;
    this.#reported.set(identity, now);
    this.#ports.report(name, fault);
  }
}
