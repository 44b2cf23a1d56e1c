import { canonicalText, isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import { readDocument } from "../entry/document.ts";

/** What a change of an entry is about. */
export type ChangedPart = "definition" | "trust" | "labels" | "other";

/** One value of an entry that changed. */
export interface ValueChange {
  readonly part: ChangedPart;
  /** Members that lead to the value, joined by dots. */
  readonly path: string;
  /** Canonical JSON; `null` where there was none. */
  readonly before: string | null;
  readonly after: string | null;
}

/** A section of a catalog. */
export type DiffSection = "tools" | "servers" | "resources" | "prompts";

/** An entry that two catalogs do not have alike. */
export interface EntryChange {
  readonly section: DiffSection;
  readonly name: string;
  readonly change: "added" | "removed" | "changed";
  /** Each value of an added or removed entry, and those that changed. */
  readonly values: readonly ValueChange[];
}

/** Members that an entry is named by, in each section. */
const NAMES: Readonly<Record<DiffSection, readonly string[]>> = {
  tools: ["tool_name"],
  servers: ["name"],
  resources: ["uri", "uri_template"],
  prompts: ["prompt_name"],
};

const DEFINITION: ReadonlySet<string> = new Set(["approved_definition", "definition_hash", "projection_schema"]);
const TRUST: ReadonlySet<string> = new Set([
  "server",
  "url",
  "tls_fingerprint",
  "trust",
  "roots",
  "issuer_pins",
  "transport",
  "spawn",
  "credential",
  "authorization",
  "client_certificate",
  "era",
]);
const LABELS: ReadonlySet<string> = new Set([
  "compliance_domain",
  "requires_baa",
  "sensitivity_level",
  "integrity",
  "consequential",
  "argument_kinds",
  "additional",
  "catalog_exception",
]);

function partOf(path: readonly string[]): ChangedPart {
  const [first = ""] = path;
  if (DEFINITION.has(first)) return "definition";
  if (LABELS.has(path.at(-1) ?? "") || LABELS.has(first)) return "labels";
  return TRUST.has(first) ? "trust" : "other";
}

/** Entries of a section by their names. */
function byName(entries: readonly JsonValue[], section: DiffSection): ReadonlyMap<string, JsonObject> {
  return new Map(
    entries.filter(isJsonObject).map((entry) => {
      const name = NAMES[section].map((key) => entry[key]).find((value) => typeof value === "string");
      return [typeof name === "string" ? name : canonicalText(entry), entry];
    }),
  );
}

function same(before: JsonValue | undefined, after: JsonValue | undefined): boolean {
  if (before === undefined || after === undefined) return before === after;
  return canonicalText(before) === canonicalText(after);
}

/** The values in which two differ. Lists are compared whole. */
function valuesOf(
  before: JsonValue | undefined,
  after: JsonValue | undefined,
  path: readonly string[],
): readonly ValueChange[] {
  if (same(before, after)) return [];
  const isOpen = (value: JsonValue | undefined): value is JsonObject | undefined =>
    value === undefined || isJsonObject(value);
  if (isOpen(before) && isOpen(after)) {
    const keys = new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})]);
    if (keys.size > 0)
      return [...keys].sort().flatMap((key) => valuesOf(memberOf(before, key), memberOf(after, key), [...path, key]));
  }
  const textOf = (value: JsonValue | undefined): string | null => (value === undefined ? null : canonicalText(value));
  return [{ part: partOf(path), path: path.join("."), before: textOf(before), after: textOf(after) }];
}

function memberOf(value: JsonObject | undefined, key: string): JsonValue | undefined {
  return value !== undefined && Object.hasOwn(value, key) ? value[key] : undefined;
}

function sectionChanges(
  section: DiffSection,
  before: readonly JsonValue[],
  after: readonly JsonValue[],
): readonly EntryChange[] {
  const [old, next] = [byName(before, section), byName(after, section)];
  return [...new Set([...old.keys(), ...next.keys()])].sort().flatMap((name): EntryChange[] => {
    const [was, is] = [old.get(name), next.get(name)];
    const values = valuesOf(was, is, []);
    const change = was === undefined ? "added" : is === undefined ? "removed" : "changed";
    return values.length === 0 ? [] : [{ section, name, change, values }];
  });
}

/**
 * What changed from one catalog to another, entry by entry, as the files have it. Order does not matter.
 * @throws CmcpError `CATALOG_INVALID` for what is no catalog document
 */
export function diffCatalogs(before: JsonValue, after: JsonValue): readonly EntryChange[] {
  const [old, next] = [readDocument(before), readDocument(after)];
  return [
    ...sectionChanges("servers", old.servers ?? [], next.servers ?? []),
    ...sectionChanges("tools", old.entries, next.entries),
    ...sectionChanges("resources", old.resources ?? [], next.resources ?? []),
    ...sectionChanges("prompts", old.prompts ?? [], next.prompts ?? []),
  ];
}
