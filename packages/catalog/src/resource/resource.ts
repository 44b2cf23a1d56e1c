import { CmcpError, isJsonObject, type JsonValue } from "@cmcp/boundary";
import * as z from "zod";
import { classOf, type Approved } from "../approved.ts";
import { approval, checkDefinition, readShape } from "../entry/described.ts";
import { prefixedSha256 } from "../hashes.ts";
import { MAX_DESCRIPTION, MAX_TEXT, MAX_URI } from "../limits.ts";
import type { CatalogOptions } from "../options.ts";
import type { ServerRegister } from "../named-server.ts";
import { UriTemplate } from "./template.ts";

/** What an agent is shown of a resource or template: the approved text, never the server's live one. */
export interface ResourceDefinition {
  readonly name: string;
  readonly title: string | null;
  readonly description: string;
  readonly mimeType: string | null;
}

/** One approved resource, or template of resources. */
export interface CatalogResource extends Approved, ResourceDefinition {
  /** Its URI, or its template, as written: its identity in records and in policy. */
  readonly id: string;
  /** `null` for a resource with one URI. */
  readonly template: UriTemplate | null;
}

// RFC 3986: a scheme, and only characters a URI may have, so that equal URIs are equal texts.
const uri = z
  .string()
  .max(MAX_URI)
  .regex(
    /^[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})*$/,
    "must be a URI: a scheme and what RFC 3986 allows",
  );

const shape = z
  .strictObject({
    uri: uri.optional(),
    uri_template: z.string().min(1).optional(),
    server: z.string(),
    approved_definition: z.strictObject({
      name: z.string().min(1).max(MAX_TEXT),
      title: z.string().max(MAX_TEXT).nullish(),
      description: z.string().max(MAX_DESCRIPTION).default(""),
      mime_type: z.string().max(256).nullish(),
    }),
    ...approval,
  })
  .refine(
    (entry) => (entry.uri === undefined) !== (entry.uri_template === undefined),
    "has either uri or uri_template",
  );

/** `sha256:` and hex over canonical `{name, title, description, mime_type}`; equal when the resource did not drift. */
export function resourceDriftDigest({ name, title, description, mimeType }: ResourceDefinition): string {
  return prefixedSha256({ name, title, description, mime_type: mimeType });
}

/** Reads one resource entry. @throws CmcpError `CATALOG_INVALID` */
export function readResource(
  raw: JsonValue,
  index: number,
  servers: ServerRegister,
  options: CatalogOptions,
): CatalogResource {
  const label = isJsonObject(raw) ? (raw.uri ?? raw.uri_template) : undefined;
  const what = `catalog resource ${typeof label === "string" ? label.slice(0, 128) : `#${index}`}`;
  const entry = readShape(shape, raw, what);
  checkDefinition(raw, entry.definition_hash, what);
  const { name, title = null, description, mime_type: mimeType = null } = entry.approved_definition;
  const definition = { name, title, description, mimeType };
  return {
    ...definition,
    ...classOf(entry, options.vocabulary, what),
    id: entry.uri ?? entry.uri_template ?? "",
    template: entry.uri_template === undefined ? null : new UriTemplate(entry.uri_template, what),
    server: servers.named(entry.server, what),
    driftDigest: resourceDriftDigest(definition),
  };
}

function collision(what: string, left: CatalogResource, right: CatalogResource): CmcpError {
  return new CmcpError(
    "CATALOG_NAME_COLLISION",
    `${what}: offered by ${left.server.displayName} (${left.server.identity}) and ${right.server.displayName} (${right.server.identity})`,
  );
}

/**
 * Holds approved resources to one reading of every URI: no identity twice, no two templates that share a URI, and
 * no URI of one server inside a template of another. A resource inside a template of its own server is allowed:
 * it was approved by itself, and what was approved of it holds.
 *
 * @throws CmcpError `CATALOG_NAME_COLLISION`, naming both servers.
 */
export function checkResources(resources: readonly CatalogResource[]): ReadonlyMap<string, CatalogResource> {
  const byId = new Map<string, CatalogResource>();
  const templates: CatalogResource[] = [];
  for (const resource of resources) {
    const same = byId.get(resource.id);
    if (same !== undefined) throw collision(`duplicate resource ${resource.id}`, same, resource);
    const sharing = templates.find(
      ({ template }) => resource.template !== null && template?.overlaps(resource.template),
    );
    if (sharing !== undefined)
      throw collision(`one URI could fit both ${sharing.id} and ${resource.id}`, sharing, resource);
    byId.set(resource.id, resource);
    if (resource.template !== null) templates.push(resource);
  }
  for (const resource of resources) {
    const around =
      resource.template === null
        ? templates.find(({ template, server }) => server !== resource.server && template?.match(resource.id))
        : undefined;
    if (around !== undefined) throw collision(`${resource.id} fits ${around.id}`, around, resource);
  }
  return byId;
}
