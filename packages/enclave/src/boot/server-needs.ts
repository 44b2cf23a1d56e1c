import type { Catalog } from "@cmcp/catalog";
import { isPerCaller } from "../servers/server-session.ts";

/** Whether the instance shows a certificate of its own to a tool server. */
export function needsClientCertificate({ servers }: Pick<Catalog, "servers">): boolean {
  return servers.some(({ settings }) => settings?.clientCertificate === true);
}

/** Whether the instance proves itself by a key to an authorization server that knows no secret of it. */
export function needsClientKey({ servers }: Pick<Catalog, "servers">): boolean {
  return servers.some(({ settings }) => {
    const authorization = settings?.authorization ?? null;
    const own = authorization !== null && authorization.clientId !== null && authorization.clientSecret === null;
    return own || authorization?.login?.clientSecret === null;
  });
}

/** Whether persons consent to a server in a browser, which then comes back to the gateway. */
export function needsPublicOrigin({ servers }: Pick<Catalog, "servers">): boolean {
  return servers.some(isPerCaller);
}
