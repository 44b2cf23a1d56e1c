/**
 * Letters of other scripts that look like ASCII ones in common typefaces (Unicode TR39, the pairs that matter
 * for names): what they look like, then those that do.
 */
const LOOKS_LIKE: Readonly<Record<string, string>> = {
  a: "аαɑ",
  b: "ЬƄ",
  c: "сϲⅽ",
  d: "ԁɗⅾ",
  e: "еҽ℮",
  f: "ƒϝ",
  g: "ɡց",
  h: "һհ",
  i: "іιıɩ",
  j: "јϳ",
  k: "κк",
  l: "ӏⅼ|ןǀ",
  m: "ⅿм",
  n: "ոռ",
  o: "оοօσӧ",
  p: "рρ",
  q: "ԛգ",
  r: "гᴦ",
  s: "ѕꜱ",
  t: "тτ",
  u: "υսʋ",
  v: "νѵⅴ",
  w: "ԝѡա",
  x: "хχⅹ",
  y: "уγү",
  z: "ᴢʐ",
  A: "АΑ",
  B: "ВΒ",
  C: "СϹ",
  E: "ЕΕ",
  H: "НΗ",
  I: "ІΙӀ",
  J: "Ј",
  K: "КΚ",
  M: "МΜ",
  N: "Ν",
  O: "ОΟ",
  P: "РΡ",
  S: "Ѕ",
  T: "ТΤ",
  X: "ХΧ",
  Y: "ҮΥ",
  Z: "Ζ",
};

const TO_ASCII: ReadonlyMap<string, string> = new Map(
  Object.entries(LOOKS_LIKE).flatMap(([ascii, others]) => Array.from(others, (other) => [other, ascii] as const)),
);

const BEYOND_ASCII = /[^\0-\x7f]/;
const EACH_BEYOND = /[^\0-\x7f]/gu;
/** The ligatures that normalise to 18 and 8 characters: text of them alone would grow as much. */
const LIGATURES = /[\ufdfa\ufdfb]/g;

/** `text` with compatibility forms and look-alike letters as the ASCII they look like. */
export function toAsciiLookalike(text: string): string {
  if (!BEYOND_ASCII.test(text)) return text;
  return text
    .replaceAll(LIGATURES, " ")
    .normalize("NFKC")
    .replaceAll(EACH_BEYOND, (character) => TO_ASCII.get(character) ?? character);
}

/** What a name looks like at a glance: equal for two names that a reader would take for one. */
export function skeleton(name: string): string {
  return toAsciiLookalike(name)
    .normalize("NFD")
    .replaceAll(/\p{M}|\p{Default_Ignorable_Code_Point}/gu, "")
    .replaceAll(/[Il1|]/g, "l")
    .replaceAll(/[O0]/g, "o")
    .toLowerCase()
    .replaceAll("rn", "m")
    .replaceAll("vv", "w");
}

/** A name without case and separators: `get-file`, `get_file` and `getFile` are one. */
export function withoutForm(name: string): string {
  return name.toLowerCase().replaceAll(/[-_. /]/g, "");
}

const SCRIPTS: readonly (readonly [string, RegExp])[] = [
  ["Latin", /\p{Script=Latin}/u],
  ["Cyrillic", /\p{Script=Cyrillic}/u],
  ["Greek", /\p{Script=Greek}/u],
  ["Armenian", /\p{Script=Armenian}/u],
  ["Cherokee", /\p{Script=Cherokee}/u],
];

/** The scripts with look-alike letters that one word uses. */
export function scriptsOf(word: string): string[] {
  return SCRIPTS.filter(([, letters]) => letters.test(word)).map(([name]) => name);
}
