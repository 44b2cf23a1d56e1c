const letters = (name: string): string =>
  name
    .normalize("NFKC")
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, "");

/** The letters of what a name says behind its prefix (MCP, "_meta"). */
const ownLetters = (name: string): string => letters(name.normalize("NFKC").replace(/^.*\//s, ""));

/** Whether a name reads as an underscore and this word. */
function isUnderscored(name: string, word: string): boolean {
  // Most names are told by their first letter: normalization turns nothing visible in ASCII into an underscore, nor an
  // underscore into anything else.
  const first = name[0] ?? "";
  if (first > " " && first <= "~" && first !== "_") return false;
  return letters(name) === word && /^[\s\p{C}]*_/u.test(name.normalize("NFKC"));
}

/** A name that only the gateway puts anywhere into what it delivers. */
export function isGatewayField(name: string): boolean {
  return isUnderscored(name, "cmcp");
}

/** The member in which the gateway puts its receipts and claims. */
export function isMeta(name: string): boolean {
  return isUnderscored(name, "meta");
}

/** What somebody could call a claim of the gateway's. */
const CLAIMS: ReadonlySet<string> = new Set(["claim", "claimhash", "gatewayclaim", "runtimeclaim", "traceclaim"]);

/** A name in `_meta` that a client could take for the gateway's word: its prefix, anything called a receipt, or a claim. */
export function isGatewayMeta(name: string): boolean {
  return /cmcp|receipt|agentrust/.test(letters(name)) || CLAIMS.has(ownLetters(name));
}
