import type { JsonObject, JsonValue } from "@cmcp/boundary";
import type { CatalogTool } from "@cmcp/catalog";
import { apparent, SchemaPlace, type TargetKind } from "./kinds.ts";
import { MAX_DEPTH, MAX_TARGETS, MAX_VALUES } from "./limits.ts";
import { commonPath, normalisePath } from "./path.ts";
import { normaliseUrl, withoutIgnored, type NormalUrl } from "./url.ts";

/** One URL of a call's arguments. */
export interface UrlTarget extends Pick<NormalUrl, "url" | "scheme" | "host" | "port" | "path"> {
  /** Name of the top-level argument that holds it. */
  readonly argument: string;
  /** As the agent wrote it, which is what the server gets. */
  readonly raw: string;
}

/**
 * The paths and URLs of a call's arguments in the forms that rules compare. What could not be read is the empty text in
 * each set, so that it is in no list of what is allowed.
 */
export interface ArgumentTargets {
  readonly urls: readonly UrlTarget[];
  readonly hosts: readonly string[];
  readonly schemes: readonly string[];
  /** Paths, and those of `file` URLs. */
  readonly paths: readonly string[];
  /** The deepest path that holds all paths; the path itself if there is one. Empty if there is none, or if something could not be read. */
  readonly commonPath: string;
  /** Whether a path leaves its start or means something else than it says. */
  readonly pathEscapes: boolean;
  /** Whether all arguments were read within bounds. */
  readonly complete: boolean;
}

/** The part of a catalog tool that says which arguments are paths or URLs. */
export type TargetedTool = Pick<CatalogTool, "inputSchema"> & Partial<Pick<CatalogTool, "argumentKinds">>;

/** Collects targets, within bounds. */
class Collector {
  readonly urls: UrlTarget[] = [];
  readonly hosts = new Set<string>();
  readonly schemes = new Set<string>();
  readonly paths = new Set<string>();
  pathEscapes = false;
  complete = true;
  #values = 0;
  #targets = 0;

  walk(value: JsonValue, at: { readonly argument: string; readonly place: SchemaPlace; readonly depth: number }): void {
    this.#values += 1;
    if (this.#values > MAX_VALUES || at.depth > MAX_DEPTH) this.complete = false;
    else if (typeof value === "string") this.#text(at.argument, value, at.place.kind);
    else if (Array.isArray(value))
      for (const item of value) this.walk(item, { ...at, place: at.place.items(), depth: at.depth + 1 });
    else if (typeof value === "object" && value !== null)
      for (const [name, member] of Object.entries(value))
        this.walk(member, { ...at, place: at.place.member(name), depth: at.depth + 1 });
  }

  #text(argument: string, raw: string, declared: TargetKind | null): void {
    const looks = apparent(raw);
    if (looks === null && declared === null) return;
    this.#targets += 1;
    if (this.#targets > MAX_TARGETS) this.complete = false;
    else if (looks?.kind === "url") this.#url(argument, raw, normaliseUrl(looks.text), looks.text !== raw);
    else if (declared === "url" || declared === "reference") this.#schemeless(argument, raw, declared);
    else this.#path(looks?.text ?? raw);
  }

  #url(argument: string, raw: string, read: NormalUrl, disguised: boolean): void {
    const { url, scheme, host, port, path, otherHosts, otherSchemes, escapes, complete } = read;
    this.urls.push({ argument, raw, url, scheme, host, port, path });
    for (const one of [host, ...otherHosts]) if (one !== "") this.hosts.add(one);
    for (const one of [scheme, ...otherSchemes]) this.schemes.add(one);
    if (scheme === "file") this.paths.add(path);
    this.pathEscapes ||= escapes || disguised;
    this.complete &&= complete;
  }

  /** A declared URL without a scheme. The server adds one, so that the text begins with a host, or with a path where a reference may. */
  #schemeless(argument: string, raw: string, kind: "url" | "reference"): void {
    const cleaned = withoutIgnored(raw);
    if (kind === "reference" && !/^[/\\]{2}/.test(cleaned)) {
      this.#path(cleaned.replace(/[?#].*$/s, ""));
      return;
    }
    const read = normaliseUrl(`https://${cleaned.replace(/^[/\\]+/, "")}`);
    this.#url(argument, raw, { ...read, url: "", scheme: "", port: 0 }, false);
  }

  #path(raw: string): void {
    const { path, escapes, complete } = normalisePath(raw);
    // Two slashes at the start are a network path: they name a host where a server reads them so.
    const [, host] = /^[/\\]{2}([^/\\]+)/.exec(withoutIgnored(raw)) ?? [];
    if (host !== undefined) this.hosts.add(normaliseUrl(`file://${host}/`).host);
    this.paths.add(path);
    this.pathEscapes ||= escapes;
    this.complete &&= complete;
  }
}

/** The place of a top-level argument, and how its catalog entry says that its texts are read. */
function declaredPlace(tool: TargetedTool, root: SchemaPlace, name: string): SchemaPlace {
  const kind = tool.argumentKinds?.get(name);
  return kind === undefined ? root.member(name) : SchemaPlace.fixed(kind);
}

/**
 * Finds the paths and URLs of a call's arguments: what the catalog or the schema calls so, and what looks so. What is
 * sent stays as it is.
 */
export function argumentTargets(tool: TargetedTool, args: JsonObject): ArgumentTargets {
  const found = new Collector();
  const root = SchemaPlace.of(tool.inputSchema);
  for (const [argument, value] of Object.entries(args))
    found.walk(value, { argument, place: declaredPlace(tool, root, argument), depth: 0 });
  const { urls, pathEscapes, complete } = found;
  const marked = (texts: ReadonlySet<string>): readonly string[] => [...(complete ? texts : new Set([...texts, ""]))];
  return {
    urls,
    hosts: marked(found.hosts),
    schemes: marked(found.schemes),
    paths: marked(found.paths),
    commonPath: complete ? commonPath([...found.paths]) : "",
    pathEscapes,
    complete,
  };
}
