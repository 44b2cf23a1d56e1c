import { isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import { isGatewayField, isGatewayMeta, isMeta } from "./gateway-names.ts";
import { stringsOf } from "./text-strings.ts";
import { isFramed, readTextContent, writeTextContent, type TextContent } from "./text.ts";

/** How often JSON may be text in JSON. Each time doubles its escapes, so that nothing honest comes near. */
const MAX_TEXT_NESTING = 8;

/** Texts of one value that are read in vain; beyond it a text is only searched for names, as a failure costs more than its text is long. */
const MAX_FAILURES = 256;

/**
 * Takes out of one value what poses as the gateway's, noting the paths. A parser has bounded its depth, and one
 * bounds that of each text in it.
 */
class Removal {
  readonly #removed: string[];
  #failures = 0;

  constructor(removed: string[]) {
    this.#removed = removed;
  }

  /** @param inMeta whether it stands below a `_meta`; @param nesting texts around it */
  value(value: JsonValue, path: string, inMeta: boolean, nesting: number): JsonValue {
    if (typeof value === "string") return this.text(value, path, inMeta, nesting);
    if (Array.isArray(value)) return value.map((item, index) => this.value(item, `${path}[${index}]`, inMeta, nesting));
    if (!isJsonObject(value)) return value;
    const out: JsonObject = {};
    for (const [name, member] of Object.entries(value)) {
      const at = path === "" ? name : `${path}.${name}`;
      if (isGatewayField(name) || (inMeta && isGatewayMeta(name))) this.#removed.push(at);
      else out[name] = this.value(member, at, inMeta || isMeta(name), nesting);
    }
    return out;
  }

  /**
   * A text as it was written when nothing in it is taken out. Where members cannot be told for sure, one that names
   * the gateway's is left empty.
   */
  text(text: string, path: string, inMeta: boolean, nesting: number): string {
    const before = this.#removed.length;
    const read = this.#read(text);
    if (read.kind === "plain") return text;
    if (nesting >= MAX_TEXT_NESTING || (read.kind === "ambiguous" && this.#isNamedIn(text, inMeta, nesting))) {
      this.#removed.splice(before, Infinity, path);
      return "";
    }
    if (read.kind === "ambiguous") return text;
    const value = this.value(read.value, path, inMeta, nesting + 1);
    return this.#removed.length === before ? text : writeTextContent(value);
  }

  #read(text: string): TextContent {
    if (!isFramed(text)) return { kind: "plain" };
    if (this.#failures >= MAX_FAILURES) return { kind: "ambiguous" };
    const read = readTextContent(text);
    if (read.kind === "plain" || read.kind === "ambiguous") this.#failures += 1;
    return read;
  }

  /** Whether some reader finds one of the gateway's members in a text that not all read alike. */
  #isNamedIn(text: string, belowMeta: boolean, nesting: number): boolean {
    const strings = stringsOf(text);
    const inMeta = belowMeta || strings.some(({ value, isName }) => isName && isMeta(value));
    return strings.some(({ value, isName }) =>
      isName
        ? isGatewayField(value) || (inMeta && isGatewayMeta(value))
        : this.text(value, "", inMeta, nesting + 1) !== value,
    );
  }
}

/**
 * Removes what a server could pass off as written by the gateway: `_cmcp` members at any depth, and members called like
 * receipts and claims below any `_meta`. In every text that is JSON too, wherever it stands, so that texts stay equal to
 * structured content.
 * @param removed takes the paths of what was removed
 */
export function removeLookAlikes(value: JsonObject, removed: string[]): JsonObject {
  return new Removal(removed).value(value, "", false, 0) as JsonObject;
}

/** {@link removeLookAlikes} for a text by itself. */
export function removeLookAlikesOfText(text: string): string {
  return new Removal([]).text(text, "", false, 0);
}
