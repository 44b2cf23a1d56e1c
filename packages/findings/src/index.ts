export { decodedTexts, MAX_DECODED_TEXTS, MAX_DEPTH, type DecodedText, type DecodedTexts } from "./text/decodings.ts";
export type { Encoding } from "./text/encodings.ts";
export { withoutFormatCharacters } from "./text/format-characters.ts";
export { MAX_LEAF_DEPTH, MAX_LEAVES, stringLeaves, type Leaf, type Leaves } from "./text/leaves.ts";
export { DEFAULT_WORK, WorkBudget } from "./work-budget.ts";
