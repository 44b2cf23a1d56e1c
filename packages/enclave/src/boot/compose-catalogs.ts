import type { Catalog } from "@cmcp/catalog";
import type { SigningPair } from "@cmcp/oauth";
import type { ClientCertificate } from "../instance/client-certificate.ts";
import { loadHeldCatalog, type AcceptedLaunch, type LaunchContents } from "./launch.ts";
import { NextCatalogs } from "./next-catalog.ts";
import { needsClientCertificate, needsClientKey, needsPublicOrigin } from "./server-needs.ts";

/** What the instance was started with for its servers. */
interface StartedWith {
  readonly clientCertificate: ClientCertificate | null;
  readonly clientKey: SigningPair | null;
}

/** What reads later catalogs; `null` where the launch document names nobody who may approve one. */
export function nextCatalogsOf(
  launch: AcceptedLaunch,
  contents: LaunchContents,
  started: StartedWith,
): NextCatalogs | null {
  const { catalog_keys: keys, catalog_approvals: needed, identity } = launch.config.enclave;
  if (keys === undefined || needed === undefined) return null;
  return new NextCatalogs({
    approval: { keys, needed },
    first: contents.catalog,
    load: (raw) => loadHeldCatalog(launch, contents, raw),
    lacks: (catalog) => lackOf(catalog, { ...started, hasPublicOrigin: identity.resource != null }),
  });
}

function lackOf(
  catalog: Catalog,
  { clientCertificate, clientKey, hasPublicOrigin }: StartedWith & { readonly hasPublicOrigin: boolean },
): string | null {
  if (clientCertificate === null && needsClientCertificate(catalog))
    return "a server is shown the instance's certificate, and the launch document's catalog has no such server";
  if (clientKey === null && needsClientKey(catalog))
    return "the instance proves itself by a key to an authorization server, and the launch document's catalog has no such server";
  if (!hasPublicOrigin && needsPublicOrigin(catalog))
    return "a server needs consents of persons, and enclave.identity.resource does not say where browsers come back to";
  return null;
}
