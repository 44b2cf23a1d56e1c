import { DerReader, TAG } from "./der.ts";
import { oidText } from "./value.ts";

const COMMON_NAME = "2.5.4.3";

const LABELS: Readonly<Record<string, string>> = {
  [COMMON_NAME]: "CN",
  "2.5.4.5": "serialNumber",
  "2.5.4.6": "C",
  "2.5.4.7": "L",
  "2.5.4.8": "ST",
  "2.5.4.10": "O",
  "2.5.4.11": "OU",
};

/** Attributes a name may have. */
const MAX_ATTRIBUTES = 32;

const decoder = new TextDecoder();

/** What would move a terminal's cursor or end a line is shown as its code point. */
function printable(text: string): string {
  return text.replaceAll(/[\p{C}]/gu, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}

/** The attributes of a name: dotted type and text, in the order of the certificate. */
function attributesOf(name: Uint8Array): { readonly type: string; readonly text: string }[] {
  const sets = new DerReader(name, "a certificate's name").enter(TAG.sequence);
  const found: { type: string; text: string }[] = [];
  while (!sets.empty) {
    const attributes = sets.enter(TAG.set);
    while (!attributes.empty) {
      if (found.length === MAX_ATTRIBUTES) throw sets.malformed("has too many attributes");
      const attribute = attributes.enter(TAG.sequence);
      found.push({ type: oidText(attribute.next(TAG.oid).content), text: decoder.decode(attribute.next().content) });
      attribute.end();
    }
  }
  return found;
}

/** A distinguished name as readers want it. Names are compared as bytes, never as this. */
export interface ReadName {
  readonly text: string;
  /** The one common name; `undefined` for none or several. */
  readonly commonName: string | undefined;
}

/** @throws CmcpError `EVIDENCE_MALFORMED` for a name that is not one. */
export function readName(name: Uint8Array): ReadName {
  const attributes = attributesOf(name);
  const [first, ...others] = attributes.filter(({ type }) => type === COMMON_NAME);
  return {
    text: attributes.map(({ type, text }) => `${LABELS[type] ?? type}=${printable(text)}`).join(", "),
    commonName: others.length === 0 ? first?.text : undefined,
  };
}
