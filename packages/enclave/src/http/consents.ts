import { CmcpError } from "@cmcp/boundary";
import type { IdentitySettings } from "@cmcp/identity";
import type { HttpResponse } from "@cmcp/mcp";
import { clientMetadata, type Consents } from "@cmcp/oauth";
import { CALLBACK_PATH, CLIENT_NAME, CLIENT_PATH } from "../servers/authorizations.ts";
import { json } from "./json-response.ts";

export { CALLBACK_PATH };

/** Nothing of the address, which has a code in it, goes on to wherever the browser goes next. */
const HEADERS = { "cache-control": "no-store", "referrer-policy": "no-referrer" };

const DONE = "Your consent was taken. You can close this page; the agent repeats its call.\n";

/**
 * Takes what a browser brings back from an authorization server. State and code pass the host, and are of no use to it: the verifier
 * is here. It shows no text that the address has.
 */
export async function consentAnswer(consents: Pick<Consents, "complete">, url: URL): Promise<HttpResponse> {
  const next = await consents.complete(url.search.slice(1));
  if (next !== null) return { status: 303, headers: { ...HEADERS, location: next }, body: "" };
  return { status: 200, headers: { ...HEADERS, "content-type": "text/plain; charset=utf-8" }, body: DONE };
}

/**
 * The gateway's client metadata document, whose URL is its client id at authorization servers that take one
 * (draft-ietf-oauth-client-id-metadata-document); `null` for any other path.
 * @throws CmcpError `METHOD_NOT_ALLOWED`
 */
export function clientDocument({ resource }: IdentitySettings, method: string, path: string): HttpResponse | null {
  if (resource == null || path !== CLIENT_PATH) return null;
  if (method !== "GET") throw new CmcpError("METHOD_NOT_ALLOWED", "this path does not support the method");
  const { origin } = new URL(resource);
  const metadata = clientMetadata({ name: CLIENT_NAME, redirectUri: `${origin}${CALLBACK_PATH}` });
  return json({ client_id: `${origin}${CLIENT_PATH}`, ...metadata, token_endpoint_auth_method: "none" });
}
