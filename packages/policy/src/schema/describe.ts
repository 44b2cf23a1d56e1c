import type { SchemaJson } from "@cedar-policy/cedar-wasm/nodejs";

/** A resolved Cedar type; `other` is one the gateway has no value for (entities, extensions). */
export type TypeDescription =
  | { readonly kind: "String" | "Long" | "Bool" }
  | { readonly kind: "Set"; readonly element: TypeDescription }
  | { readonly kind: "Record"; readonly attributes: AttributeMap }
  | { readonly kind: "other"; readonly name: string };

/** An attribute's type and whether it must be present. */
export interface AttributeDescription {
  readonly type: TypeDescription;
  readonly required: boolean;
}

/** Attributes by name. */
export type AttributeMap = ReadonlyMap<string, AttributeDescription>;

/** One action: which entity types it joins, and its context. */
export interface ActionDescription {
  readonly principals: readonly string[];
  readonly resources: readonly string[];
  readonly context: AttributeMap;
}

/** A schema as far as the gateway looks into it. Entity types and actions by full name (`cMCP::Principal`). */
export interface SchemaDescription {
  readonly namespaces: readonly string[];
  readonly entities: ReadonlyMap<string, AttributeMap>;
  readonly actions: ReadonlyMap<string, ActionDescription>;
}

type Json = Readonly<Record<string, unknown>>;

function isRecord(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((member) => typeof member === "string") : [];
}

const PRIMITIVES: ReadonlyMap<string, "String" | "Long" | "Bool"> = new Map([
  ["String", "String"],
  ["Long", "Long"],
  ["Bool", "Bool"],
  ["Boolean", "Bool"],
]);

class Reader {
  readonly #common = new Map<string, unknown>();

  constructor(schema: Json) {
    for (const [namespace, definition] of Object.entries(schema)) {
      const types = isRecord(definition) && isRecord(definition.commonTypes) ? definition.commonTypes : {};
      for (const [name, type] of Object.entries(types)) this.#common.set(qualified(namespace, name), type);
    }
  }

  /** Common types cannot be cyclic (the engine refuses them), so this ends. */
  type(value: unknown): TypeDescription {
    if (!isRecord(value) || typeof value.type !== "string") return { kind: "other", name: "unknown" };
    const common = this.#common.get(value.type);
    if (common !== undefined) return this.type(common);
    const primitive = PRIMITIVES.get(value.type.replace(/^__cedar::/, ""));
    if (primitive !== undefined) return { kind: primitive };
    if (value.type === "Set") return { kind: "Set", element: this.type(value.element) };
    if (value.type === "Record") return { kind: "Record", attributes: this.#attributes(value.attributes) };
    return { kind: "other", name: typeof value.name === "string" ? value.name : value.type };
  }

  /** Attributes of a shape or context; missing means none. */
  record(value: unknown): AttributeMap {
    const type = value === undefined ? undefined : this.type(value);
    return type?.kind === "Record" ? type.attributes : new Map();
  }

  #attributes(value: unknown): AttributeMap {
    if (!isRecord(value)) return new Map();
    return new Map(
      Object.entries(value).map(([name, attribute]) => [
        name,
        { type: this.type(attribute), required: !(isRecord(attribute) && attribute.required === false) },
      ]),
    );
  }
}

function qualified(namespace: string, name: string): string {
  return namespace === "" ? name : `${namespace}::${name}`;
}

/** Reads a schema that the engine has parsed and whose type names it has resolved. */
export function describeSchema(schema: SchemaJson<string>): SchemaDescription {
  const reader = new Reader(schema);
  const entities = new Map<string, AttributeMap>();
  const actions = new Map<string, ActionDescription>();
  for (const [namespace, definition] of Object.entries<unknown>(schema)) {
    if (!isRecord(definition)) continue;
    const { entityTypes, actions: declared } = definition;
    if (isRecord(entityTypes))
      for (const [name, type] of Object.entries(entityTypes))
        entities.set(qualified(namespace, name), reader.record(isRecord(type) ? type.shape : undefined));
    for (const [name, action] of Object.entries(isRecord(declared) ? declared : {})) {
      const applies = isRecord(action) && isRecord(action.appliesTo) ? action.appliesTo : {};
      actions.set(`${qualified(namespace, "Action")}::${name}`, {
        principals: texts(applies.principalTypes),
        resources: texts(applies.resourceTypes),
        context: reader.record(applies.context),
      });
    }
  }
  return { namespaces: Object.keys(schema), entities, actions };
}
