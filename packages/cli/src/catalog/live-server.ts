import { CmcpError, type JsonObject } from "@cmcp/boundary";
import { visibleText } from "@cmcp/catalog";
import { UpstreamClient, type ListKind, type RequestAuthorization } from "@cmcp/mcp";
import { CONNECT_MS, dial, liveTrust, type WantedTrust } from "./live-trust.ts";

/** How long reading the whole list may take, in milliseconds. */
const LIST_MS = 60_000;

/** Something as its server lists it. */
export interface LiveItem {
  /** A tool's or prompt's name, a resource's URI, a template's text. */
  readonly name: string;
  readonly listed: JsonObject;
}

/** What a server lists, and how a catalog reaches it. */
export interface ListedServer {
  /** The members of its catalog entry that say where it is: `url` and how it is known, or `transport` and `spawn`. */
  readonly location: JsonObject;
  /** What it lists, each with a name of its own; nothing of a kind that was not asked for. */
  readonly lists: Readonly<Record<ListKind, readonly LiveItem[]>>;
}

/** A server as it answered over HTTP. */
export interface LiveServer extends ListedServer {
  readonly url: URL;
  /** `SHA256:` and base64 of the SHA-256 of its SubjectPublicKeyInfo; `null` where it is not held to a key of its own. */
  readonly fingerprint: string | null;
}

/** The member of a listing that names it. */
const NAMES: Readonly<Record<ListKind, string>> = {
  tools: "name",
  prompts: "name",
  resources: "uri",
  templates: "uriTemplate",
};
/** RFC 9110, section 15.5.2. */
const HTTP_UNAUTHORIZED = 401;
/** JSON-RPC 2.0, section 5.1: how a server says that it has nothing of a kind. */
const METHOD_NOT_FOUND = -32601;

/** A server's URL from the command line. @throws CmcpError `USAGE` */
export function serverUrl(text: string): URL {
  const url = URL.parse(text);
  if (
    url === null ||
    (url.protocol !== "https:" && url.protocol !== "http:") ||
    url.username !== "" ||
    url.password !== "" ||
    url.hash !== ""
  ) {
    throw new CmcpError("USAGE", "URL is an https or http URL without credentials and fragment");
  }
  return url;
}

/** Everything of one kind that a server lists; nothing where it does not know the kind. */
export async function listItems(client: Pick<UpstreamClient, "list">, kind: ListKind): Promise<readonly LiveItem[]> {
  try {
    const items = await client.list("catalog", kind, AbortSignal.timeout(LIST_MS));
    return items.flatMap((listed) => {
      const name = listed[NAMES[kind]];
      return typeof name === "string" ? [{ name, listed }] : [];
    });
  } catch (thrown) {
    if (
      kind !== "tools" &&
      thrown instanceof CmcpError &&
      thrown.code === "UPSTREAM_CALL_REFUSED" &&
      thrown.detail["rpc_code"] === METHOD_NOT_FOUND
    )
      return [];
    throw thrown;
  }
}

/** Most of a server's own words about who may ask, in characters. */
const MAX_CHALLENGE = 500;

/** The bearer token of a list, and what a server that refuses it asks for. */
class ListAuthorization implements RequestAuthorization {
  readonly #headers: Readonly<Record<string, string>>;
  /** `WWW-Authenticate` (RFC 9110, section 11.6.1) of a 401; `null` where there was none. */
  challenge: string | null = null;

  constructor(token: string | null) {
    this.#headers = token === null ? {} : { authorization: `Bearer ${token}` };
  }

  headers(): Promise<Readonly<Record<string, string>>> {
    return Promise.resolve(this.#headers);
  }

  answered({ status, header }: Parameters<RequestAuthorization["answered"]>[0]): null {
    if (status === HTTP_UNAUTHORIZED) this.challenge = header("www-authenticate") ?? "";
    return null;
  }
}

/** A server that asks for a token, with what to do about it. */
function unauthorized(url: URL, challenge: string): CmcpError {
  const oauth = /resource_metadata=/i.test(challenge)
    ? " It names an authorization server: docs/how-to/connect-a-server-with-oauth.md says how the enclave gets tokens itself."
    : "";
  const words = challenge === "" ? "" : `: ${visibleText(challenge.slice(0, MAX_CHALLENGE))}`;
  return new CmcpError(
    "SERVER_UNAUTHORIZED",
    `${url.host} answers 401${words}. cmcp server add reads its list with the token of an environment variable, named by ` +
      `--token-env, and has the gateway send it the credential that --credential names.${oauth}`,
  );
}

/**
 * Reads what a server lists now, over streamable HTTP, every connection held to the same trust.
 * @param token is sent as a bearer token; `null` sends none
 * @throws CmcpError `SERVER_UNAUTHORIZED` for a server that asks for a token
 */
export async function readLiveServer(
  url: URL,
  wanted: WantedTrust,
  kinds: readonly ListKind[] = ["tools"],
  token: string | null = null,
): Promise<LiveServer> {
  const { tls, members, fingerprint } = await liveTrust(url, wanted);
  const authorization = new ListAuthorization(token);
  const client = new UpstreamClient({
    url,
    dial,
    tls,
    authorization,
    clientInfo: { name: "cmcp-catalog", version: "0.1.0" },
    limits: { connectMs: CONNECT_MS, totalMs: LIST_MS },
  });
  try {
    const lists: Record<ListKind, readonly LiveItem[]> = { tools: [], prompts: [], resources: [], templates: [] };
    for (const kind of kinds) lists[kind] = await listItems(client, kind);
    await client.closeSession("catalog");
    return { url, fingerprint, location: { url: url.href, ...members }, lists };
  } catch (thrown) {
    throw authorization.challenge === null ? thrown : unauthorized(url, authorization.challenge);
  } finally {
    await client.close();
  }
}
