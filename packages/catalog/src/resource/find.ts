import { MAX_URI } from "../limits.ts";
import type { CatalogResource } from "./resource.ts";

/** What a URI that is asked for is in the catalog. */
export interface RequestedResource {
  readonly resource: CatalogResource;
  /** The URI as asked. */
  readonly uri: string;
  /** Values of the template's variables, decoded; none for a resource with one URI. */
  readonly variables: ReadonlyMap<string, string>;
}

const NO_VARIABLES: ReadonlyMap<string, string> = new Map();

/**
 * Finds the one approved resource or template that a URI belongs to; `undefined` when there is none. URIs are
 * compared as texts: nothing is normalised.
 */
export function findResource(
  resources: ReadonlyMap<string, CatalogResource>,
  uri: string,
): RequestedResource | undefined {
  if (uri.length > MAX_URI) return undefined;
  const own = resources.get(uri);
  if (own?.template === null) return { resource: own, uri, variables: NO_VARIABLES };
  for (const resource of resources.values()) {
    const variables = resource.template?.match(uri);
    if (variables) return { resource, uri, variables };
  }
  return undefined;
}
